"""From clean photographs to watermarked pairs, and pairs of files."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_lightning.data.augment import Augmentation
    from wm_lightning.data.datamodule import BaseDataModule, DemoDataModule, FolderDataModule, WatermarkDataModule
    from wm_lightning.data.paired import PairedDataModule
    from wm_lightning.data.streaming import StreamingDataModule, StreamingPairsDataModule

# Imported when they are asked for: who makes an index needs no PyTorch.
_HOMES = {
    "Augmentation": "augment",
    "BaseDataModule": "datamodule",
    "DemoDataModule": "datamodule",
    "FolderDataModule": "datamodule",
    "PairedDataModule": "paired",
    "StreamingDataModule": "streaming",
    "StreamingPairsDataModule": "streaming",
    "WatermarkDataModule": "datamodule",
}

__all__ = [
    "Augmentation",
    "BaseDataModule",
    "DemoDataModule",
    "FolderDataModule",
    "PairedDataModule",
    "StreamingDataModule",
    "StreamingPairsDataModule",
    "WatermarkDataModule",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
