"""Pixels as they come out of files and go back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wm_lightning.images.pixels import Pixels as Pixels
from wm_lightning.images.pixels import as_bytes as as_bytes


def largest(pixels: Pixels) -> float:
    """Returns the value that stands for 1: 255, 65535, or 1 of floats."""
    return 1.0 if pixels.dtype == np.float32 else float(np.iinfo(pixels.dtype).max)


def as_floats(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Returns pixels in 0..1."""
    floats: npt.NDArray[np.float32] = pixels.astype(np.float32) / np.float32(largest(pixels))
    return floats


def as_map(shares: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Returns shares in 0..1, of any shape, in 0..255."""
    return np.rint(shares.astype(np.float32) * 255).astype(np.uint8)


def changed_share(before: Pixels, after: Pixels) -> float:
    """Returns the share of pixels, 0..1, in which two pictures (H, W, 3) differ."""
    return float((before != after).any(axis=-1).mean())
