"""Augmentation of clean photographs, before any watermark is drawn on them.

What happens here becomes part of the photograph: both watermarked views and the clean target share it, so a model is
never asked to undo it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeAlias

import albumentations as A
import cv2
import numpy as np

from wm_lightning.data.sources import Photograph

Transform: TypeAlias = "A.BasicTransform | A.BaseCompose"


class Augmentation:
    """Lists of Albumentations transforms that draw from a generator given at each call.

    Each turns one (H, W, 3) uint8 picture into another; both lists are applied in order.

    Args:
        before_crop: See the whole photograph: what moves or scales it.
        after_crop: See the crop alone, which saves the work on the rest: changes of colour, noise.
    """

    def __init__(self, before_crop: Sequence[Transform] = (), after_crop: Sequence[Transform] = ()) -> None:
        self._before = A.Compose(list(before_crop)) if before_crop else None
        self._after = A.Compose(list(after_crop)) if after_crop else None

    def __call__(self, photograph: Photograph, size: int, generator: np.random.Generator) -> Photograph:
        """Returns an augmented random crop, (size, size, 3) uint8; equal generators give equal pictures."""
        out = _applied(self._before, enlarge_to(photograph, size), generator)
        return _applied(self._after, crop(out, size, generator), generator)


def _applied(transforms: A.Compose | None, photograph: Photograph, generator: np.random.Generator) -> Photograph:
    if transforms is None:
        return photograph
    transforms.set_random_state(generator, random.Random(int(generator.integers(2**63))))
    out: Photograph = transforms(image=photograph)["image"]
    return out


def enlarge_to(photograph: Photograph, size: int) -> Photograph:
    """Scales a picture up, its proportions kept, until no side is shorter than ``size`` pixels."""
    height, width = photograph.shape[:2]
    if min(height, width) >= size:
        return photograph
    scale = size / min(height, width)
    wanted = (max(size, round(width * scale)), max(size, round(height * scale)))
    return np.asarray(cv2.resize(photograph, wanted, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def crop(photograph: Photograph, size: int, generator: np.random.Generator | None = None) -> Photograph:
    """Cuts out a square of ``size`` pixels: a random one, or the middle without a generator.

    A picture that is too small is scaled up first.
    """
    photograph = enlarge_to(photograph, size)
    spare_rows, spare_columns = photograph.shape[0] - size, photograph.shape[1] - size
    if generator is None:
        top, left = spare_rows // 2, spare_columns // 2
    else:
        top, left = int(generator.integers(spare_rows + 1)), int(generator.integers(spare_columns + 1))
    # A copy, since the photograph may be a cache's, which must not be written to.
    cut: Photograph = photograph[top : top + size, left : left + size].copy()
    return cut
