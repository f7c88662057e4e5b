"""Layers to one layer, and on a photograph; deterministic, in whole grey levels."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.data.synthesis.render import Layer, Picture, split


class Overlay:
    """All the marks of a view as one layer that is as large as the picture.

    Attributes:
        alpha: (H, W, 3) uint8.
        colour: (H, W, 3) uint8, premultiplied, see :class:`~wm_lightning.data.synthesis.render.Layer`.
    """

    def __init__(self, height: int, width: int) -> None:
        self.alpha = np.zeros((height, width, 3), dtype=np.uint8)
        self.colour = np.zeros((height, width, 3), dtype=np.uint8)
        self._covered = np.zeros((height, width), dtype=bool)
        self._count = 0  # of covered pixels

    @property
    def coverage(self) -> float:
        """Share of the pixels under marks."""
        return self._count / self._covered.size

    def put(self, layer: Layer, most: float = 1.0) -> bool:
        """Puts a layer on top of what is there, unless :attr:`coverage` would then pass ``most``; tells which."""
        if not layer.alpha.size:
            return True
        height, width = layer.alpha.shape[:2]
        box = slice(layer.top, layer.top + height), slice(layer.left, layer.left + width)
        below = self._covered[box]
        both = below | (_highest(layer.alpha) > 0)
        before = np.count_nonzero(below)
        count = self._count + np.count_nonzero(both) - before
        if count > most * self._covered.size:
            return False
        self._covered[box], self._count = both, count
        if not before:  # nothing to mix with
            self.alpha[box], self.colour[box] = layer.alpha, layer.colour
            return True
        through = cv2.bitwise_not(layer.alpha)
        for mine, added in ((self.alpha[box], layer.alpha), (self.colour[box], layer.colour)):
            mine[...] = cv2.add(cv2.multiply(mine, through, scale=1 / 255), added)
        return True

    def on(self, photograph: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Returns ``(1 - alpha) * photograph + colour``, rounded to whole levels."""
        through = cv2.bitwise_not(self.alpha)
        return np.asarray(cv2.add(cv2.multiply(photograph, through, scale=1 / 255), self.colour), dtype=np.uint8)


def changed(before: Picture, after: Picture, threshold: int = 0) -> npt.NDArray[np.bool_]:
    """Returns where any channel differs by more than ``threshold`` grey levels, (H, W)."""
    different: npt.NDArray[np.bool_] = _highest(np.asarray(cv2.absdiff(before, after), dtype=np.uint8)) > threshold
    return different


def _highest(picture: Picture) -> Picture:
    """Returns each pixel's largest channel; faster than NumPy's maximum over a last axis of three."""
    red, green, blue = split(picture)
    return np.asarray(cv2.max(cv2.max(red, green), blue), dtype=np.uint8)
