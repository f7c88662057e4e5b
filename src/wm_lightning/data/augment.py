"""Augmentation and crops: of clean photographs before a watermark is drawn on them, and of pairs that have one.

What happens to a photograph here becomes part of it: both watermarked views and the clean target share it, so a model
is never asked to undo it. What happens to a pair happens to its pictures alike.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt
from albumentations.augmentations.dropout.transforms import BaseDropout

from wm_lightning.data.device.augmentation import Drawn, computed_on_device
from wm_lightning.data.sources import Photograph

Transform: TypeAlias = "A.BasicTransform | A.BaseCompose"
Picture = npt.NDArray[np.uint8]  # (H, W, 3) or (H, W)

# Albumentations lists them with those that move pixels, but they write new values into some.
_WRITERS = (BaseDropout, A.MaskDropout, A.PixelDropout, A.Morphological, A.Mosaic, A.OverlayElements, A.Lambda)


_PIXEL = np.zeros((1, 1, 3), dtype=np.uint8)


class Pair(NamedTuple):
    """Pictures that belong together pixel by pixel.

    Attributes:
        watermarked: (H, W, 3) uint8, sRGB.
        clean: Likewise.
        mask: (H, W) uint8, 255 where the watermark is, else 0; None where it is not given.
    """

    watermarked: Photograph
    clean: Photograph
    mask: Picture | None


class Augmentation:
    """Lists of Albumentations transforms that draw from a generator given at each call.

    Each turns one (H, W, 3) uint8 picture into another; both lists are applied in order.

    Args:
        before_crop: See the whole photograph: what moves or scales it.
        after_crop: See the crop alone, which saves the work on the rest: changes of colour, noise.

    Attributes:
        photometric: Names of the transforms that change values and not places, which :meth:`aligned` leaves out.
        on_device: The last transforms after the crop that a device can compute, see :meth:`until_device`.
        off_device: Names of the others.
    """

    def __init__(self, before_crop: Sequence[Transform] = (), after_crop: Sequence[Transform] = ()) -> None:
        self._before = A.Compose(list(before_crop)) if before_crop else None
        self._after = A.Compose(list(after_crop)) if after_crop else None
        self._aligned_before, self._aligned_after = _aligned(before_crop), _aligned(after_crop)
        self.photometric = [type(t).__name__ for t in (*before_crop, *after_crop) if not _moves_pixels(t)]
        self.on_device = _last(after_crop)
        first = list(after_crop)[: len(after_crop) - len(self.on_device)]
        self.off_device = [type(t).__name__ for t in (*before_crop, *first)]
        self._until_device = A.Compose(first) if first else None
        self._drawing = A.Compose(self.on_device) if self.on_device else None

    def __call__(self, photograph: Photograph, size: int, generator: np.random.Generator) -> Photograph:
        """Returns an augmented random crop, (size, size, 3) uint8; equal generators give equal pictures."""
        out = _applied(self._before, enlarge_to(photograph, size), generator)
        return _applied(self._after, crop(out, size, generator), generator)

    def until_device(
        self, photograph: Photograph, size: int, generator: np.random.Generator
    ) -> tuple[Photograph, list[Drawn]]:
        """Returns the crop as it is before the transforms of ``on_device``, and what each of these has drawn.

        A device that applies them makes the picture that a call of this object makes; where others come before them,
        one that is drawn alike.
        """
        out = _applied(self._before, enlarge_to(photograph, size), generator)
        out = _applied(self._until_device, crop(out, size, generator), generator)
        _applied(self._drawing, _PIXEL, generator)  # so that Albumentations draws what it draws
        return out, [dict(transform.get_applied_params()) for transform in self.on_device]

    def aligned(self, pair: Pair, size: int, generator: np.random.Generator) -> Pair:
        """Returns an augmented random crop of a pair, all of its pictures changed alike; masks take the nearest pixel.

        Only what moves pixels is applied. A change of values after the watermark was put on would change the
        watermark too: a gamma of a blend is not the blend of two gammas, and noise or rain over both pictures would
        cover the mark as no watermark is ever covered.
        """
        out = _applied_alike(self._aligned_before, _enlarge_pair(pair, size), generator)
        return _applied_alike(self._aligned_after, crop_pair(out, size, generator), generator)


class ReverseChannels(A.ImageOnlyTransform):  # type: ignore[misc]  # a library without types
    """Turns red, green, blue into blue, green, red, as OpenCV reads files; the SWCNN benchmark's photographs are so."""

    def apply(self, img: Photograph, **params: object) -> Photograph:
        """Albumentations' hook."""
        return np.ascontiguousarray(img[..., ::-1])


