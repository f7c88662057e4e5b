"""Train, measure and use models that remove visible watermarks from photographs."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_lightning.inference.remover import Remover

__all__ = ["Remover", "__version__"]

# Albumentations asks the package index for a newer version at import; this project makes no such calls.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Training and measuring need none of it, and it needs none of theirs.
    if name == "Remover":
        from wm_lightning.inference.remover import Remover

        return Remover
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
