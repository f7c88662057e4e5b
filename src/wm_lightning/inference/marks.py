"""Marks as wholes: groups of pixels that belong together, each judged as one."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

SURE = 128  # of 255, from which a pixel counts as marked
GAP = 6  # pixels that may lie between the letters of one mark
SPECK = 12  # pixels; fewer are no mark


class Mark(NamedTuple):
    """A mark that was found.

    Attributes:
        box: Left, top, right, bottom in pixels of the picture; right and bottom are just outside.
        certainty: How sure it is that this is a mark, 0..1; see :mod:`wm_lightning.inference.evidence`.
        pixels: How many pixels of the picture it covers.
    """

    box: tuple[int, int, int, int]
    certainty: float
    pixels: int


class Marks(NamedTuple):
    """The marks of a map; number 0 is what is no mark.

    Attributes:
        sure: Whether a pixel is marked, (H, W) bool.
        labels: The number of a pixel's mark, with a margin around it, (H, W).
        boxes: Left, top, width and height of each, without its margin, (N, 4).
        areas: Marked pixels of each, (N,).
    """

    sure: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int32]
    areas: npt.NDArray[np.int64]

    @property
    def sides(self) -> npt.NDArray[np.int32]:
        """The longer side of each, in pixels."""
        sides: npt.NDArray[np.int32] = self.boxes[:, 2:].max(axis=1)
        return sides

    def numbers(self) -> npt.NDArray[np.int32]:
        """Returns the number of a pixel's mark where it is marked, 0 elsewhere, (H, W)."""
        return self.labels * self.sure

    def of(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Returns where some marks are, with their margins, (H, W); ``chosen`` is (N,)."""
        among = chosen.copy()
        among[0] = False
        where: npt.NDArray[np.bool_] = among[self.labels]
        return where

    def told(self, certainties: npt.NDArray[np.floating], chosen: npt.NDArray[np.bool_], scale: float) -> list[Mark]:
        """Describes some marks, in pixels of a picture that is ``scale`` times as large as the map."""
        told = []
        for number in np.flatnonzero(chosen):
            left, top, width, height = (int(value) for value in self.boxes[number])
            box = tuple(round(scale * value) for value in (left, top, left + width, top + height))
            told.append(Mark(box, float(certainties[number]), round(scale**2 * int(self.areas[number]))))  # type: ignore[arg-type]  # four
        return told


def find_marks(mask: npt.NDArray[np.uint8]) -> Marks:
    """Groups the pixels of a map of how sure it is that there is a mark, (H, W) in 0..255."""
    sure = mask >= SURE
    joined = cv2.dilate(sure.astype(np.uint8), np.ones((2 * GAP + 1, 2 * GAP + 1), np.uint8))
    count, found = cv2.connectedComponents(joined)
    labels = np.asarray(found, np.int32)
    numbers = labels * sure
    areas = np.bincount(numbers.ravel(), minlength=count)
    rows, columns = np.nonzero(numbers)
    places_of = numbers[rows, columns]
    (left, right), (top, bottom) = (_reach(places_of, places, count) for places in (columns, rows))
    boxes = np.stack((left, top, right - left, bottom - top), axis=1)
    return Marks(sure, labels, boxes, areas)


def _reach(
    numbers: npt.NDArray[np.int32], places: npt.NDArray[np.intp], count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Returns where each number's places begin and where they end; 0 and 0 for those that have none."""
    begin, end = np.full(count, np.iinfo(np.int32).max, np.int32), np.zeros(count, np.int32)
    np.minimum.at(begin, numbers, places.astype(np.int32))
    np.maximum.at(end, numbers, places.astype(np.int32) + 1)
    return np.where(end == 0, 0, begin), end
