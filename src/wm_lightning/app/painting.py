"""What was painted over a preview: where a picture may change."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.remover import as_allowed

PAINT = (47, 123, 255)
OPACITY = 0.5  # of the paint, so that what lies below can be seen
FULL = int(255 * OPACITY)  # what an editor makes of it, or one more


class Painting(NamedTuple):
    """What was painted.

    Attributes:
        paint: How far a pixel is painted, (h, w) uint8, of any size that has the picture's proportions.
        protects: Painted pixels stay as they are; otherwise only those may change.
    """

    paint: npt.NDArray[np.uint8]
    protects: bool = False

    def allowed(self, size: tuple[int, int]) -> npt.NDArray[np.float32] | None:
        """Returns where pixels of a picture may change, (H, W) in 0..1; None, for everywhere, if nothing is painted."""
        mask = self.mask(size)
        return None if mask is None else as_allowed(mask, size)

    def mask(self, size: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
        """Returns the same as a picture for ``predict.py --mask``, (H, W): white where pixels may change."""
        if not self.paint.any():
            return None
        height, width = size
        # The border of the paint is as soft as the picture is larger than its preview.
        mask = cv2.resize(self.paint, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(255 - mask if self.protects else mask, dtype=np.uint8)


def from_layers(layers: list[npt.NDArray[np.uint8]], protects: bool) -> Painting | None:
    """Reads the paint of an editor's layers, each (h, w, 4) uint8; None where there are none."""
    if not layers:
        return None
    opacity = np.maximum.reduce([layer[..., 3] for layer in layers]).astype(np.float32)
    return Painting(np.rint(np.minimum(opacity / FULL, 1) * 255).astype(np.uint8), protects)
