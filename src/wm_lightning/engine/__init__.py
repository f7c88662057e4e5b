"""The LightningModule and learning-rate schedules."""

from wm_lightning.engine.average import WeightAverage
from wm_lightning.engine.checkpoint_io import AtomicCheckpointIO
from wm_lightning.engine.module import StepOutput, WatermarkRemoval
from wm_lightning.engine.muon import Muon
from wm_lightning.engine.schedules import Drop, WarmUp, cosine

__all__ = ["AtomicCheckpointIO", "Drop", "Muon", "StepOutput", "WarmUp", "WatermarkRemoval", "WeightAverage", "cosine"]
