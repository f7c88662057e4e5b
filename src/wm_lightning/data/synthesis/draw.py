"""Art to stencil: what a mark looks like, upright and alone; deterministic, and remembered."""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from wm_lightning.data.synthesis.assets import load_font, load_logo
from wm_lightning.data.synthesis.emblems import Plane, draw_emblem, ellipse
from wm_lightning.data.synthesis.spec import Art, Emblem, Logo, Shape, Text

# (h, w, planes) uint8. One plane: coverage. Two: coverage of the first and of the second colour, the first on top.
# Four: premultiplied red, green, blue, and coverage.
Stencil: TypeAlias = npt.NDArray[np.uint8]

PROBE_PIXELS = 64  # font size at which a text is measured before it is drawn at the size wanted
REMEMBERED = 1024  # stencils, of 10 KiB on average
REMEMBERED_PIXELS = 512  # larger ones are drawn anew each time, so that memory stays bounded
REMEMBERED_FONT = 128  # pixels, likewise
LINE_GAP = 0.25  # between lines of a text, as a share of the font's size
EDGE = 0.06  # width of outlines, distance of shadows, likewise


def stencil(art: Art, pixels: int) -> Stencil:
    """Draws art so that its longer side has about ``pixels``; must not be written to."""
    return (_remembered if pixels <= REMEMBERED_PIXELS else _draw)(art, pixels)


def _draw(art: Art, pixels: int) -> Stencil:
    if isinstance(art, Text):
        return _text(art, pixels)
    if isinstance(art, Logo):
        return _logo(art, pixels)
    if isinstance(art, Emblem):
        return draw_emblem(art, pixels)[..., None]
    return _shape(art, pixels)


@lru_cache(maxsize=REMEMBERED)
def _remembered(art: Art, pixels: int) -> Stencil:
    drawn = _draw(art, pixels)
    drawn.setflags(write=False)
    return drawn


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


def _text(art: Text, pixels: int) -> Stencil:
    size = max(1, round(PROBE_PIXELS * pixels / _longer_side_at_probe(art.text, art.font, art.spacing)))
    ink = _ink(art.text, art.font, size, art.spacing)
    if art.style == "fill":
        return ink[..., None]
    reach = max(1, round(size * EDGE))
    ink = np.pad(ink, 2 * reach)
    if art.style == "outline":
        around = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
        return np.dstack([ink, around])
    down_right = _moved(ink, reach)
    if art.style == "shadow":
        return np.dstack([ink, cv2.blur(down_right, (reach, reach))])
    up_left = _moved(ink, -reach)
    return np.dstack([cv2.subtract(ink, down_right), cv2.subtract(ink, up_left)])


def _moved(plane: Plane, pixels: int) -> Plane:
    """Moves a plane with empty margins down and to the right."""
    return np.roll(plane, (pixels, pixels), axis=(0, 1))


@lru_cache(maxsize=4096)
def _longer_side_at_probe(text: str, font: str, spacing: float) -> int:
    return int(max(_ink(text, font, PROBE_PIXELS, spacing).shape))


def _ink(text: str, font: str, size: int, spacing: float) -> Plane:
    """Draws the letters alone, without margins, for every style; must not be written to."""
    return (_remembered_ink if size <= REMEMBERED_FONT else _lines)(text, font, size, spacing)


@lru_cache(maxsize=REMEMBERED)
def _remembered_ink(text: str, font: str, size: int, spacing: float) -> Plane:
    ink = _lines(text, font, size, spacing)
    ink.setflags(write=False)
    return ink


def _lines(text: str, font: str, size: int, spacing: float) -> Plane:
    lines = [_line(line, font, size, round(spacing * size)) for line in text.split("\n")]
    if len(lines) == 1:
        return lines[0]
    width = max(line.shape[1] for line in lines)
    gap = max(1, round(LINE_GAP * size))
    rows = []
    for line in lines:
        spare = width - line.shape[1]
        rows += [np.pad(line, ((0, 0), (spare // 2, spare - spare // 2))), np.zeros((gap, width), dtype=np.uint8)]
    return np.concatenate(rows[:-1])


def _line(text: str, font_name: str, size: int, spacing: int) -> Plane:
    font = load_font(font_name, size)
    left, top, right, bottom = font.getbbox(text)
    placed = [(0.0, text)]
    if spacing:  # letter by letter, without kerning
        placed, x = [], 0.0
        for letter in text:
            placed.append((x, letter))
            x += font.getlength(letter) + spacing
        right = max((x + font.getbbox(letter)[2] for x, letter in placed), default=right)
    drawing = Image.new("L", (max(1, ceil(right - left)), max(1, round(bottom - top))))
    draw = ImageDraw.Draw(drawing)
    for x, piece in placed:
        draw.text((x - left, -top), piece, fill=255, font=font)
    return np.array(drawing)
