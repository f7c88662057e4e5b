"""Logos made of shapes and letters, for those who have no logo files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import cos, pi, sin
from typing import TypeAlias

import cv2
import numpy as np

from wm_lightning.data.synthesis.lettering import Plane, font_size, write
from wm_lightning.data.synthesis.spec import Emblem, Frame

Points: TypeAlias = list[tuple[float, float]]  # in the unit square

SUBPIXEL_BITS = 4  # OpenCV takes coordinates in sixteenths of a pixel
SYMBOL_SHARE = {"star": 0.4, "diamond": 0.45, "hexagon": 0.58, "shield": 0.52}  # of the frame's side; others 0.6
CAPTION_GAP, CAPTION_HEIGHT = 0.06, 0.2  # shares of the whole, the second a limit
REMEMBERED = 256  # frames' lines and symbols, of 16 KiB on average
REMEMBERED_SIDE = 512  # pixels; larger ones are drawn anew each time, so that memory stays bounded
SPACING = 0.05  # between letters, as a share of the font's size


def draw_emblem(art: Emblem, pixels: int) -> Plane:
    """Draws an emblem, its longer side about ``pixels``: (h, w) coverage."""
    if not art.caption:
        return _badge(art, pixels)
    caption = _writing(art.caption, art.font, pixels, round(CAPTION_HEIGHT * pixels))
    gap = round(CAPTION_GAP * pixels)
    side = pixels - gap - round(CAPTION_HEIGHT * pixels)  # one side for all captions, so that badges are remembered
    drawing = np.zeros((side + gap + caption.shape[0], max(side, caption.shape[1])), dtype=np.uint8)
    _put_in_middle(drawing[:side], _badge(art, side))
    _put_in_middle(drawing[side + gap :], caption)
    return drawing


def ellipse(width: int, height: int) -> Plane:
    """Draws a filled ellipse that touches all four sides."""
    plane = np.zeros((height, width), dtype=np.uint8)
    one = 1 << SUBPIXEL_BITS
    # Pixel centres lie at whole numbers.
    center = round((width - 1) / 2 * one), round((height - 1) / 2 * one)
    axes = max(1, round((width / 2 - 0.5) * one)), max(1, round((height / 2 - 0.5) * one))
    cv2.ellipse(plane, center, axes, 0, 0, 360, 255, -1, cv2.LINE_AA, SUBPIXEL_BITS)
    return plane


def _polygon(points: Sequence[tuple[float, float]], side: int, into: Plane | None = None, value: int = 255) -> Plane:
    plane = np.zeros((side, side), dtype=np.uint8) if into is None else into
    corners = np.array(points) * (side - 1) * (1 << SUBPIXEL_BITS)
    cv2.fillPoly(plane, [corners.round().astype(np.int32)], value, cv2.LINE_AA, SUBPIXEL_BITS)
    return plane


def _put_in_middle(canvas: Plane, plane: Plane) -> None:
    """Puts a plane in the middle of a canvas, cut off where it is larger."""
    rows, columns = min(canvas.shape[0], plane.shape[0]), min(canvas.shape[1], plane.shape[1])
    top, left = (canvas.shape[0] - rows) // 2, (canvas.shape[1] - columns) // 2
    canvas[top : top + rows, left : left + columns] = plane[:rows, :columns]


def _badge(art: Emblem, side: int) -> Plane:
    inner = max(1, round(side * (1.0 if art.frame == "none" else SYMBOL_SHARE.get(art.frame, 0.6))))
    if art.symbol == "initials":
        drawn = _writing(art.initials, art.font, inner, inner)
    else:
        drawn = (_remembered_symbol if inner <= REMEMBERED_SIDE else _symbol)(art.symbol, inner)
    symbol = np.zeros((side, side), dtype=np.uint8)
    _put_in_middle(symbol, drawn)
    if art.frame == "none":
        return symbol
    if not art.thickness:
        return np.asarray(cv2.subtract(_frame(art.frame, side), symbol), dtype=np.uint8)
    draw_lines = _remembered_lines if side <= REMEMBERED_SIDE else _lines
    return np.asarray(cv2.max(draw_lines(art.frame, side, max(1, round(art.thickness * side))), symbol), dtype=np.uint8)


def _lines(frame: Frame, side: int, line: int) -> Plane:
    lines = _hollow(frame, side, 0, line)
    if frame == "ring":  # a second, thinner circle inside
        lines = np.asarray(cv2.max(lines, _hollow(frame, side, 2 * line, max(1, line // 2))), dtype=np.uint8)
    return lines


_remembered_lines = lru_cache(maxsize=REMEMBERED)(_lines)


def _hollow(frame: Frame, side: int, margin: int, line: int) -> Plane:
    """Draws a frame's line, ``margin`` pixels inside the square."""
    plane = np.zeros((side, side), dtype=np.uint8)
    outer, inner = side - 2 * margin, side - 2 * (margin + line)
    if outer < 1:
        return plane
    _put_in_middle(plane, _frame(frame, outer))
    if inner >= 1:
        hole = np.zeros((side, side), dtype=np.uint8)
        _put_in_middle(hole, _frame(frame, inner))
        plane = np.asarray(cv2.subtract(plane, hole), dtype=np.uint8)
    return plane


