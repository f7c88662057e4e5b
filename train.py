"""Trains a watermark remover: ``python train.py model=unet loss.alpha=0.3``; see conf/train.yaml."""

from wm_lightning.entry import train

if __name__ == "__main__":
    train()
