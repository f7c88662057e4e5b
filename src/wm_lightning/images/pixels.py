"""Pixels as files hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]  # uint8, uint16, or float32 in 0..1


def as_bytes(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Returns 16-bit pixels as 8-bit ones, and 8-bit ones as they are."""
    # 257 is odd, so adding 128 rounds to the nearest.
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
