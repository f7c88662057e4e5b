"""Removes the marks of a picture of any size, in tiles, from its small scales to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wm_lightning.errors import UserError
from wm_lightning.inference.correction import NO_NUMBERS, Correction
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import Mark
from wm_lightning.inference.pixels import Pixels, as_floats, as_map, largest
from wm_lightning.inference.scales import View, judged, on_reduced, seen
from wm_lightning.inference.search import AS_USUAL, Search
from wm_lightning.inference.tiles import ALIGN, strips

BYTES_A_PIXEL = 25  # of maps, while a picture is looked at, beside itself: measured at 8 to 24 megapixels


def gigabytes_for(pages: Sequence[Pixels]) -> float:
    """Returns about how much memory it takes to look at the frames or pages of a picture, (H, W, 3) each.

    They are held before and after, all of them; maps are made of one at a time. What a network needs for a tile, some
    hundred megabytes, comes on top.
    """
    largest_page = max(page.shape[0] * page.shape[1] for page in pages)
    return float(BYTES_A_PIXEL * largest_page + 2 * sum(page.nbytes for page in pages)) / 1e9


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

    Raises:
        UserError: The network's answer is infinite, or no numbers.
    """
    height, width = pixels.shape[:2]
    if strength == 0 or (allowed is not None and not allowed.any()):
        return _untouched(pixels)
    large = on_reduced(engine, pixels, search)
    view = View(pixels, large.correction)
    marks, taken, certainty = judged(engine, view, seen(engine, view, search), search, allowed=allowed)
    if large.correction is None and not taken.any():
        return _untouched(pixels)
    where, told = marks.of(taken), [*large.marks, *marks.told(certainty, taken, (height, width))]
    del marks  # at 100 megapixels its maps are half a gigabyte

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
        if not np.isfinite(strip).all():  # corrections that are numbers, one after the other
            raise UserError(NO_NUMBERS)
        changed = pixels[rows] + strip[..., :3] * scale
        # Floats are not rounded: where nothing changes they too stay as they are.
        cleaned[rows] = np.clip(np.rint(changed) if scale > 1 else changed, 0, scale)
        mask[rows] = as_map(strip[..., 3])
    marked = told if allowed is None else [part for one in told for part in _changed_part(one, mask)]
    return Cleaned(cleaned, mask, tuple(sorted(marked, key=lambda mark: -mark.pixels)))


def _untouched(pixels: Pixels) -> Cleaned:
    return Cleaned(pixels.copy(), np.zeros(pixels.shape[:2], np.uint8))


def _changed_part(mark: Mark, mask: npt.NDArray[np.uint8]) -> list[Mark]:
    """Returns the part of a mark that was taken away, by the mask of what was, (H, W); nothing where none was."""
    left, top, right, bottom = mark.box
    rows, columns = np.nonzero(mask[top:bottom, left:right])
    if not rows.size:
        return []
    box = (left + int(columns.min()), top + int(rows.min()), left + int(columns.max()) + 1, top + int(rows.max()) + 1)
    return [mark._replace(box=box, pixels=min(mark.pixels, rows.size))]


def _change(correction: Correction, pixels: Pixels) -> npt.NDArray[np.float32]:
    """Returns what a correction adds to a picture in 0..1, and its mask, (h, w, 4)."""
    return np.concatenate((correction.gain * as_floats(pixels) + correction.offset, correction.mask), axis=-1)
