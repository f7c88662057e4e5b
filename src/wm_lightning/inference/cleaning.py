"""Removes the marks of a picture of any size, in tiles, from its small scales to its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pixels import Pixels, as_floats, largest
from wm_lightning.inference.scales import on_reduced
from wm_lightning.inference.tiles import ALIGN, strips

TILE = 1024
OVERLAP = 192


class Cleaned(NamedTuple):
    """Pixels without their marks.

    Attributes:
        pixels: As they were given, where no mark is to the bit.
        mask: How sure it is that a pixel was marked, (H, W) uint8 in 0..255; 0 where it stayed as it was.
    """

    pixels: Pixels
    mask: npt.NDArray[np.uint8]


def clean_pixels(
    engine: Engine,
    pixels: Pixels,
    allowed: npt.NDArray[np.floating] | None = None,
    strength: float = 1.0,
    tile: int = TILE,
    overlap: int = OVERLAP,
) -> Cleaned:
    """Removes the marks of a picture of any size, in tiles.

    Args:
        engine: Runs the network.
        pixels: (H, W, 3) sRGB, uint8, uint16, or float32 in 0..1.
        allowed: Where, and how far, pixels may change, (H, W) in 0..1; None allows it everywhere.
        strength: How much of a mark is taken away, 0..1.
        tile: The longest side of a tile, in pixels.
        overlap: Of tiles, in pixels.
    """
    height, width = pixels.shape[:2]
    scale = np.float32(largest(pixels))
    coarse = on_reduced(engine, pixels, tile, overlap)

    def work(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        picture = as_floats(pixels[rows, columns])
        if coarse is None:
            correction = engine.correct(picture)
        else:
            known = coarse.enlarged((height, width), rows, columns)
            correction = known.then(engine.correct(known.apply(picture)))
        if allowed is not None or strength < 1:
            share = np.float32(strength) if allowed is None else strength * allowed[rows, columns, None]
            correction = correction.limited(share)
        return np.concatenate((correction.gain * picture + correction.offset, correction.mask), axis=-1)

    cleaned, mask = np.empty_like(pixels), np.empty((height, width), np.uint8)
    for rows, strip in strips(work, height, width, 4, tile, overlap, ALIGN):
        changed = pixels[rows] + strip[..., :3] * scale
        # Floats are not rounded: where nothing changes they too stay as they are.
        cleaned[rows] = np.clip(np.rint(changed) if scale > 1 else changed, 0, scale)
        mask[rows] = np.rint(strip[..., 3] * 255)
    return Cleaned(cleaned, mask)