def _frame(frame: Frame, side: int) -> Plane:
    if frame in ("disc", "ring"):
        return ellipse(side, side)
    if frame in _OUTLINES:
        return _polygon(_OUTLINES[frame], side)
    plane = np.full((side, side), 255, dtype=np.uint8)
    if frame == "rounded" and side > 4:
        radius = side // 5
        corners = ellipse(2 * radius, 2 * radius)
        for rows, part in ((slice(None, radius), slice(None, radius)), (slice(-radius, None), slice(radius, None))):
            plane[rows, :radius], plane[rows, -radius:] = corners[part, :radius], corners[part, radius:]
    return plane


def _symbol(symbol: str, side: int) -> Plane:
    plane = np.zeros((side, side), dtype=np.uint8)
    _SYMBOLS[symbol](plane, side)
    return plane


_remembered_symbol = lru_cache(maxsize=REMEMBERED)(_symbol)


def _writing(text: str, font: str, width: int, height: int) -> Plane:
    """Writes a line that just fits into a box; it has the box's width or its height."""
    if not text.strip():
        return np.zeros((1, width), dtype=np.uint8)
    drawn = write(text, font, font_size(text, font, SPACING, max(width, height)), SPACING)
    scale = min(width / drawn.shape[1], height / drawn.shape[0])
    size = max(1, round(drawn.shape[1] * scale)), max(1, round(drawn.shape[0] * scale))
    return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _regular(corners: int, turn: float = 0.0, inner: float = 1.0) -> Points:
    """Corners of a regular polygon in the unit square; ``inner`` below 1 pulls every other one in: a star."""
    angles = [2 * pi * number / corners + turn - pi / 2 for number in range(corners)]
    radii = [0.5 * (inner if number % 2 else 1.0) for number in range(corners)]
    return [(0.5 + r * cos(a), 0.5 + r * sin(a)) for a, r in zip(angles, radii, strict=True)]


_SHIELD_SIDE: Points = [(1.0, 0.5), (0.93, 0.7), (0.8, 0.85), (0.65, 0.95)]
_OUTLINES: dict[str, Points] = {
    "hexagon": _regular(6),
    "diamond": _regular(4),
    "star": _regular(10, inner=0.55),
    "shield": [(0.0, 0.05), (0.5, 0.0), (1.0, 0.05), *_SHIELD_SIDE, (0.5, 1.0)]
    + [(1 - x, y) for x, y in reversed(_SHIELD_SIDE)],
}


def _star(plane: Plane, side: int) -> None:
    _polygon(_regular(10, inner=0.4), side, plane)


def _mountain(plane: Plane, side: int) -> None:
    _polygon([(0.0, 0.9), (0.38, 0.25), (0.6, 0.6), (0.72, 0.42), (1.0, 0.9)], side, plane)
    cv2.circle(plane, (round(0.78 * side), round(0.18 * side)), max(1, round(0.1 * side)), 255, -1, cv2.LINE_AA)


def _aperture(plane: Plane, side: int) -> None:
    """Six blades of a camera's iris around a hexagonal opening."""
    plane[...] = ellipse(side, side)
    opening = [(0.5 + 0.45 * (x - 0.5), 0.5 + 0.45 * (y - 0.5)) for x, y in _regular(6, pi / 6)]
    _polygon(opening, side, plane, 0)
    for start, end in zip(opening, _regular(6), strict=True):
        _line(plane, start, end, 24, 0)


def _wave(plane: Plane, side: int) -> None:
    across = np.linspace(0, 1, 33).tolist()
    for middle in (0.25, 0.5, 0.75):
        upper = [(x, middle + 0.09 * sin(2 * pi * x) - 0.05) for x in across]
        _polygon(upper + [(x, y + 0.1) for x, y in reversed(upper)], side, plane)


def _leaf(plane: Plane, side: int) -> None:
    along = np.linspace(0, pi, 25).tolist()
    right = [(0.5 + 0.32 * sin(t), 0.02 + 0.8 * t / pi) for t in along]
    _polygon(right + [(1 - x, y) for x, y in reversed(right)], side, plane)
    _line(plane, (0.5, 0.25), (0.5, 1.0), 20, 0)
    _line(plane, (0.5, 0.82), (0.5, 1.0), 20, 255)


def _line(plane: Plane, start: tuple[float, float], end: tuple[float, float], thinness: int, value: int) -> None:
    side = plane.shape[0]
    ends = [(round(x * (side - 1)), round(y * (side - 1))) for x, y in (start, end)]
    cv2.line(plane, ends[0], ends[1], value, max(1, side // thinness), cv2.LINE_AA)


_SYMBOLS: dict[str, Callable[[Plane, int], None]] = {
    "star": _star, "mountain": _mountain, "aperture": _aperture, "wave": _wave, "leaf": _leaf,
}  # fmt: skip
