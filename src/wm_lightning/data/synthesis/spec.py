"""The frozen description of one mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["text", "line", "rectangle", "circle"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class MarkSpec:
    """Everything needed to draw one mark on a picture of any size; equal specs give equal pixels.

    Lengths are relative, so a spec means the same on a thumbnail and on a poster.

    Attributes:
        kind: What is drawn.
        center: (x, y) of its centre as shares of the picture's width and height; the mark may reach over the edges.
        size: Its longer side before rotation, as a share of the picture's shorter side.
        angle: Degrees, counterclockwise.
        colour: sRGB, 0..255.
        opacity: 0..1; 1 hides the photograph.
        alpha_field: Rows of factors 0..1, stretched smoothly over the mark's box, that the opacity is multiplied with.
        occlusion: (left, top, right, bottom) as shares of the mark's box: a part of the mark that is missing.
        text: The text, where ``kind`` is ``text``.
        font: Path of its font.
        aspect: Height over width of a rectangle or an ellipse; thickness over length of a line.
        outline: Thickness of a rectangle's or circle's outline as a share of ``size``; 0 fills it.
    """

    kind: Kind
    center: tuple[float, float]
    size: float
    angle: float
    colour: tuple[int, int, int]
    opacity: float
    alpha_field: tuple[tuple[float, ...], ...] = ((1.0,),)
    occlusion: tuple[float, float, float, float] | None = None
    text: str = ""
    font: str = ""
    aspect: float = 1.0
    outline: float = 0.0
