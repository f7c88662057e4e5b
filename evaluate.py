"""Scores a checkpoint on its test split: ``python evaluate.py ckpt=PATH``; see conf/evaluate.yaml."""

from wm_lightning.entry import evaluate

if __name__ == "__main__":
    evaluate()
