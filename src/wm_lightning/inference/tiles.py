"""Works through a picture in tiles that overlap, in memory that does not grow with its height."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

ALIGN = 64  # pixels; every network's multiple divides it


def cut(length: int, tile: int, overlap: int, align: int = 1) -> list[slice]:
    """Returns the places of tiles along one side, as equal as they can be.

    Args:
        length: Of the side, in pixels.
        tile: The longest tile, in pixels.
        overlap: Of neighbours, in pixels; at most a third of ``tile``.
        align: Tiles start at multiples of it, in pixels; at most ``tile`` less ``overlap``. A network that pools
            answers otherwise where its grid lies otherwise.
    """
    count = max(1, -(-(length - overlap) // ((tile - overlap) // align * align)))
    step = max(1, -(-(length - overlap) // (count * align))) * align
    starts = [0, *range(step, length - overlap, step)]
    return [slice(start, min(start + step + overlap, length)) for start in starts]


def grid(height: int, width: int, tile: int, overlap: int, align: int = 1) -> list[tuple[slice, slice]]:
    """Returns rows and columns of the tiles of a picture, from its top left; arguments as of :func:`cut`."""
    return list(product(cut(height, tile, overlap, align), cut(width, tile, overlap, align)))


def fade(place: slice, length: int, overlap: int) -> npt.NDArray[np.float32]:
    """Returns a tile's weights along one side; those of neighbours add up to 1.

    The outer quarter of an overlap weighs nothing: a network sees least beyond its tile there.
    """
    ramp = np.clip((np.arange(overlap) + 0.5 - overlap / 4) / (overlap / 2), 0, 1).astype(np.float32)
    weights = np.ones(place.stop - place.start, np.float32)
    if place.start > 0:
        weights[:overlap] = ramp
    if place.stop < length:
        weights[-overlap:] = ramp[::-1]
    return weights


def strips(
    work: Callable[[slice, slice], Floats],
    height: int,
    width: int,
    channels: int,
    tile: int,
    overlap: int,
    align: int = 1,
) -> Iterator[tuple[slice, Floats]]:
    """Works on a picture tile by tile, and hands out finished strips from top to bottom.

    Args:
        work: Returns (h, w, channels) for rows and columns.
        height: Of the picture.
        width: Likewise.
        channels: Of what ``work`` returns.
        tile: The longest side of a tile, in pixels.
        overlap: In pixels.
        align: As for :func:`cut`.

    Yields:
        Rows, and what belongs there, (h, width, channels).
    """
    columns = cut(width, tile, overlap, align)
    carried = np.zeros((0, width, channels), np.float32)
    for rows in cut(height, tile, overlap, align):
        strip = np.zeros((rows.stop - rows.start, width, channels), np.float32)
        for across in columns:
            strip[:, across] += work(rows, across) * fade(across, width, overlap)[:, None]
        strip *= fade(rows, height, overlap)[:, None, None]
        strip[: len(carried)] += carried
        done = len(strip) if rows.stop == height else len(strip) - overlap
        yield slice(rows.start, rows.start + done), strip[:done]
        carried = strip[done:]
