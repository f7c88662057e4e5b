"""Reduced pictures to look at, small enough to send to a browser."""

from __future__ import annotations

import io
from collections.abc import Sequence

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
OUTLINE = (255, 210, 60)  # of their boxes
MARGIN = 4  # pixels between a mark and its outline

Box = tuple[int, int, int, int]


def reduced(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Reduces (H, W) or (H, W, channels) until its longer side has at most 1600 pixels."""
    height, width = image.shape[:2]
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def tinted(pixels: Pixels, mask: npt.NDArray[np.uint8], boxes: Sequence[Box] = ()) -> npt.NDArray[np.uint8]:
    """Draws a mask, (H, W), in red over a picture, (H, W, 3), that loses its colours; reduces both.

    Args:
        pixels: The picture.
        mask: How sure it is that a pixel is marked.
        boxes: Left, top, right, bottom of marks in pixels; each is outlined, with its number from 1 above it.
    """
    grey = cv2.cvtColor(reduced(as_bytes(pixels)), cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    share = TINT_SHARE * reduced(mask)[..., None].astype(np.float32) / 255
    shown = np.rint(grey * (1 - share) + np.array(TINT) * share).astype(np.uint8)
    scale = shown.shape[1] / mask.shape[1]
    thick = max(1, round(max(shown.shape) / 800))
    for number, box in enumerate(boxes, 1):
        left, top, right, bottom = (round(scale * side) for side in box)
        low = (max(left - MARGIN, 0), max(top - MARGIN, 0))
        cv2.rectangle(shown, low, (right + MARGIN, bottom + MARGIN), OUTLINE, thick)
        height = 10 * thick
        at = (low[0], low[1] - 3 if low[1] > height + 3 else bottom + MARGIN + height + 3)
        size = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, height, thick)
        for colour, width in (((0, 0, 0), thick + 2), (OUTLINE, thick)):
            cv2.putText(shown, str(number), at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, width, cv2.LINE_AA)
    return shown


def encoded(picture: Picture, pixels: Pixels) -> bytes:
    """Makes a reduced WebP of pixels, (H, W, 3), sRGB, with the transparency of their picture."""
    shown = reduced(as_bytes(pixels))
    planes = [shown] if picture.alpha is None else [shown, reduced(as_bytes(picture.alpha))[..., None]]
    buffer = io.BytesIO()
    image = Image.fromarray(np.concatenate(planes, axis=-1))
    image.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()
