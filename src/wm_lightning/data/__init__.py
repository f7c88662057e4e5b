"""From clean photographs to watermarked pairs, and pairs of files."""

from wm_lightning.data.augment import Augmentation
from wm_lightning.data.datamodule import BaseDataModule, DemoDataModule, FolderDataModule, WatermarkDataModule
from wm_lightning.data.paired import PairedDataModule

__all__ = [
    "Augmentation",
    "BaseDataModule",
    "DemoDataModule",
    "FolderDataModule",
    "PairedDataModule",
    "WatermarkDataModule",
]
