"""Finds large marks: a network knows marks of some hundred pixels, so larger ones are sought on reduced pictures.

Each mark is taken away on the largest picture on which the network sees it whole, where its edges are known best:
lines and letters on the picture itself however large they are, wide areas of colour on a reduced one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import compress
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.correction import Correction, Floats
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.evidence import certainties
from wm_lightning.inference.marks import BLOCK, SURE, Mark, Marks, find_marks
from wm_lightning.inference.pixels import Pixels, as_floats, as_map
from wm_lightning.inference.repeats import with_repeats
from wm_lightning.inference.search import Search
from wm_lightning.inference.tiles import ALIGN, grid, strips

SMALLEST = 512  # a picture is halved until its longer side is no longer
LARGE = 96  # pixels; a smaller mark on a reduced picture is left to the next scale, where it is twice as large
WHOLE = 0.7  # share of a mark's pixels from which it counts as seen; see docs/performance.md


class View(NamedTuple):
    """A picture of one scale, less what was found on smaller ones.

    Attributes:
        pixels: (H, W, 3).
        known: What was found before, of any size; None for nothing.
    """

    pixels: Pixels
    known: Correction | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.pixels.shape[:2]
        return height, width

    def correction(self, rows: slice, columns: slice) -> Correction:
        """Returns a part of what was found before."""
        if self.known is None:
            return Correction.none(rows.stop - rows.start, columns.stop - columns.start)
        return self.known.enlarged(self.size, rows, columns)

    def tile(self, rows: slice, columns: slice) -> Floats:
        """Returns a part of the picture, less what was found before, in 0..1."""
        picture = as_floats(self.pixels[rows, columns])
        return picture if self.known is None else self.correction(rows, columns).apply(picture)


class Found(NamedTuple):
    """The large marks of a picture.

    Attributes:
        correction: Takes them away, of the size of a reduced picture; None where there are none.
        marks: What they are, in pixels of the picture.
        points: A pixel of each, in shares of the picture's height and width.
    """

    correction: Correction | None = None
    marks: tuple[Mark, ...] = ()
    points: tuple[tuple[float, float], ...] = ()


def on_reduced(engine: Engine, pixels: Pixels, search: Search) -> Found:
    """Finds the large marks of a picture that the network does not see on the picture itself.

    From the smallest scale up, each scale sees what the one before has left.

    Args:
        engine: Runs the network. One that cannot say what to do with an enlarged picture finds nothing here.
        pixels: (H, W, 3).
        search: How.
    """
    height, width = pixels.shape[:2]
    halvings = math.ceil(math.log2(max(height, width, 1) / SMALLEST))
    halvings = halvings if search.scales is None else min(halvings, search.scales - 1)
    if halvings < 1 or not engine.knows_layers:
        return Found()
    found = Found()
    for power in range(halvings, 0, -1):
        size = max(1, round(width / 2**power)), max(1, round(height / 2**power))
        reduced = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        found = _at_scale(engine, reduced, _unseen(engine, reduced, found, search), (height, width), search)
    return _unseen(engine, pixels, found, search)


def seen(engine: Engine, view: View, search: Search) -> npt.NDArray[np.uint8]:
    """Returns how sure the network is that each pixel is marked, (H, W) in 0..255."""

    def work(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        return np.asarray(engine.correct(view.tile(rows, columns)).mask, np.float32)

    mask = np.empty(view.size, np.uint8)
    for rows, strip in strips(work, *view.size, 1, search.tile, search.overlap, ALIGN):
        mask[rows] = as_map(strip[..., 0])
    return mask


def judged(
    engine: Engine,
    view: View,
    mask: npt.NDArray[np.uint8],
    search: Search,
    larger: int = 0,
    allowed: npt.NDArray[np.floating] | None = None,
) -> tuple[Marks, npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Finds the marks of a map and says for which the evidence holds.

    Args:
        engine: Runs the network.
        view: What the map, (H, W) in 0..255, was made of.
        mask: How sure it is that there is a mark.
        search: How much evidence is asked for.
        larger: The longer side above which a mark is looked at, in pixels.
        allowed: Where, and how far, pixels may change, (H, W) in 0..1: marks that have none of them are not looked at.

    Returns:
        The marks, whether each is one, (N,), and how sure it is, (N,).
    """
    marks = find_marks(mask)
    worth = marks.worth_a_look(larger)
    if allowed is not None:
        worth &= marks.touching(allowed > 0)
    marks = marks.only(worth)
    if not worth.any():
        return marks, worth, np.zeros(len(worth))
    least = search.least_certainties(marks.areas / mask.size)
    certainty = certainties(engine, view.tile, marks, search)
    certainty = with_repeats(engine, view.tile, marks, np.where(worth, certainty, 0), least, search)
    return marks, worth & (certainty >= least), certainty


