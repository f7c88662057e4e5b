"""Reduced pictures to look at, small enough to send to a browser."""

from __future__ import annotations

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.inference.pictures import Picture
from wm_lightning.inference.pixels import Pixels, as_bytes

LONGEST = 1600  # pixels of the longer side
QUALITY = 90
TINT = (255, 40, 40)  # of marks
TINT_SHARE = 0.7
SURE = 128  # of 255: from which a pixel counts as marked
MARGIN = 4  # pixels between a mark and its outline


def reduced(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Reduces (H, W) or (H, W, channels) until its longer side has at most 1600 pixels."""
    height, width = image.shape[:2]
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def tinted(pixels: Pixels, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Draws a mask, (H, W), in red over a picture, (H, W, 3), that loses its colours; reduces both."""
    grey = cv2.cvtColor(reduced(as_bytes(pixels)), cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    share = TINT_SHARE * reduced(mask)[..., None].astype(np.float32) / 255
    return np.asarray(np.rint(grey * (1 - share) + np.array(TINT) * share), dtype=np.uint8)


def outlined(pixels: Pixels, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Draws a red line around what a mask, (H, W), says is marked, on a picture, (H, W, 3); reduces both."""
    shown: npt.NDArray[np.uint8] = reduced(as_bytes(pixels)).copy()
    side = 2 * MARGIN + 1
    found = cv2.dilate((reduced(mask) >= SURE).astype(np.uint8), np.ones((side, side), np.uint8))
    outlines, _ = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(shown, outlines, -1, TINT, thickness=max(1, round(max(shown.shape) / 800)))
    return shown


def encoded(picture: Picture, pixels: Pixels) -> bytes:
    """Makes a reduced WebP of pixels, (H, W, 3), sRGB, with the transparency of their picture."""
    shown = reduced(as_bytes(pixels))
    planes = [shown] if picture.alpha is None else [shown, reduced(as_bytes(picture.alpha))[..., None]]
    buffer = io.BytesIO()
    image = Image.fromarray(np.concatenate(planes, axis=-1))
    image.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()
