"""Colours of an ICC profile, brought to sRGB for a network to see, and what it changed brought back."""

from __future__ import annotations

import io
import threading
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from wm_lightning.images.pixels import Pixels, as_bytes

HARDLY = 2  # levels: profiles of sRGB differ from each other by as much
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
PROBE = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), axis=-1).reshape(1, -1, 3)


class Colours(NamedTuple):
    """A colour space that is not sRGB.

    Attributes:
        mode: Pillow's: ``RGB`` or ``L``.
        there: To sRGB.
        back: From it.
    """

    mode: str
    there: ImageCms.ImageCmsTransform
    back: ImageCms.ImageCmsTransform

    def seen(self, stored: Pixels) -> Pixels:
        """Returns pixels (H, W, 3) of a file, grey ones three times the same, in sRGB and of their type."""
        seen: Pixels = self._apply(self.there, self.mode, as_bytes(stored), "RGB")
        seen = np.repeat(seen[..., :1], 3, axis=-1) if self.mode == "L" else seen
        return seen.astype(np.uint16) * 257 if stored.dtype == np.uint16 else seen

    def stored(self, stored: Pixels, seen: Pixels, cleaned: Pixels) -> Pixels:
        """Brings a change of what was seen to what was stored: other pixels, and colours beyond sRGB, stay.

        Args:
            stored: As :meth:`seen` got it.
            seen: As it returned it.
            cleaned: The same, changed.
        """
        where = (seen != cleaned).any(axis=-1)
        if not where.any():
            return stored
        before, after = (
            self._apply(self.back, "RGB", as_bytes(part[where])[None], self.mode)[0] for part in (seen, cleaned)
        )
        top = np.iinfo(stored.dtype).max
        result: Pixels = stored.copy()
        step = (after.astype(np.int32) - before) * (top // 255)
        result[where] = np.clip(stored[where].astype(np.int32) + step, 0, top)
        return result

    @staticmethod
    def _apply(transform: ImageCms.ImageCmsTransform, mode: str, pixels: Pixels, becomes: str) -> Pixels:
        image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if mode == "L" else pixels))
        changed: Pixels = np.asarray(ImageCms.applyTransform(image, transform))
        return changed if becomes == "RGB" else changed[..., None].repeat(3, axis=-1)


def colours_of(profile: bytes | None, grey: bool) -> Colours | None:
    """Returns the colours that a profile stands for; None for sRGB, no profile, and one that cannot be used.

    Args:
        profile: ICC.
        grey: Of grey pixels, not of three channels.
    """
    if not profile:
        return None
    with _LOCK:  # of threads that would all make it
        return _colours_of(profile, "L" if grey else "RGB")


_LOCK = threading.Lock()


@lru_cache(maxsize=16)
def _colours_of(profile: bytes, mode: str) -> Colours | None:
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        there = ImageCms.buildTransform(own, srgb, mode, "RGB", INTENT)
        back = ImageCms.buildTransform(srgb, own, "RGB", mode, INTENT)
    except (ImageCms.PyCMSError, OSError):
        return None  # broken, of other channels, or cannot be gone back from: as viewers do, colours are taken as sRGB
    colours = Colours(mode, there, back)
    probe = PROBE[..., :1].repeat(3, axis=-1) if mode == "L" else PROBE
    same = np.abs(colours.seen(probe).astype(int) - probe).max() <= HARDLY
    return None if same else colours
