"""From a specification to a layer that can be put on a picture; deterministic."""

from __future__ import annotations

from math import ceil, cos, floor, log2, radians, sin
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from wm_lightning.data.synthesis.draw import Stencil, stencil
from wm_lightning.data.synthesis.spec import WHITE, Colour, Design, MarkSpec, Tiling

Picture: TypeAlias = npt.NDArray[np.uint8]

STENCIL_SIDES = (8, 4096)  # smallest and largest longer side that is drawn; beyond, a stencil is resized
STRONG_REDUCTION = 0.49  # below it, linear interpolation would pass pixels over


class Layer(NamedTuple):
    """A mark on a picture, clipped to it: ``watermarked = (1 - alpha) * clean + colour``, per channel, in 0..1.

    Attributes:
        alpha: How much of the photograph is taken away: (h, w, 3) uint8, 255 for all of it.
        colour: What is put in its place, already multiplied with alpha: (h, w, 3) uint8.
        top: Row of the picture that the first row lies on.
        left: Column of the picture that the first column lies on.
    """

    alpha: Picture
    colour: Picture
    top: int
    left: int


class _Box(NamedTuple):
    """Rows and columns of a picture."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        return max(0, self.right - self.left), max(0, self.bottom - self.top)


def render(spec: MarkSpec, height: int, width: int) -> Layer:
    """Draws a mark for a picture of ``height`` x ``width`` pixels; the layer is empty where it lies outside.

    Every blend mode comes down to the layer's formula. Where a mark of coverage a and colour c lies on a photograph x,
    ``normal`` gives ``(1 - a) x + a c``; ``screen`` ``1 - (1 - x)(1 - a c)``, which takes ``a c`` away and puts as much
    white there; ``multiply`` ``x (1 - a (1 - c))``, which takes ``a (1 - c)`` away and puts nothing there.
    """
    planes, scale = _upright(spec, height, width)
    placement = _Placement(spec, planes.shape, scale, height, width)
    box, matrix = placement.box, placement.matrix
    if 0 in box.size:
        nothing = np.zeros((0, 0, 3), dtype=np.uint8)
        return Layer(nothing, nothing, 0, 0)
    if spec.tiling is not None:
        planes, matrix = _tiled(planes, spec.tiling, matrix, box.size)
    placed = _warped(planes, matrix, box.size)
    alpha, colour = _coloured(placed, _strength(spec, box, height, width), spec)
    if spec.blend == "screen":
        alpha = colour
    elif spec.blend == "multiply":
        alpha, colour = cv2.subtract(_three(alpha), colour), np.zeros_like(colour)
    return Layer(_three(alpha), np.asarray(colour, dtype=np.uint8), box.top, box.left)


def split(picture: Picture) -> list[MatLike]:
    """Returns the channels of (h, w, channels), each (h, w); faster where OpenCV finds the arrays it fills."""
    return list(cv2.split(picture, [np.empty(picture.shape[:2], dtype=np.uint8) for _ in range(picture.shape[2])]))


def _upright(spec: MarkSpec, height: int, width: int) -> tuple[Stencil, tuple[float, float]]:
    """Returns the stencil, and how many pixels of the picture one of its pixels has across and down."""
    length = max(1.0, spec.size * min(height, width))
    # Sizes in powers of 2: what is remembered serves many marks, and is at most twice too large. Designs are not.
    pixels = ceil(length) if isinstance(spec.art, Design) else 2 ** ceil(log2(length))
    planes = stencil(spec.art, min(max(pixels, STENCIL_SIDES[0]), STENCIL_SIDES[1]))
    rows, columns = planes.shape[:2]
    stretch = 1.0 if spec.aspect is None else spec.aspect * columns / rows
    across = length / max(columns, rows * stretch)
    planes = _halved(planes, columns * across, rows * across * stretch)
    scale = columns * across / planes.shape[1], rows * across * stretch / planes.shape[0]
    if spec.occlusion is not None:
        planes = planes.copy()
        left, top, right, bottom = spec.occlusion
        rows, columns = planes.shape[:2]
        planes[round(top * rows) : round(bottom * rows), round(left * columns) : round(right * columns)] = 0
    return planes, scale


def _halved(planes: Stencil, width: float, height: float) -> Stencil:
    """Halves a side as often as linear interpolation to ``width`` x ``height`` pixels would pass pixels over."""
    while True:
        rows, columns = planes.shape[:2]
        size = _half(columns, width), _half(rows, height)
        if size == (columns, rows):
            return planes
        planes = np.asarray(cv2.resize(planes, size), dtype=np.uint8).reshape(size[1], size[0], -1)


def _half(side: int, wanted: float) -> int:
    return side // 2 if side > 1 and wanted < STRONG_REDUCTION * side else side


class _Placement:
    """Where a stencil comes to lie: the picture's box, and the map from its pixels to the stencil's."""

    def __init__(
        self, spec: MarkSpec, shape: tuple[int, ...], scale: tuple[float, float], height: int, width: int
    ) -> None:
        angle = radians(spec.angle)
        cosine, sine = cos(angle), sin(angle)
        drawn = shape[1] * scale[0], shape[0] * scale[1]
        reach_x = (abs(drawn[0] * cosine) + abs(drawn[1] * sine)) / 2
        reach_y = (abs(drawn[0] * sine) + abs(drawn[1] * cosine)) / 2
        middle = spec.center[0] * width, spec.center[1] * height
        if spec.margin is not None:
            margin = spec.margin * min(height, width)
            left, top = margin + reach_x, margin + reach_y
            middle = left + spec.center[0] * (width - 2 * left), top + spec.center[1] * (height - 2 * top)
        self.box = _Box(0, 0, height, width)
        if spec.tiling is None:
            self.box = _Box(
                max(0, floor(middle[1] - reach_y)),
                max(0, floor(middle[0] - reach_x)),
                min(height, ceil(middle[1] + reach_y)),
                min(width, ceil(middle[0] + reach_x)),
            )
        # Pixel centres lie at halves; OpenCV counts them from 0.
        x, y = self.box.left + 0.5 - middle[0], self.box.top + 0.5 - middle[1]
        across, down = scale
        self.matrix = np.array(
            [
                [cosine / across, -sine / across, (cosine * x - sine * y) / across + shape[1] / 2 - 0.5],
                [sine / down, cosine / down, (sine * x + cosine * y) / down + shape[0] / 2 - 0.5],
            ]
        )


def _tiled(
    planes: Stencil, tiling: Tiling, matrix: npt.NDArray[np.float64], size: tuple[int, int]
) -> tuple[Stencil, npt.NDArray[np.float64]]:
    """Returns as many repetitions as the picture needs, and the map to them."""
    height, width, depth = planes.shape
    right, below = (round(gap * max(height, width)) for gap in tiling.gap)
    row = np.zeros((height + below, width + right, depth), dtype=np.uint8)
    row[:height, :width] = planes
    cell = row
    if tiling.shift:
        cell = np.concatenate([row, np.roll(row, round(tiling.shift * row.shape[1]), axis=1)])
    corners = np.array([[x, y, 1] for x in (0, size[0]) for y in (0, size[1])]) @ matrix.T
    period = np.array([cell.shape[1], cell.shape[0]])
    first = np.floor((corners.min(axis=0) - 1) / period)
    across, down = (np.ceil((corners.max(axis=0) + 2) / period) - first).astype(int)
    moved = matrix.copy()
    moved[:, 2] -= first * period
    repeated = np.asarray(cv2.repeat(cell, int(down), int(across)), dtype=np.uint8)
    return repeated.reshape(*repeated.shape[:2], depth), moved


def _warped(planes: Stencil, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> list[MatLike]:
    """Returns the planes in their place, each (h, w)."""
    # OpenCV warps four channels together faster than one by one, but two or three more slowly.
    together = [planes] if planes.shape[2] == 4 else split(planes)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = [cv2.warpAffine(plane, matrix, size, flags=flags) for plane in together]
    return split(np.asarray(warped[0], dtype=np.uint8)) if planes.shape[2] == 4 else warped


def _strength(spec: MarkSpec, box: _Box, height: int, width: int) -> Picture:
    """Returns opacity times alpha field on the box, (h, w), 255 for 1."""
    field = (np.array(spec.alpha_field) * (255 * spec.opacity) + 0.5).astype(np.uint8)
    if field.size == 1:
        return np.full(box.size[::-1], field.item(), dtype=np.uint8)
    whole = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    return whole[box.top : box.bottom, box.left : box.right]


def _coloured(whole: list[MatLike], strength: Picture, spec: MarkSpec) -> tuple[MatLike, MatLike]:
    """Turns planes into alpha, (h, w), and colour, (h, w, 3), as :class:`Layer` has them."""
    planes = [cv2.multiply(plane, strength, scale=1 / 255) for plane in whole]
    if len(planes) == 4 and spec.colour is None:
        return planes[3], cv2.merge(planes[:3])
    first = planes[-1] if len(planes) == 4 else planes[0]
    colour = _painted(first, spec.colour or WHITE)
    if len(planes) != 2:
        return first, colour
    # The second colour shows where the first leaves it free.
    second = cv2.multiply(planes[1], cv2.bitwise_not(whole[0]), scale=1 / 255)
    return cv2.add(first, second), cv2.add(colour, _painted(second, spec.second_colour))


def _painted(coverage: MatLike, colour: Colour) -> Picture:
    if colour == WHITE:
        return _three(coverage)
    if len(set(colour)) == 1:
        return _three(cv2.convertScaleAbs(coverage, alpha=colour[0] / 255))
    return np.asarray(cv2.merge([cv2.convertScaleAbs(coverage, alpha=value / 255) for value in colour]), dtype=np.uint8)


def _three(plane: MatLike) -> Picture:
    """Repeats a plane, (h, w), in three channels; three stay as they are."""
    return np.asarray(plane if plane.ndim == 3 else cv2.merge([plane, plane, plane]), dtype=np.uint8)