def _moves_pixels(transform: Transform) -> bool:
    if isinstance(transform, A.BaseCompose):
        return all(map(_moves_pixels, transform.transforms))
    return isinstance(transform, A.DualTransform) and not isinstance(transform, _WRITERS)


def _last(transforms: Sequence[Transform]) -> list[Transform]:
    """Returns those that a device computes, from the end on: what comes before another one cannot be put off."""
    return list(reversed(list(itertools.takewhile(computed_on_device, reversed(transforms)))))


def _aligned(transforms: Sequence[Transform]) -> A.Compose | None:
    moving = [transform for transform in transforms if _moves_pixels(transform)]
    return A.Compose(moving, additional_targets={"clean": "image"}) if moving else None


def _applied_alike(transforms: A.Compose | None, pair: Pair, generator: np.random.Generator) -> Pair:
    if transforms is None:
        return pair
    transforms.set_random_state(generator, random.Random(int(generator.integers(2**63))))
    given = {"image": pair.watermarked, "clean": pair.clean, "mask": pair.mask}
    out = transforms(**{name: picture for name, picture in given.items() if picture is not None})
    return Pair(out["image"], out["clean"], out.get("mask"))


def _applied(transforms: A.Compose | None, photograph: Photograph, generator: np.random.Generator) -> Photograph:
    if transforms is None:
        return photograph
    transforms.set_random_state(generator, random.Random(int(generator.integers(2**63))))
    out: Photograph = transforms(image=photograph)["image"]
    return out


def enlarge_to(photograph: Picture, size: int, interpolation: int = cv2.INTER_CUBIC) -> Picture:
    """Scales a picture up, its proportions kept, until no side is shorter than ``size`` pixels."""
    height, width = photograph.shape[:2]
    if min(height, width) >= size:
        return photograph
    scale = size / min(height, width)
    wanted = (max(size, round(width * scale)), max(size, round(height * scale)))
    return np.asarray(cv2.resize(photograph, wanted, interpolation=interpolation), dtype=np.uint8)


def crop(photograph: Photograph, size: int, generator: np.random.Generator | None = None) -> Photograph:
    """Cuts out a square of ``size`` pixels: a random one, or the middle without a generator.

    A picture that is too small is scaled up first.
    """
    photograph = enlarge_to(photograph, size)
    return _cut(photograph, _corner(photograph, size, generator), size)


def crop_pair(pair: Pair, size: int, generator: np.random.Generator | None = None) -> Pair:
    """Cuts the same square out of all pictures of a pair, as :func:`crop` does out of one."""
    pair = _enlarge_pair(pair, size)
    corner = _corner(pair.clean, size, generator)
    return Pair(
        watermarked=_cut(pair.watermarked, corner, size),
        clean=_cut(pair.clean, corner, size),
        mask=None if pair.mask is None else _cut(pair.mask, corner, size),
    )


def resize_pair(pair: Pair, size: int) -> Pair:
    """Resizes a pair to a square of ``size`` pixels, pictures linearly as published protocols do, masks to the nearest.

    Proportions are not kept.
    """
    square = (size, size)
    return Pair(
        watermarked=np.asarray(cv2.resize(pair.watermarked, square), dtype=np.uint8),
        clean=np.asarray(cv2.resize(pair.clean, square), dtype=np.uint8),
        mask=None
        if pair.mask is None
        else np.asarray(cv2.resize(pair.mask, square, interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8),
    )


def _enlarge_pair(pair: Pair, size: int) -> Pair:
    return Pair(
        watermarked=enlarge_to(pair.watermarked, size),
        clean=enlarge_to(pair.clean, size),
        mask=None if pair.mask is None else enlarge_to(pair.mask, size, cv2.INTER_NEAREST_EXACT),
    )


def _corner(picture: Picture, size: int, generator: np.random.Generator | None) -> tuple[int, int]:
    """Returns top and left of a random square, or of the middle one without a generator."""
    spare_rows, spare_columns = picture.shape[0] - size, picture.shape[1] - size
    if generator is None:
        return spare_rows // 2, spare_columns // 2
    return int(generator.integers(spare_rows + 1)), int(generator.integers(spare_columns + 1))


def _cut(picture: Picture, corner: tuple[int, int], size: int) -> Picture:
    top, left = corner
    # A copy, since the picture may be a cache's, which must not be written to.
    cut: Picture = picture[top : top + size, left : left + size].copy()
    return cut
