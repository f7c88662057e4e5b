"""What is measured of a mark: how sure the network is, what is at its border and beneath it, what others there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.copies import OnCopy, seen_again
from wm_lightning.inference.correction import Floats
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import Marks
from wm_lightning.inference.search import Search
from wm_lightning.inference.tiles import ALIGN, grid

Tile = Callable[[slice, slice], Floats]  # rows and columns to a part of a picture, (h, w, 3) in 0..1

CERTAIN = 0.9  # from which a network is certain of a pixel
LEAST_MASK = 0.1  # by which a correction is divided, at least
NEAR, FAR = 2, 4  # pixels from a mark, between which lies what is around it
SIGHT = 96  # pixels around a mark that a network answers by; what lies further changes a trait by 0.003 at most
UNKNOWN = {"texture": -3.0, "edge": -2.0}  # where a mark has no border: no better than a clear one on an even scene
LITTLE = 0.003  # is added before logarithms: less than a level of 8 bits


class Traits(NamedTuple):
    """What is measured of each mark, (N,).

    Attributes:
        seen: How sure the network is, 0..1: of the picture itself, or the mean over it and its copies.
        certain: Share of its pixels that the network is certain of.
        texture: The logarithm of how much steeper the scene is around it than along its border.
        edge: The logarithm of how steep the picture is along its border, in shares of the whole range a pixel.
        painted: How much of its pixels is painted anew, 0..1, in place of what shines through.
        change: The logarithm of how much its pixels change, in 0..1.
        beneath: The standard deviation of what is left in its core once it is taken away; 1 is the whole range.
        other: How sure the network is of the surest other mark of the picture itself, 0..1: people's marks are alone,
            and where there is much that looks like one, none may be.
        recognised: How much the network's features speak for it, in log-odds; None of a network that does not say.
    """

    seen: npt.NDArray[np.float64]
    certain: npt.NDArray[np.float64]
    texture: npt.NDArray[np.float64]
    edge: npt.NDArray[np.float64]
    painted: npt.NDArray[np.float64]
    change: npt.NDArray[np.float64]
    beneath: npt.NDArray[np.float64]
    other: npt.NDArray[np.float64]
    recognised: npt.NDArray[np.float64] | None = None


def measure(engine: Engine, tile: Tile, marks: Marks, search: Search) -> Traits:
    """Measures the traits of each mark on the picture itself.

    Args:
        engine: Runs the network.
        tile: Returns a part of the picture for its rows and columns.
        marks: Those that are to be judged, of a map of the picture's size.
        search: Has the tiles' size.
    """
    count = len(marks.areas)
    sums = defaultdict[str, npt.NDArray[np.float64]](lambda: np.zeros(count))
    for rows, columns in _windows(marks.sure, search):
        regions = _regions(marks.labels[rows, columns], marks.sure[rows, columns].astype(np.uint8))
        for region, name, values in _measured(engine, tile(rows, columns)):
            sums[name] += np.bincount(regions[region].ravel(), weights=values.ravel(), minlength=count)
    return _traits(sums)


def seen_on_copy(
    engine: Engine, on_copy: OnCopy, tile: Tile, marks: Marks, chosen: npt.NDArray[np.bool_], search: Search
) -> npt.NDArray[np.float64]:
    """Returns how sure the network is of the chosen marks, (N,) bool, on a copy of the picture: (N,) in 0..1.

    The other arguments are as of :func:`measure`; it is 0 for marks that were not chosen.
    """
    sums, pixels = np.zeros(len(chosen)), np.zeros(len(chosen))
    sure = marks.sure & marks.of(chosen)
    for rows, columns in _windows(sure, search):
        part = (marks.labels[rows, columns] * sure[rows, columns]).ravel()
        pixels += np.bincount(part, minlength=len(chosen))
        seen = seen_again(engine, on_copy, tile(rows, columns))
        sums += np.bincount(part, weights=seen.ravel(), minlength=len(chosen))
    return np.where(chosen, sums / np.maximum(pixels, 1), 0.0)


def _windows(sure: npt.NDArray[np.bool_], search: Search) -> Iterator[tuple[slice, slice]]:
    """Yields rows and columns of what has to be seen of each tile: its marked pixels, and what is around them."""
    height, width = sure.shape
    for rows, columns in grid(height, width, search.tile, search.overlap, ALIGN):
        part = sure[rows, columns]
        if part.any():
            marked = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
            down, across = (slice(int(places[0]), int(places[-1]) + 1) for places in marked)
            yield in_sight(rows, down), in_sight(columns, across)


def in_sight(side: slice, inner: slice) -> slice:
    """Returns what of a side lies near a part of it, which counts from its start; it starts where networks pool."""
    start = side.start + max(0, inner.start - SIGHT) // ALIGN * ALIGN
    return slice(start, min(side.stop, side.start + inner.stop + SIGHT))


def _regions(labels: npt.NDArray[np.int32], sure: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.int32]]:
    """Returns the numbers of the marks whose inside, core, border or surroundings a pixel belongs to, (h, w) each."""

    def grown(pixels: int) -> npt.NDArray[np.uint8]:
        return np.asarray(cv2.dilate(sure, np.ones((2 * pixels + 1,) * 2, np.uint8)))

    core = np.asarray(cv2.erode(sure, np.ones((3, 3), np.uint8)))
    return {
        "inside": labels * sure,
        "core": labels * core,
        "border": labels * (grown(1) - core),
        "around": labels * (grown(FAR) - grown(NEAR)),
    }


def _measured(engine: Engine, picture: Floats) -> Iterator[tuple[str, str, Floats]]:
    """Yields regions, names and values, (h, w), of what is added up over the tiles of a picture (h, w, 3)."""
    correction = engine.correct(np.ascontiguousarray(picture))
    mask, ones, slope = correction.mask[..., 0], np.ones(picture.shape[:2], np.float32), _slope(picture)
    yield "inside", "pixels", ones
    yield "inside", "seen", mask
    yield "inside", "certain", mask > CERTAIN
    if correction.recognition is not None:
        yield "inside", "recognised", correction.recognition[..., 0]
    yield "inside", "painted", np.maximum(-correction.gain.mean(axis=-1), 0) / np.maximum(mask, LEAST_MASK)
    changed = correction.unclipped(picture)
    yield "inside", "change", np.abs(np.clip(changed, 0, 1) - picture).max(axis=-1)
    rest = changed.mean(axis=-1)
    yield "core", "core", ones
    yield "core", "rest", rest
    yield "core", "squares", rest**2
    yield "border", "border", ones
    yield "border", "edge", slope
    yield "around", "around", ones
    yield "around", "slope", slope


def _slope(picture: Floats) -> Floats:
    """Returns how steep the brightness of a picture (h, w, 3) is, (h, w), in its own units a pixel."""
    grey = np.ascontiguousarray(picture.mean(axis=-1), dtype=np.float32)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *way, ksize=3) for way in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(across, down) / 8)


def _traits(sums: Mapping[str, npt.NDArray[np.float64]]) -> Traits:
    """Makes means, and traits, of sums over tiles."""

    def mean(name: str, region: str) -> npt.NDArray[np.float64]:
        return sums[name] / np.maximum(sums[region], 1)

    edge, slope = np.log(mean("edge", "border") + LITTLE), np.log(mean("slope", "around") + LITTLE)
    known = (sums["border"] > 0) & (sums["around"] > 0)
    variance, seen = mean("squares", "core") - mean("rest", "core") ** 2, mean("seen", "pixels")
    return Traits(
        seen=seen,
        certain=mean("certain", "pixels"),
        texture=np.where(known, slope - edge, UNKNOWN["texture"]),
        edge=np.where(known, edge, UNKNOWN["edge"]),
        painted=mean("painted", "pixels"),
        change=np.log(mean("change", "pixels") + LITTLE),
        beneath=np.sqrt(np.maximum(variance, 0)),
        other=_surest_other(seen),
        recognised=mean("recognised", "pixels") if "recognised" in sums else None,
    )


def _surest_other(seen: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns for each of some shares, (N,), the greatest of the others; 0 where there is none."""
    second, first = np.sort(np.append(seen, 0.0))[-2:]
    return np.asarray(np.where(np.arange(len(seen)) == seen.argmax(), second, first))
