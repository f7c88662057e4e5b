"""Art to stencil: what a mark looks like, upright and alone; deterministic, and remembered."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from wm_lightning.data.synthesis import figures
from wm_lightning.data.synthesis.assets import load_logo
from wm_lightning.data.synthesis.designs import draw_design
from wm_lightning.data.synthesis.effects import moved
from wm_lightning.data.synthesis.emblems import draw_emblem, ellipse
from wm_lightning.data.synthesis.lettering import font_size, write
from wm_lightning.data.synthesis.spec import Art, Code, Design, Emblem, Logo, OwnArt, Shape, Text

# (h, w, planes) uint8. One plane: coverage. Two: coverage of the first and of the second colour, the first on top.
# Four: premultiplied red, green, blue, and coverage.
Stencil: TypeAlias = npt.NDArray[np.uint8]

REMEMBERED = 1024  # stencils, of 10 to 20 KiB on average
REMEMBERED_PIXELS = 512  # larger ones are drawn anew each time, so that memory stays bounded
SMALLEST_EMBLEM = 128  # pixels; smaller ones are reduced from it, so that few sizes are drawn
EDGE = 0.06  # width of outlines, distance of shadows, as a share of the font's size


def stencil(art: Art, pixels: int) -> Stencil:
    """Draws art so that its longer side has about ``pixels``, writing and emblems also more; must not be written to."""
    if isinstance(art, OwnArt):
        return _remembered_own(art, pixels)
    if isinstance(art, Design):  # never the same twice; its parts are remembered
        return draw_design(art, pixels, stencil)
    if isinstance(art, Text):
        size = font_size(art.text, art.font, art.spacing, pixels)
        return (_remembered_text if pixels <= REMEMBERED_PIXELS else _text)(art, size)
    if isinstance(art, Emblem):
        pixels = max(pixels, SMALLEST_EMBLEM)
    elif isinstance(art, Shape) and art.kind not in ("circle", "sparkle"):
        return _shape(art, pixels)  # sooner drawn than looked up
    return (_remembered if pixels <= REMEMBERED_PIXELS else _draw)(art, pixels)


@lru_cache(maxsize=REMEMBERED)
def _remembered_text(art: Text, size: int) -> Stencil:
    return _read_only(_text(art, size))


@lru_cache(maxsize=REMEMBERED // 8)  # however large
def _remembered_own(art: OwnArt, pixels: int) -> Stencil:
    return _read_only(art.stencil(pixels).copy())


@lru_cache(maxsize=REMEMBERED)
def _remembered(art: Art, pixels: int) -> Stencil:
    return _read_only(_draw(art, pixels))


def _read_only(drawn: Stencil) -> Stencil:
    drawn.setflags(write=False)
    return drawn


def _draw(art: Art, pixels: int) -> Stencil:
    if isinstance(art, Logo):
        return _logo(art, pixels)
    if isinstance(art, Emblem):
        return draw_emblem(art, pixels)[..., None]
    if isinstance(art, Code):
        return figures.code(art.seed, art.modules, pixels)[..., None]
    assert isinstance(art, Shape)
    return _shape(art, pixels)


def _logo(art: Logo, pixels: int) -> Stencil:
    rgba = load_logo(art.path)
    if art.flat:
        rgba = np.dstack([rgba[..., :3], np.where(rgba[..., 3:] > 0, np.uint8(255), np.uint8(0))])
    scale = pixels / max(rgba.shape[:2])
    size = max(1, round(rgba.shape[1] * scale)), max(1, round(rgba.shape[0] * scale))
    # Premultiplied before it is resized, so that colours under transparent pixels do not bleed in.
    premultiplied = rgba.astype(np.float32)
    premultiplied[..., :3] *= premultiplied[..., 3:] / 255
    resized = cv2.resize(premultiplied, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray((resized + 0.5).clip(0, 255), dtype=np.uint8)


def _shape(art: Shape, pixels: int) -> Stencil:
    if art.kind == "sparkle":
        return figures.sparkle(pixels)[..., None]
    if art.kind in ("grid", "bars"):  # one cell: its upper and, for a grid, its left edge
        cell = np.zeros((pixels, pixels, 1), dtype=np.uint8)
        line = max(1, round(art.thickness * pixels))
        cell[:line] = 255
        if art.kind == "grid":
            cell[:, :line] = 255
        return cell
    width, height = max(1, round(pixels * min(1.0, 1 / art.aspect))), max(1, round(pixels * min(1.0, art.aspect)))
    line = max(1, round(art.thickness * pixels))
    filled = not art.thickness or 2 * line >= min(width, height)
    if art.kind == "circle":
        plane = ellipse(width, height)
        if not filled:
            plane[line:-line, line:-line] -= ellipse(width - 2 * line, height - 2 * line)
        return plane[..., None]
    plane = np.full((height, width, 1), 255, dtype=np.uint8)  # a line is a thin rectangle
    if not filled:
        plane[line:-line, line:-line] = 0
    return plane


def _text(art: Text, size: int) -> Stencil:
    ink: MatLike = write(art.text, art.font, size, art.spacing)
    if art.style == "fill":
        return np.asarray(ink[..., None], dtype=np.uint8)
    reach = max(1, round(size * EDGE))
    margin = 2 * reach
    ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    if art.style == "outline":
        around = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
        return _two(ink, around)
    down_right = moved(ink, reach)
    if art.style == "shadow":
        return _two(ink, cv2.blur(down_right, (reach, reach)))
    up_left = moved(ink, -reach)
    return _two(cv2.subtract(ink, down_right), cv2.subtract(ink, up_left))


def _two(first: MatLike, second: MatLike) -> Stencil:
    return np.asarray(cv2.merge([first, second]), dtype=np.uint8)
