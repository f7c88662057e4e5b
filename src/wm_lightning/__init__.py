"""Train, measure and use models that remove visible watermarks from photographs."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_lightning.data.synthesis import OwnArt
    from wm_lightning.engine import WatermarkRemoval
    from wm_lightning.errors import ArgumentError, TooLargeError, UnreadableError, UnsupportedError, UserError
    from wm_lightning.extras import MissingPackageError
    from wm_lightning.inference.remover import Removal, Remover
    from wm_lightning.losses import CompositeLoss, Term
    from wm_lightning.mark.estimate import estimate_mark
    from wm_lightning.mark.known import KnownMark, load_mark, save_mark
    from wm_lightning.models import RestorationNet, SizeRequirement
    from wm_lightning.models.heads import Head
    from wm_lightning.trained import TrainedNetwork, load, save
    from wm_lightning.types import Prediction, Sample

# Imported when they are asked for: who removes marks needs nothing of training, and ONNX Runtime no PyTorch.
_HOMES = {
    "ArgumentError": "errors",
    "CompositeLoss": "losses",
    "Head": "models.heads",
    "KnownMark": "mark.known",
    "MissingPackageError": "extras",
    "OwnArt": "data.synthesis",
    "Prediction": "types",
    "Removal": "inference.remover",
    "Remover": "inference.remover",
    "RestorationNet": "models",
    "Sample": "types",
    "SizeRequirement": "models",
    "Term": "losses",
    "TooLargeError": "errors",
    "TrainedNetwork": "trained",
    "UnreadableError": "errors",
    "UnsupportedError": "errors",
    "UserError": "errors",
    "WatermarkRemoval": "engine",
    "estimate_mark": "mark.estimate",
    "load": "trained",
    "load_mark": "mark.known",
    "save": "trained",
    "save_mark": "mark.known",
}

__all__ = [
    "ArgumentError",
    "CompositeLoss",
    "Head",
    "KnownMark",
    "MissingPackageError",
    "OwnArt",
    "Prediction",
    "Removal",
    "Remover",
    "RestorationNet",
    "Sample",
    "SizeRequirement",
    "Term",
    "TooLargeError",
    "TrainedNetwork",
    "UnreadableError",
    "UnsupportedError",
    "UserError",
    "WatermarkRemoval",
    "__version__",
    "estimate_mark",
    "load",
    "load_mark",
    "save",
    "save_mark",
]

# Albumentations asks the package index for a newer version at import; this project makes no such calls.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from wm_lightning.extras import needing

        with needing(f"{__name__}.{name}"):
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
