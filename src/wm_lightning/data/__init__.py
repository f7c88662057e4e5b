"""From clean photographs to watermarked pairs."""

from wm_lightning.data.augment import Augmentation
from wm_lightning.data.datamodule import DemoDataModule, FolderDataModule, WatermarkDataModule

__all__ = ["Augmentation", "DemoDataModule", "FolderDataModule", "WatermarkDataModule"]
