"""Which of the changed pixels belong to which mark."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from wm_lightning.inference.marks import Mark


def belonging(marks: Sequence[Mark], chosen: Collection[int], changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Returns which of the changed pixels, (H, W), belong to the chosen marks.

    A mark's rim lies outside its box, the wider the smaller the picture on which it was found. So each pixel belongs to
    the nearest box, and within several of them to the smallest.
    """
    rows, columns = np.nonzero(changed)
    nearest = np.full(len(rows), np.iinfo(np.int64).max)
    given = np.zeros(len(rows), np.bool_)
    for number in sorted(range(len(marks)), key=lambda number: -_area(marks[number].box)):
        left, top, right, bottom = marks[number].box
        away = np.maximum.reduce((left - columns, columns - right + 1, top - rows, rows - bottom + 1)).clip(0)
        closer = away <= nearest
        nearest[closer], given[closer] = away[closer], number in chosen
    where = np.zeros(changed.shape, np.bool_)
    where[rows, columns] = given
    return where


def _area(box: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
