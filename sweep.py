"""Searches hyperparameters: ``python sweep.py space=loss sweep.trials=20``; see conf/sweep.yaml and docs/sweeps.md."""

from wm_lightning.entry import sweep

if __name__ == "__main__":
    sweep()
