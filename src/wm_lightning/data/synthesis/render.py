"""From a specification to a layer that can be put on a picture; deterministic."""

from __future__ import annotations

from math import ceil, cos, floor, log2, radians, sin
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from wm_lightning.data.synthesis.draw import Stencil, stencil
from wm_lightning.data.synthesis.spec import Colour, MarkSpec, Tiling

Plane = npt.NDArray[np.uint8]

STENCIL_SIDES = (8, 4096)  # smallest and largest longer side that is drawn; beyond, a stencil is resized
STRONG_REDUCTION = 0.49  # below it, linear interpolation would pass pixels over
WHITE: Colour = (255, 255, 255)


class Layer(NamedTuple):
    """A mark on a picture, clipped to it: ``watermarked = (1 - alpha) * clean + colour``, per channel, in 0..1.

    Attributes:
        alpha: How much of the photograph is taken away: (h, w, 3) uint8, 255 for all of it.
        colour: What is put in its place, already multiplied with alpha: (h, w, 3) uint8.
        top: Row of the picture that the first row lies on.
        left: Column of the picture that the first column lies on.
    """

    alpha: Plane
    colour: Plane
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
    size, matrix = placement.box.size, placement.matrix
    if 0 in size:
        nothing = np.zeros((0, 0, 3), dtype=np.uint8)
        return Layer(nothing, nothing, 0, 0)
    if spec.tiling is not None:
        planes, matrix = _tiled(planes, spec.tiling, matrix, size)
    placed = cv2.warpAffine(planes, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    strength = _strength(spec, placement.box, height, width)
    alpha, colour = _coloured(np.atleast_3d(placed), strength, spec)
    if spec.blend == "screen":
        alpha = colour
    elif spec.blend == "multiply":
        alpha, colour = np.asarray(cv2.subtract(alpha, colour), dtype=np.uint8), np.zeros_like(colour)
    return Layer(alpha, colour, placement.box.top, placement.box.left)


def _upright(spec: MarkSpec, height: int, width: int) -> tuple[Stencil, tuple[float, float]]:
    """Returns the stencil, and how many pixels of the picture one of its pixels has across and down."""
    length = max(1.0, spec.size * min(height, width))
    # Sizes in powers of 2: what is remembered serves many marks, and is at most twice too large.
    planes = stencil(spec.art, min(max(2 ** ceil(log2(length)), STENCIL_SIDES[0]), STENCIL_SIDES[1]))
    rows, columns = planes.shape[:2]
    stretch = 1.0 if spec.aspect is None else spec.aspect * columns / rows
    across = length / max(columns, rows * stretch)
    scale = across, across * stretch
    if min(scale) < STRONG_REDUCTION:
        size = max(1, round(columns * min(1.0, scale[0]))), max(1, round(rows * min(1.0, scale[1])))
        planes = np.atleast_3d(cv2.resize(planes, size, interpolation=cv2.INTER_AREA))
        scale = scale[0] * columns / size[0], scale[1] * rows / size[1]
    if spec.occlusion is not None:
        planes = planes.copy()
        left, top, right, bottom = spec.occlusion
        rows, columns = planes.shape[:2]
        planes[round(top * rows) : round(bottom * rows), round(left * columns) : round(right * columns)] = 0
    return planes, scale


class _Placement:
    """Where a stencil comes to lie: the picture's box, and the map from its pixels to the stencil's."""

    def __init__(
        self, spec: MarkSpec, shape: tuple[int, ...], scale: tuple[float, float], height: int, width: int
    ) -> None:
        angle = radians(spec.angle)
        cosine, sine = cos(angle), sin(angle)
        middle = spec.center[0] * width, spec.center[1] * height
        self.box = _Box(0, 0, height, width)
        if spec.tiling is None:
            drawn = shape[1] * scale[0], shape[0] * scale[1]
            reach_x = (abs(drawn[0] * cosine) + abs(drawn[1] * sine)) / 2
            reach_y = (abs(drawn[0] * sine) + abs(drawn[1] * cosine)) / 2
            self.box = _Box(
                max(0, floor(middle[1] - reach_y)),
                max(0, floor(middle[0] - reach_x)),
                min(height, ceil(middle[1] + reach_y)),
                min(width, ceil(middle[0] + reach_x)),
            )
        # Pixel centres lie at halves; OpenCV counts them from 0.
        x, y = self.box.left + 0.5 - middle[0], self.box.top + 0.5 - middle[1]
        turned = np.array(
            [[cosine, -sine, cosine * x - sine * y], [sine, cosine, sine * x + cosine * y]], dtype=np.float64
        )
        self.matrix = turned / np.array(scale)[:, None]
        self.matrix[:, 2] += np.array([shape[1], shape[0]]) / 2 - 0.5


def _tiled(
    planes: Stencil, tiling: Tiling, matrix: npt.NDArray[np.float64], size: tuple[int, int]
) -> tuple[Stencil, npt.NDArray[np.float64]]:
    """Returns as many repetitions as the picture needs, and the map to them."""
    longer = max(planes.shape[:2])
    right, below = (round(gap * longer) for gap in tiling.gap)
    cell = np.pad(planes, ((0, below), (0, right), (0, 0)))
    if tiling.shift:
        cell = np.concatenate([cell, np.roll(cell, round(tiling.shift * cell.shape[1]), axis=1)])
    corners = np.array([[x, y, 1] for x in (0, size[0]) for y in (0, size[1])]) @ matrix.T
    period = np.array([cell.shape[1], cell.shape[0]])
    first = np.floor((corners.min(axis=0) - 1) / period)
    across, down = (np.ceil((corners.max(axis=0) + 2) / period) - first).astype(int)
    moved = matrix.copy()
    moved[:, 2] -= first * period
    return np.tile(cell, (int(down), int(across), 1)), moved


def _strength(spec: MarkSpec, box: _Box, height: int, width: int) -> Plane:
    """Returns opacity times alpha field on the box, (h, w), 255 for 1."""
    field = (np.array(spec.alpha_field) * (255 * spec.opacity) + 0.5).astype(np.uint8)
    if field.size == 1:
        return np.full(box.size[::-1], field.item(), dtype=np.uint8)
    whole = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(whole[box.top : box.bottom, box.left : box.right], dtype=np.uint8)


def _coloured(planes: Stencil, strength: Plane, spec: MarkSpec) -> tuple[Plane, Plane]:
    """Turns planes into alpha and colour, as :class:`Layer` has them."""
    whole = cv2.split(planes)
    split = [cv2.multiply(plane, strength, scale=1 / 255) for plane in whole]
    if len(split) == 4 and spec.colour is None:
        return _three(split[3]), np.asarray(cv2.merge(split[:3]), dtype=np.uint8)
    first = split[-1] if len(split) == 4 else split[0]
    colour = _painted(first, spec.colour or WHITE)
    if len(split) != 2:
        return _three(first), colour
    # The second colour shows where the first leaves it free.
    free = cv2.bitwise_not(whole[0])
    second = cv2.multiply(split[1], free, scale=1 / 255)
    painted = cv2.add(colour, _painted(second, spec.second_colour))
    return _three(cv2.add(first, second)), np.asarray(painted, dtype=np.uint8)


def _painted(coverage: MatLike, colour: Colour) -> Plane:
    if colour == WHITE:
        return _three(coverage)
    return np.asarray(cv2.merge([cv2.convertScaleAbs(coverage, alpha=value / 255) for value in colour]), dtype=np.uint8)


def _three(plane: MatLike) -> Plane:
    return np.asarray(cv2.merge([plane, plane, plane]), dtype=np.uint8)
