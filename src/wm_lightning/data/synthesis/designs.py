"""Designs to pixels: parts in a row or a column, on a plate, in a net of lines; deterministic."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, hypot, log2
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from wm_lightning.data.synthesis import figures
from wm_lightning.data.synthesis.art import Design, Logo, Part, PartArt, Plate, Text
from wm_lightning.data.synthesis.assets import load_logo
from wm_lightning.data.synthesis.effects import REACH, Picture, painted, put, with_effect

MEASURED = 64  # pixels of the drawing that tells how wide a part is; small ones are remembered

DrawPart = Callable[[PartArt, int], npt.NDArray[np.uint8]]


class _Laid(NamedTuple):
    """A part, and the box it lies in; lengths are shares of the highest part's height."""

    part: Part
    left: float
    top: float
    width: float
    height: float


def draw_design(art: Design, pixels: int, draw: DrawPart) -> Picture:
    """Draws a design, its longer side ``pixels``: (h, w, 4), premultiplied.

    Args:
        art: What is drawn.
        pixels: Of the longer side.
        draw: Draws the art of a part, its longer side about so many pixels, as
            :func:`~wm_lightning.data.synthesis.draw.stencil` does.
    """
    laid, width, height = _laid_out(art, draw)
    reach = max((REACH[box.part.effect] * box.height for box in laid), default=0.0)
    inner_width, inner_height = _room(art.plate, width, height, reach)
    outer_width, outer_height = inner_width, inner_height
    if art.net is not None:
        outer_width = max(inner_width, inner_height * art.net.aspect) / art.net.room
        outer_height = outer_width / art.net.aspect
    scale = pixels / max(outer_width, outer_height)
    canvas = np.zeros((max(1, round(outer_height * scale)), max(1, round(outer_width * scale)), 4), dtype=np.uint8)
    rows, columns = canvas.shape[:2]
    if art.net is not None:
        lines = figures.net(art.net.lines, rows, columns, max(1, round(art.net.thickness * columns)))
        put(canvas, painted(lines, art.net.colour, art.net.opacity), 0, 0)
    if art.plate is not None:
        size = max(1, round(inner_height * scale)), max(1, round(inner_width * scale))
        filled = figures.plate(art.plate.form, *size)
        drawn = painted(filled, art.plate.colour, art.plate.opacity, art.plate.gradient)
        put(canvas, drawn, (rows - size[0]) // 2, (columns - size[1]) // 2)
    left, top = (columns / scale - width) / 2, (rows / scale - height) / 2
    for box in laid:
        _put_part(canvas, box._replace(left=box.left + left, top=box.top + top), scale, draw)
    return canvas


def _laid_out(art: Design, draw: DrawPart) -> tuple[list[_Laid], float, float]:
    """Returns each part's box, and the width and height of all."""
    sizes: list[tuple[Part, float, float]] = []
    for part in art.parts:
        # A file need not be drawn to tell.
        measured = load_logo(part.art.path) if isinstance(part.art, Logo) else draw(part.art, MEASURED)
        rows, columns = measured.shape[:2]
        sizes.append((part, part.height * columns / rows, part.height))
    width = max((across for _, across, _ in sizes), default=1.0)
    height = max((down for _, _, down in sizes), default=1.0)
    laid, at = [], 0.0
    for part, across, down in sizes:
        if art.layout == "row":
            laid.append(_Laid(part, at, (height - down) / 2, across, down))
            at += across + art.gap
        else:
            laid.append(_Laid(part, (width - across) / 2, at, across, down))
            at += down + art.gap
    length = at - art.gap if sizes else 1.0
    return (laid, length, height) if art.layout == "row" else (laid, width, length)


def _room(plate: Plate | None, width: float, height: float, reach: float) -> tuple[float, float]:
    """Returns the width and height that the plate takes, or parts and effects where there is none."""
    if plate is None:
        return width + 2 * reach, height + 2 * reach
    padding = max(plate.padding * height, reach)
    if plate.form == "circle" and plate.aspect == 1:  # the parts' corners lie within it
        side = hypot(width, height) + padding
        return side, side
    width, height = width + 2 * padding, height + 2 * padding
    if plate.form in ("circle", "pill"):
        width += height / 2
    if plate.aspect:
        width, height = max(width, height * plate.aspect), max(height, width / plate.aspect)
    return width, height


def _put_part(canvas: Picture, box: _Laid, scale: float, draw: DrawPart) -> None:
    size = max(1, round(box.width * scale)), max(1, round(box.height * scale))
    # Writing has few sizes by itself; all else is drawn in powers of 2, so that what is remembered serves often.
    pixels = max(size) if isinstance(box.part.art, Text) else 2 ** ceil(log2(max(8, *size)))
    planes = draw(box.part.art, pixels)
    shape: MatLike = planes if planes.shape[2] == 4 else planes.max(axis=2)  # a second colour is taken as the first
    resized = cv2.resize(shape, size, interpolation=cv2.INTER_AREA if planes.shape[1] > size[0] else cv2.INTER_LINEAR)
    share = REACH[box.part.effect]
    reach = max(1, round(share * size[1])) if share else 0
    # Half a pixel is enough to lose the last row of an effect.
    margin = reach + 1 if reach else 0
    if margin:
        resized = cv2.copyMakeBorder(resized, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    drawn = with_effect(resized, box.part, reach)
    put(canvas, drawn, round(box.top * scale) - margin, round(box.left * scale) - margin)
