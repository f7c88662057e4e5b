"""Coverage to colour, and what lies around a drawing; premultiplied red, green, blue and coverage, (h, w, 4) uint8."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from wm_lightning.data.synthesis.art import BLACK, WHITE, Colour, Effect, Part

Plane: TypeAlias = npt.NDArray[np.uint8]
Picture: TypeAlias = npt.NDArray[np.uint8]  # (h, w, 4)

# How far an effect reaches, as a share of the drawing's height
REACH: dict[Effect, float] = {
    "none": 0.0, "outline": 0.05, "shadow": 0.1, "glow": 0.2, "emboss": 0.04, "double": 0.1,
}  # fmt: skip


def painted(coverage: MatLike, colour: Colour, opacity: float = 1.0, gradient: Colour | None = None) -> Picture:
    """Paints coverage, (h, w), in a colour, or from one at the top to another one at the bottom."""
    alpha = coverage if opacity == 1 else cv2.convertScaleAbs(coverage, alpha=opacity)
    if gradient is None:
        planes = [alpha if value == 255 else cv2.convertScaleAbs(alpha, alpha=value / 255) for value in colour]
    else:
        height, width = alpha.shape[:2]
        rows = np.linspace(colour, gradient, height) + 0.5
        shades = [np.repeat(rows[:, [channel]].astype(np.uint8), width, axis=1) for channel in range(3)]
        planes = [cv2.multiply(alpha, shade, scale=1 / 255) for shade in shades]
    return np.asarray(cv2.merge([*planes, alpha]), dtype=np.uint8)


def put(canvas: Picture, drawn: Picture, top: int, left: int) -> None:
    """Puts a drawing on a canvas, "over" what is there; cut off where it reaches out of the canvas."""
    rows, columns = max(0, -top), max(0, -left)
    drawn = drawn[rows : canvas.shape[0] - top, columns : canvas.shape[1] - left]
    if not drawn.size:
        return
    part = canvas[top + rows : top + rows + drawn.shape[0], left + columns : left + columns + drawn.shape[1]]
    through = cv2.bitwise_not(np.ascontiguousarray(drawn[..., 3]))
    kept = cv2.multiply(part, cv2.merge([through] * 4), scale=1 / 255)
    part[...] = cv2.add(kept, drawn)


def with_effect(drawn: MatLike, part: Part, reach: int) -> Picture:
    """Colours a drawing and puts its effect around it.

    Args:
        drawn: (h, w) coverage, or (h, w, 4) where it has colours of its own; with empty margins of ``reach`` at least.
        part: How it is coloured.
        reach: How many pixels the effect reaches.
    """
    shape = np.ascontiguousarray(drawn[..., 3]) if drawn.ndim == 3 else drawn
    if part.effect == "emboss":
        return _embossed(shape, reach, part.opacity)
    if drawn.ndim == 3 and part.colour is None and part.gradient is None:
        top = np.asarray(drawn if part.opacity == 1 else cv2.convertScaleAbs(drawn, alpha=part.opacity), dtype=np.uint8)
    else:
        top = painted(shape, part.colour or WHITE, part.opacity, part.gradient)
    if part.effect == "none" or not reach:
        return top
    # Around the drawing, not below it: through a translucent one, the photograph is seen.
    free = cv2.bitwise_not(shape)
    rim = cv2.multiply(_around(shape, part.effect, reach), free, scale=1 / 255)
    if part.effect != "double":
        return np.asarray(cv2.add(painted(rim, part.effect_colour, part.effect_opacity), top), dtype=np.uint8)
    inner = cv2.min(_around(shape, "outline", max(1, reach // 2)), free)
    outer = cv2.subtract(rim, inner)
    both = cv2.add(painted(inner, part.effect_colour), painted(outer, part.colour or WHITE))
    return np.asarray(cv2.add(top, cv2.convertScaleAbs(both, alpha=part.effect_opacity)), dtype=np.uint8)


def _around(shape: MatLike, effect: Effect, reach: int) -> MatLike:
    """Returns how far an effect covers, the drawing included."""
    if effect == "shadow":
        away = max(1, round(0.6 * reach))
        return _blurred(moved(shape, away), reach - away)
    if effect == "glow":
        spread = max(1, reach // 3)
        return _blurred(_wider(shape, spread), reach - spread)
    return _wider(shape, reach)


def _wider(shape: MatLike, reach: int) -> MatLike:
    return cv2.dilate(shape, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))


def _blurred(shape: MatLike, reach: int) -> MatLike:
    # A box over a box is a tent; each takes half of the reach, so that nothing is cut off at the margin.
    side = 2 * (reach // 2) + 1
    return shape if side == 1 else cv2.blur(cv2.blur(shape, (side, side)), (side, side))


def _embossed(shape: MatLike, reach: int, opacity: float) -> Picture:
    """Draws a light edge at the upper left and a dark one at the lower right, and nothing between."""
    light = cv2.subtract(shape, moved(shape, reach))
    dark = cv2.subtract(cv2.subtract(shape, moved(shape, -reach)), light)
    return np.asarray(cv2.add(painted(light, WHITE, opacity), painted(dark, BLACK, opacity)), dtype=np.uint8)


def moved(plane: MatLike, pixels: int) -> MatLike:
    """Moves a plane with empty margins down and to the right."""
    return np.roll(plane, (pixels, pixels), axis=(0, 1))
