"""Finds large marks: a network knows marks of some hundred pixels, so larger ones are sought on reduced pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pixels import Pixels, largest
from wm_lightning.inference.tiles import ALIGN, strips

SMALLEST = 512  # a picture is halved until its longer side is no longer
LARGE = 96  # pixels; a smaller mark on a reduced picture is left to the next scale, where it is twice as large
GAP = 6  # pixels that may lie between the letters of one mark
SURE = 0.5  # probability from which a pixel counts as marked
BLOCK = 256  # rows that are worked on at once


def on_reduced(engine: Engine, pixels: Pixels, tile: int, overlap: int) -> Correction | None:
    """Finds the large marks of a picture, from the smallest scale up; each scale sees what the one before has left.

    Args:
        engine: Runs the network.
        pixels: (H, W, 3).
        tile: The longest side of a tile, in pixels.
        overlap: Of tiles, in pixels.

    Returns:
        For the picture of half the size; None where it is small, or where a network cannot say what to do with an
        enlarged picture.
    """
    height, width = pixels.shape[:2]
    halvings = math.ceil(math.log2(max(height, width, 1) / SMALLEST))
    if halvings < 1 or not engine.knows_layers:
        return None
    before = None
    for power in range(halvings, 0, -1):
        size = max(1, round(width / 2**power)), max(1, round(height / 2**power))
        reduced = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        before = _at_scale(engine, reduced, before, tile, overlap)
    return before


def _at_scale(engine: Engine, pixels: Pixels, before: Correction | None, tile: int, overlap: int) -> Correction:
    height, width = pixels.shape[:2]
    scale = largest(pixels)

    def known(rows: slice, columns: slice) -> Correction:
        if before is None:
            return Correction.none(rows.stop - rows.start, columns.stop - columns.start)
        return before.enlarged((height, width), rows, columns)

    def work(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        picture = pixels[rows, columns].astype(np.float32) / np.float32(scale)
        return np.concatenate(engine.correct(known(rows, columns).apply(picture)), axis=-1)

    # Half precision, since at 100 megapixels this is what takes the memory.
    found = np.empty((height, width, 7), np.float16)
    for rows, strip in strips(work, height, width, 7, tile, overlap, ALIGN):
        found[rows] = strip
    found *= _large(found[..., 6])[..., None]
    for rows in _blocks(height):
        gain, offset, mask = np.split(found[rows].astype(np.float32), [3, 6], axis=-1)
        found[rows] = np.concatenate(known(rows, slice(0, width)).then(Correction(gain, offset, mask)), axis=-1)
    return Correction(found[..., :3], found[..., 3:6], found[..., 6:])


def _large(mask: npt.NDArray[np.float16]) -> npt.NDArray[np.bool_]:
    """Returns where large marks are, with a margin, from a mask of (H, W) in 0..1."""
    sure = (mask > SURE).astype(np.uint8)
    joined = cv2.dilate(sure, np.ones((2 * GAP + 1, 2 * GAP + 1), np.uint8))
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(joined)
    sides = statistics[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) - 2 * GAP
    large = sides > LARGE
    large[0] = False  # what is no mark
    return np.asarray(large[labels], dtype=np.bool_)


def _blocks(height: int) -> Iterator[slice]:
    return (slice(top, min(top + BLOCK, height)) for top in range(0, height, BLOCK))
