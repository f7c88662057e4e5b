"""The LightningModule."""

from wm_lightning.engine.module import StepOutput, WatermarkRemoval

__all__ = ["StepOutput", "WatermarkRemoval"]
