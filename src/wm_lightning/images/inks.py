"""Pictures of four inks (CMYK): seen as RGB, and what changed brought back to inks."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from wm_lightning.images.pixels import Pixels


class Inks(NamedTuple):
    """How inks become RGB and RGB inks.

    Attributes:
        there: To sRGB; None without a profile, or with one that is broken: each ink takes away what passes the others.
        back: From it.
    """

    there: ImageCms.ImageCmsTransform | None = None
    back: ImageCms.ImageCmsTransform | None = None

    def seen(self, image: Image.Image) -> Image.Image:
        """Returns a picture of inks as RGB."""
        if self.there is None:
            return image.convert("RGB")
        converted = ImageCms.applyTransform(image, self.there)
        assert converted is not None
        return converted

    def stored(self, inks: Pixels, seen: Pixels, cleaned: Pixels) -> Pixels:
        """Brings a change of what was seen to inks; other pixels stay as they are.

        Args:
            inks: (H, W, 4) uint8, 255 where an ink is full.
            seen: (H, W, 3) uint8 sRGB.
            cleaned: The same, changed.
        """
        where = (seen != cleaned).any(axis=-1)
        if not where.any():
            return inks
        result: Pixels = inks.copy()
        if self.back is None:
            result[where] = _around_black(cleaned[where], inks[where][:, 3:])
        else:
            changed = ImageCms.applyTransform(Image.fromarray(cleaned[where][None]), self.back)
            result[where] = np.asarray(changed)[0]
        return result


@lru_cache(maxsize=16)
def inks_of(profile: bytes | None) -> Inks | None:
    """Returns the inks of a profile; None where RGB cannot be brought back to them.

    Args:
        profile: ICC; None: there is none.
    """
    if not profile:
        return Inks()
    srgb, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        there = ImageCms.buildTransform(own, srgb, "CMYK", "RGB", intent)
    except (ImageCms.PyCMSError, OSError):
        return Inks()  # a broken profile says nothing
    try:
        return Inks(there, ImageCms.buildTransform(srgb, own, "RGB", "CMYK", intent))
    except ImageCms.PyCMSError:
        return None


def _around_black(rgb: npt.NDArray[np.uint8], black: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns (N, 4) inks that show RGB, (N, 3), with as much black, (N, 1), as there was, or as there is room for."""
    light = np.maximum(255 - black.astype(np.int32), rgb.max(axis=-1, keepdims=True))  # what black lets through
    colours = 255 - np.rint(rgb.astype(np.float64) * 255 / np.maximum(light, 1))
    return np.concatenate((colours, 255 - light), axis=-1).astype(np.uint8)
