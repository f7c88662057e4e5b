"""From a specification to pixels; deterministic."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from wm_lightning.data.synthesis.assets import load_font
from wm_lightning.data.synthesis.spec import MarkSpec

PROBE_PIXELS = 64  # size at which a text is measured before it is drawn at the size wanted
OVERSAMPLE = 2  # shapes are drawn larger and reduced, since ImageDraw does not smooth their edges


class Layer(NamedTuple):
    """One mark on a picture, clipped to it.

    Attributes:
        alpha: (h, w) float32 in 0..1.
        colour: sRGB, 0..255.
        top: Row of the picture that the first row lies on.
        left: Column of the picture that the first column lies on.
    """

    alpha: npt.NDArray[np.float32]
    colour: tuple[int, int, int]
    top: int
    left: int


def render(spec: MarkSpec, height: int, width: int) -> Layer:
    """Draws a mark for a picture of ``height`` x ``width`` pixels; the layer is empty where it lies outside."""
    length = max(1.0, spec.size * min(height, width))
    stencil = _text(spec, length) if spec.kind == "text" else _shape(spec, length)
    alpha = np.asarray(stencil, dtype=np.float32) / 255 * _factors(spec, stencil.height, stencil.width)
    rotated = Image.fromarray(alpha).rotate(spec.angle, Image.Resampling.BILINEAR, expand=True)
    return _clip(np.asarray(rotated) * np.float32(spec.opacity), spec, height, width)


def _text(spec: MarkSpec, length: float) -> Image.Image:
    left, top, right, bottom = load_font(spec.font, PROBE_PIXELS).getbbox(spec.text)
    pixels = max(1, round(PROBE_PIXELS * length / max(right - left, bottom - top, 1)))
    font = load_font(spec.font, pixels)
    left, top, right, bottom = font.getbbox(spec.text)
    size = max(1, round(right - left)), max(1, round(bottom - top))
    stencil = Image.new("L", size)
    ImageDraw.Draw(stencil).text((-left, -top), spec.text, fill=255, font=font)
    return stencil


def _shape(spec: MarkSpec, length: float) -> Image.Image:
    size = max(1, round(length)), max(1, round(length * spec.aspect))
    stencil = Image.new("L", (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE))
    draw = ImageDraw.Draw(stencil)
    box = (0, 0, stencil.width - 1, stencil.height - 1)
    thickness = max(1, round(spec.outline * length * OVERSAMPLE))
    style = {"outline": 255, "width": thickness} if spec.outline else {"fill": 255}
    if spec.kind == "circle":
        draw.ellipse(box, **style)
    else:  # a line is a thin rectangle
        draw.rectangle(box, **style)
    return stencil.resize(size, Image.Resampling.BOX)


def _factors(spec: MarkSpec, height: int, width: int) -> npt.NDArray[np.float32]:
    """What the stencil is multiplied with: the smooth alpha field, and 0 where the mark is occluded."""
    field = np.array(spec.alpha_field, dtype=np.float32)
    factors = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    if spec.occlusion is not None:
        left, top, right, bottom = spec.occlusion
        rows = slice(round(top * height), round(bottom * height))
        factors[rows, round(left * width) : round(right * width)] = 0
    return factors


def _clip(alpha: npt.NDArray[np.float32], spec: MarkSpec, height: int, width: int) -> Layer:
    top = round(spec.center[1] * height - alpha.shape[0] / 2)
    left = round(spec.center[0] * width - alpha.shape[1] / 2)
    rows = slice(max(0, -top), max(0, min(alpha.shape[0], height - top)))
    columns = slice(max(0, -left), max(0, min(alpha.shape[1], width - left)))
    return Layer(np.ascontiguousarray(alpha[rows, columns]), spec.colour, max(0, top), max(0, left))
