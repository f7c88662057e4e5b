"""Layers to one layer, and on a photograph; deterministic, in whole grey levels."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from wm_lightning.data.synthesis.render import Layer, Plane


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

    @property
    def coverage(self) -> float:
        """Share of the pixels under marks."""
        return float(np.count_nonzero(self._covered)) / self._covered.size

    def put(self, layer: Layer, most: float = 1.0) -> bool:
        """Puts a layer on top of what is there, unless :attr:`coverage` would then pass ``most``; tells which."""
        if not layer.alpha.size:
            return True
        height, width = layer.alpha.shape[:2]
        box = slice(layer.top, layer.top + height), slice(layer.left, layer.left + width)
        covered = _highest(layer.alpha) > 0
        added = np.count_nonzero(covered & ~self._covered[box])
        if np.count_nonzero(self._covered) + added > most * self._covered.size:
            return False
        self._covered[box] |= covered
        through = cv2.bitwise_not(layer.alpha)
        alpha, colour = self.alpha[box], self.colour[box]
        alpha[...] = cv2.add(cv2.multiply(alpha, through, scale=1 / 255), layer.alpha)
        colour[...] = cv2.add(cv2.multiply(colour, through, scale=1 / 255), layer.colour)
        return True

    def on(self, photograph: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Returns ``(1 - alpha) * photograph + colour``, rounded to whole levels."""
        through = cv2.bitwise_not(self.alpha)
        return np.asarray(cv2.add(cv2.multiply(photograph, through, scale=1 / 255), self.colour), dtype=np.uint8)


def changed(before: Plane, after: Plane, threshold: int = 0) -> npt.NDArray[np.bool_]:
    """Returns where any channel differs by more than ``threshold`` grey levels, (H, W)."""
    different: npt.NDArray[np.bool_] = _highest(cv2.absdiff(before, after)) > threshold
    return different


def _highest(picture: MatLike) -> npt.NDArray[np.uint8]:
    """Returns each pixel's largest channel; faster than NumPy's maximum over a last axis of three."""
    red, green, blue = cv2.split(picture)
    return np.asarray(cv2.max(cv2.max(red, green), blue), dtype=np.uint8)
