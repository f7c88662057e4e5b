"""Finds large marks: a network knows marks of some hundred pixels, so larger ones are sought on reduced pictures.

Each mark is taken away on the largest picture on which the network sees it whole, where its edges are known best:
lines and letters on the picture itself however large they are, wide areas of colour on a reduced one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.correction import Correction, Floats
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pixels import Pixels, as_floats
from wm_lightning.inference.tiles import ALIGN, cut, strips

SMALLEST = 512  # a picture is halved until its longer side is no longer
LARGE = 96  # pixels; a smaller mark on a reduced picture is left to the next scale, where it is twice as large
GAP = 6  # pixels that may lie between the letters of one mark
SURE = 0.5  # probability from which a pixel counts as marked
WHOLE = 0.7  # share of a mark's pixels from which it counts as seen; see docs/performance.md
BLOCK = 256  # rows that are worked on at once


def on_reduced(engine: Engine, pixels: Pixels, tile: int, overlap: int) -> Correction | None:
    """Finds the large marks of a picture that the network does not see on the picture itself.

    From the smallest scale up, each scale sees what the one before has left.

    Args:
        engine: Runs the network.
        pixels: (H, W, 3).
        tile: The longest side of a tile, in pixels.
        overlap: Of tiles, in pixels.

    Returns:
        For the picture of half the size; None where there are none, and where a network cannot say what to do with an
        enlarged picture.
    """
    height, width = pixels.shape[:2]
    halvings = math.ceil(math.log2(max(height, width, 1) / SMALLEST))
    if halvings < 1 or not engine.knows_layers:
        return None
    found = None
    for power in range(halvings, 0, -1):
        size = max(1, round(width / 2**power)), max(1, round(height / 2**power))
        reduced = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        found = _at_scale(engine, reduced, _unseen(engine, reduced, found, tile, overlap), tile, overlap)
    return _unseen(engine, pixels, found, tile, overlap)


def _at_scale(engine: Engine, pixels: Pixels, before: Correction | None, tile: int, overlap: int) -> Correction:
    """Finds the large marks of one scale, after those that were found before."""
    height, width = pixels.shape[:2]

    def known(rows: slice, columns: slice) -> Correction:
        if before is None:
            return Correction.none(rows.stop - rows.start, columns.stop - columns.start)
        return before.enlarged((height, width), rows, columns)

    def work(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        return np.concatenate(engine.correct(known(rows, columns).apply(as_floats(pixels[rows, columns]))), axis=-1)

    # Half precision, since at 100 megapixels this is what takes the memory.
    found = np.empty((height, width, 7), np.float16)
    for rows, strip in strips(work, height, width, 7, tile, overlap, ALIGN):
        found[rows] = strip
    _, labels, sides = _marks(found[..., 6])
    large = sides > LARGE
    large[0] = False  # what is no mark
    found[~large[labels]] = 0
    if before is not None:
        for rows in _blocks(height):
            gain, offset, mask = np.split(found[rows].astype(np.float32), [3, 6], axis=-1)
            found[rows] = np.concatenate(known(rows, slice(0, width)).then(Correction(gain, offset, mask)), axis=-1)
    return Correction(found[..., :3], found[..., 3:6], found[..., 6:])


def _unseen(engine: Engine, pixels: Pixels, before: Correction | None, tile: int, overlap: int) -> Correction | None:
    """Leaves of what was found on a reduced picture the marks that the network does not see on this one by itself."""
    if before is None or not before.mask.any():
        return None
    height, width = pixels.shape[:2]
    sure, labels, sides = _marks(before.mask[..., 0])
    numbers = labels * sure
    marked, seen = np.zeros(len(sides)), np.zeros(len(sides))
    for rows in cut(height, tile, overlap, ALIGN):
        for columns in cut(width, tile, overlap, ALIGN):
            # The pixels of the reduced picture on which those of the tile lie.
            down, across = (
                (np.arange(place.start, place.stop) * reduced) // whole
                for place, reduced, whole in zip((rows, columns), numbers.shape, (height, width), strict=True)
            )
            part = numbers[down[:, None], across]
            if part.any():
                found = engine.correct(as_floats(pixels[rows, columns])).mask[..., 0] > SURE
                marked += np.bincount(part.ravel(), minlength=len(sides))
                seen += np.bincount(part[found], minlength=len(sides))
    kept = seen < WHOLE * marked
    if not kept[1:].any():
        return None
    share = kept[labels][..., None] & (labels > 0)[..., None]
    return Correction(*(np.where(share, part, part.dtype.type(0)) for part in before))


def _marks(mask: Floats) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Returns sure pixels (H, W), a number for each mark where it is, with a margin (H, W), and marks' longer sides."""
    sure = (mask > SURE).astype(np.uint8)
    joined = cv2.dilate(sure, np.ones((2 * GAP + 1, 2 * GAP + 1), np.uint8))
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(joined)
    sides = statistics[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) - 2 * GAP
    return sure, np.asarray(labels), np.asarray(sides)


def _blocks(height: int) -> Iterator[slice]:
    return (slice(top, min(top + BLOCK, height)) for top in range(0, height, BLOCK))