def _at_scale(engine: Engine, pixels: Pixels, before: Found, whole: tuple[int, int], search: Search) -> Found:
    """Finds the large marks of one scale, after those that were found before, in a picture of (H, W) as a whole."""
    view = View(pixels, before.correction)
    height, width = view.size

    def work(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        return np.concatenate(engine.correct(view.tile(rows, columns)).planes, axis=-1)

    # Half precision, since at 100 megapixels this is what takes the memory.
    found = np.empty((height, width, 7), np.float16)
    for rows, strip in strips(work, height, width, 7, search.tile, search.overlap, ALIGN):
        found[rows] = strip
    mask = as_map(found[..., 6])
    marks, taken, certainty = judged(engine, view, mask, search, LARGE)
    found[~marks.of(taken)] = 0
    if before.correction is not None:
        for rows in _blocks(height):
            gain, offset, sure = np.split(found[rows].astype(np.float32), [3, 6], axis=-1)
            known = view.correction(rows, slice(0, width))
            found[rows] = np.concatenate(known.then(Correction(gain, offset, sure)).planes, axis=-1)
    correction = Correction(found[..., :3], found[..., 3:6], found[..., 6:])
    told, points = marks.told(certainty, taken, whole), map(marks.point, np.flatnonzero(taken).tolist())
    return Found(correction, (*before.marks, *told), (*before.points, *points))


def _unseen(engine: Engine, pixels: Pixels, before: Found, search: Search) -> Found:
    """Leaves of what was found on a reduced picture the marks that the network does not see on this one by itself."""
    if before.correction is None or not before.marks:
        return Found()
    view = View(pixels)
    height, width = view.size
    marks = find_marks(as_map(before.correction.mask[..., 0]))
    numbers = marks.numbers()
    marked, again = np.zeros(len(marks.areas)), np.zeros(len(marks.areas))
    for rows, columns in grid(height, width, search.tile, search.overlap, ALIGN):
        # The pixels of the reduced picture on which those of the tile lie.
        down, across = (
            (np.arange(place.start, place.stop) * reduced) // whole
            for place, reduced, whole in zip((rows, columns), numbers.shape, (height, width), strict=True)
        )
        part = numbers[down[:, None], across]
        if part.any():
            found = as_map(engine.correct(view.tile(rows, columns)).mask[..., 0]) >= SURE
            marked += np.bincount(part.ravel(), minlength=len(marked))
            again += np.bincount(part[found], minlength=len(marked))
    kept = again < WHOLE * marked
    where = marks.of(kept)
    if not where.any():
        return Found()
    share = where[..., None]
    correction = Correction(*(np.where(share, part, part.dtype.type(0)) for part in before.correction.planes))
    rows, columns = where.shape
    left = [bool(where[int(down * rows), int(across * columns)]) for down, across in before.points]
    return Found(correction, tuple(compress(before.marks, left)), tuple(compress(before.points, left)))


def _blocks(height: int) -> Iterator[slice]:
    return (slice(top, min(top + BLOCK, height)) for top in range(0, height, BLOCK))
