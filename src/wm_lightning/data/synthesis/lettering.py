"""Writing as coverage: drawn by Pillow, and remembered, since drawing is what a mark costs most."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, log2
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from wm_lightning.data.synthesis.assets import load_font, needs_shaping

Plane: TypeAlias = npt.NDArray[np.uint8]  # (h, w) coverage, 255 for all of a pixel

# Font sizes are this one, doubled as often as needed: few sizes, so that what is remembered serves often.
SMALLEST_FONT = 32
REMEMBERED_FONT = 128  # larger writing is drawn anew each time, so that memory stays bounded
REMEMBERED_PIECES = 8192  # words and letters, of 5 KiB on average
REMEMBERED_LINES = 64  # soon put together from pieces; a line is measured, then drawn
REMEMBERED_SIDES = 16384  # numbers
LINE_GAP = 0.25  # between lines of a text, as a share of the font's size


def font_size(text: str, font: str, spacing: float, pixels: int) -> int:
    """Returns the font size at which a text's longer side has about ``pixels`` or more; the smallest for blanks."""
    longer = _longer_side(text, font, spacing) if text.strip() else pixels
    return SMALLEST_FONT << max(0, ceil(log2(pixels / longer)))


@lru_cache(maxsize=REMEMBERED_SIDES)
def _longer_side(text: str, font: str, spacing: float) -> int:
    height, width = write(text, font, SMALLEST_FONT, spacing).shape
    return max(int(height), int(width))


def write(text: str, font: str, size: int, spacing: float = 0.0) -> Plane:
    """Draws the letters of a text without margins; must not be written to.

    Args:
        text: A line break starts a new line; lines are centred.
        font: Name of a bundled font, or the path of one.
        size: The font's, in pixels.
        spacing: Added between letters, as a share of ``size``; they are then placed one by one, without kerning.
    """
    draw_line = _remembered_line if size <= REMEMBERED_FONT else _line
    lines = [draw_line(line, font, size, round(spacing * size)) for line in text.split("\n")]
    if len(lines) == 1:
        return lines[0]
    gap = max(1, round(LINE_GAP * size))
    width = max(line.shape[1] for line in lines)
    whole = np.zeros((sum(line.shape[0] + gap for line in lines) - gap, width), dtype=np.uint8)
    top = 0
    for line in lines:
        left = (width - line.shape[1]) // 2
        whole[top : top + line.shape[0], left : left + line.shape[1]] = line
        top += line.shape[0] + gap
    return whole


def _line(text: str, font: str, size: int, spacing: int) -> Plane:
    draw = _piece if size <= REMEMBERED_FONT else _drawn
    pieces, gap = [text], 0.0
    if spacing:
        pieces, gap = list(text) or [text], spacing
    elif not needs_shaping(text):  # words follow each other as they are; in a shaped script the order may change
        pieces, gap = text.split(" "), draw(" ", font, size).advance
    inked: list[tuple[int, _Piece]] = []
    x = 0.0
    for piece in pieces:
        drawn = draw(piece, font, size)
        if piece.strip():  # a blank has no ink, and no height of its own
            inked.append((round(x + drawn.left), drawn))
        x += drawn.advance + gap
    if len(inked) < 2:
        return inked[0][1].ink if inked else draw(" ", font, size).ink
    first, top = min(left for left, _ in inked), min(drawn.top for _, drawn in inked)
    right = max(left + drawn.ink.shape[1] for left, drawn in inked)
    bottom = max(drawn.top + drawn.ink.shape[0] for _, drawn in inked)
    line = np.zeros((bottom - top, right - first), dtype=np.uint8)
    for left, drawn in inked:
        height, width = drawn.ink.shape
        part = line[drawn.top - top : drawn.top - top + height, left - first : left - first + width]
        np.maximum(part, drawn.ink, out=part)  # letters may overlap
    line.setflags(write=False)
    return line


_remembered_line = lru_cache(maxsize=REMEMBERED_LINES)(_line)


class _Piece(NamedTuple):
    """A run of letters: its ink, where that lies from the pen's position, and how far the pen moves on."""

    ink: Plane
    left: int
    top: int
    advance: float


def _drawn(text: str, font_name: str, size: int) -> _Piece:
    font = load_font(font_name, size)
    left, top, right, bottom = font.getbbox(text)
    drawing = Image.new("L", (max(1, ceil(right - left)), max(1, round(bottom - top))))
    ImageDraw.Draw(drawing).text((-left, -top), text, fill=255, font=font)
    ink = np.array(drawing)
    ink.setflags(write=False)
    return _Piece(ink, round(left), round(top), font.getlength(text))


_piece = lru_cache(maxsize=REMEMBERED_PIECES)(_drawn)
