"""Removes the marks of a picture of any size, in tiles, from its small scales to its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import Mark
from wm_lightning.inference.pixels import Pixels, as_floats, as_map, largest
from wm_lightning.inference.scales import View, judged, on_reduced
from wm_lightning.inference.search import AS_USUAL, Search
from wm_lightning.inference.tiles import ALIGN, strips


class Cleaned(NamedTuple):
    """Pixels without their marks.

    Attributes:
        pixels: As they were given, where no mark is to the bit.
        mask: How sure it is that a pixel was marked, (H, W) uint8 in 0..255; 0 where it stayed as it was.
        marks: What was taken away, the largest first.
    """

    pixels: Pixels
    mask: npt.NDArray[np.uint8]
    marks: tuple[Mark, ...] = ()


def clean_pixels(
    engine: Engine,
    pixels: Pixels,
    allowed: npt.NDArray[np.floating] | None = None,
    strength: float = 1.0,
    search: Search = AS_USUAL,
) -> Cleaned:
    """Removes the marks of a picture of any size, in tiles, for which there is evidence.

    Args:
        engine: Runs the network.
        pixels: (H, W, 3) sRGB, uint8, uint16, or float32 in 0..1.
        allowed: Where, and how far, pixels may change, (H, W) in 0..1; None allows it everywhere.
        strength: How much of a mark is taken away, 0..1.
        search: How marks are sought.
    """
    height, width = pixels.shape[:2]
    large = on_reduced(engine, pixels, search)
    view = View(pixels, large.correction)
    mask = _mask(engine, view, search)
    if allowed is not None:
        mask[allowed == 0] = 0
    marks, taken, certainty = judged(engine, view, mask, search)
    where = marks.of(taken)
    if large.correction is None and not taken.any():
        return Cleaned(pixels.copy(), np.zeros((height, width), np.uint8))

    def work(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        here = where[rows, columns]
        correction = view.correction(rows, columns)
        if here.any():
            found = engine.correct(view.tile(rows, columns)).limited(here[..., None].astype(np.float32))
            correction = correction.then(found)
        if allowed is not None or strength < 1:
            share = np.float32(strength) if allowed is None else strength * allowed[rows, columns, None]
            correction = correction.limited(share)
        return _change(correction, pixels[rows, columns])

    cleaned, mask = np.empty_like(pixels), np.empty((height, width), np.uint8)
    scale = np.float32(largest(pixels))
    for rows, strip in strips(work, height, width, 4, search.tile, search.overlap, ALIGN):
        changed = pixels[rows] + strip[..., :3] * scale
        # Floats are not rounded: where nothing changes they too stay as they are.
        cleaned[rows] = np.clip(np.rint(changed) if scale > 1 else changed, 0, scale)
        mask[rows] = as_map(strip[..., 3])
    told = (*large.marks, *marks.told(certainty, taken, 1))
    return Cleaned(cleaned, mask, tuple(sorted(told, key=lambda mark: -mark.pixels)))


def _mask(engine: Engine, view: View, search: Search) -> npt.NDArray[np.uint8]:
    """Returns how sure the network is that each pixel is marked, (H, W) in 0..255."""

    def work(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        return np.asarray(engine.correct(view.tile(rows, columns)).mask, np.float32)

    mask = np.empty(view.size, np.uint8)
    for rows, strip in strips(work, *view.size, 1, search.tile, search.overlap, ALIGN):
        mask[rows] = as_map(strip[..., 0])
    return mask


def _change(correction: Correction, pixels: Pixels) -> npt.NDArray[np.float32]:
    """Returns what a correction adds to a picture in 0..1, and its mask, (h, w, 4)."""
    return np.concatenate((correction.gain * as_floats(pixels) + correction.offset, correction.mask), axis=-1)
