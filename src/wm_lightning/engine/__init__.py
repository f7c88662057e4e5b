"""The LightningModule, learning-rate schedules and checkpoint files."""

from wm_lightning.engine.checkpoints import AtomicCheckpointIO
from wm_lightning.engine.module import StepOutput, WatermarkRemoval
from wm_lightning.engine.schedules import Drop, WarmUp, cosine

__all__ = ["AtomicCheckpointIO", "Drop", "StepOutput", "WarmUp", "WatermarkRemoval", "cosine"]
