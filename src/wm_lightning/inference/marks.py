"""Marks as wholes: groups of pixels that belong together, each judged as one."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

SURE = 128  # of 255, from which a pixel counts as marked
GAP = 6  # pixels around a mark that belong to it: marks are one where these touch. At least as many as traits.FAR
SPECK = 12  # pixels; fewer are no mark
BLOCK = 256  # rows that are worked on at once


class Mark(NamedTuple):
    """A mark that was found.

    Attributes:
        box: Left, top, right, bottom in pixels of the picture; right and bottom are just outside.
        certainty: How sure it is that this is a mark, 0..1; see :mod:`wm_lightning.inference.evidence`.
        pixels: How many pixels of the picture it covers.
        known: It was told what it looks like, and not found by the network.
    """

    box: tuple[int, int, int, int]
    certainty: float
    pixels: int
    known: bool = False


class Marks(NamedTuple):
    """The marks of a map; number 0 is what is no mark.

    Attributes:
        sure: Whether a pixel is marked, (H, W) bool.
        labels: The number of a pixel's mark, with a margin around it, (H, W).
        boxes: Left, top, width and height of each, without its margin, (N, 4).
        areas: Marked pixels of each, (N,); 0 of number 0.
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

    def worth_a_look(self, larger: int = 0) -> npt.NDArray[np.bool_]:
        """Returns which are more than a speck, and whose longer side is above ``larger`` pixels, (N,)."""
        worth: npt.NDArray[np.bool_] = (self.areas >= SPECK) & (self.sides > larger)
        worth[0] = False
        return worth

    def only(self, chosen: npt.NDArray[np.bool_]) -> Marks:
        """Returns the same without the pixels of marks that are not chosen; numbers stay, (N,)."""
        return self._replace(sure=self.sure & chosen[self.labels])

    def of(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Returns where some marks are, with their margins, (H, W); ``chosen`` is (N,)."""
        among = chosen.copy()
        among[0] = False
        where: npt.NDArray[np.bool_] = among[self.labels]
        return where

    def touching(self, where: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Returns which marks have a marked pixel in a part of the map, (H, W): (N,)."""
        return _counted(self.labels, self.sure & where, len(self.areas)) > 0

    def told(
        self, certainties: npt.NDArray[np.floating], chosen: npt.NDArray[np.bool_], size: tuple[int, int]
    ) -> list[Mark]:
        """Describes some marks, in pixels of a picture of another height and width."""
        down, across = (whole / side for whole, side in zip(size, self.labels.shape, strict=True))
        told = []
        for number in np.flatnonzero(chosen):
            left, top, width, height = (int(value) for value in self.boxes[number])
            box = (
                *(int(left * across), int(top * down)),
                *(min(size[1], math.ceil((left + width) * across)), min(size[0], math.ceil((top + height) * down))),
            )
            pixels = round(down * across * int(self.areas[number]))
            told.append(Mark(box, float(certainties[number]), pixels))
        return told

    def point(self, number: int) -> tuple[float, float]:
        """Returns a marked pixel of a mark, in shares of the map's height and width."""
        left, top, width, height = (int(value) for value in self.boxes[number])
        part = slice(top, top + height), slice(left, left + width)
        row, column = np.argwhere((self.labels[part] == number) & self.sure[part])[0]
        return (top + row + 0.5) / self.labels.shape[0], (left + column + 0.5) / self.labels.shape[1]


def find_marks(mask: npt.NDArray[np.uint8]) -> Marks:
    """Groups the pixels of a map of how sure it is that there is a mark, (H, W) in 0..255."""
    sure = mask >= SURE
    if not sure.any():
        none = np.zeros(1, np.int64)
        return Marks(sure, np.zeros(mask.shape, np.int32), np.zeros((1, 4), np.int32), none)
    # A margin around the map, so that a mark at its edge too is as much smaller than its group as any other.
    padded = cv2.copyMakeBorder(sure.astype(np.uint8), *4 * (GAP,), cv2.BORDER_CONSTANT)
    joined = cv2.dilate(padded, np.ones((2 * GAP + 1, 2 * GAP + 1), np.uint8))
    count, found, groups, _ = cv2.connectedComponentsWithStats(joined)
    height, width = mask.shape
    labels = np.asarray(found, np.int32)[GAP : GAP + height, GAP : GAP + width]
    boxes = np.asarray(groups[:, :4], np.int32) - (0, 0, 2 * GAP, 2 * GAP)
    boxes[0] = 0
    return Marks(sure, labels, boxes, _counted(labels, sure, count))


def _counted(labels: npt.NDArray[np.int32], where: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.int64]:
    """Returns how many pixels of each number are in a part of a map, (N,); of number 0, none."""
    counted = np.zeros(count, np.int64)
    for top in range(0, len(labels), BLOCK):  # of a large map, never everything at once
        rows = slice(top, top + BLOCK)
        counted += np.bincount(labels[rows][where[rows]], minlength=count)
    counted[0] = 0
    return counted
