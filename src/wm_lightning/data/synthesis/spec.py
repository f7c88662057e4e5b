"""Frozen descriptions of marks: what is drawn, where, and how it lies on a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from wm_lightning.data.synthesis.art import (
    BLACK,
    WHITE,
    Art,
    Code,
    Colour,
    Design,
    Effect,
    Emblem,
    Frame,
    KnownArt,
    Logo,
    Net,
    OwnArt,
    Part,
    PartArt,
    Plate,
    PlateForm,
    Shape,
    Style,
    Symbol,
    Text,
)
from wm_lightning.errors import UserError

__all__ = [
    "BLACK", "WHITE", "Art", "Blend", "Code", "Colour", "DegradationSpec", "Design", "Effect", "Emblem", "Frame",
    "Kernel", "KnownArt", "Logo", "MarkSpec", "Net", "OwnArt", "Part", "PartArt", "Plate", "PlateForm", "Shape",
    "Style", "Symbol", "Text", "Tiling", "ViewSpec", "from_json", "to_json",
]  # fmt: skip

Blend = Literal["normal", "screen", "multiply"]
Kernel = Literal["area", "cubic", "lanczos"]

# A misspelt key in a file must not be passed over.
_KNOWN_KEYS_ONLY = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Tiling:
    """Repetition over the whole picture.

    Attributes:
        gap: Space between repetitions, (horizontal, vertical), as shares of the mark's longer side.
        shift: How far each second row is moved sideways, as a share of the horizontal period.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    gap: tuple[float, float] = (0.0, 0.0)
    shift: float = 0.0


@dataclass(frozen=True)
class MarkSpec:
    """Everything needed to draw one mark on a picture of any size; equal specs give equal pixels.

    Lengths are relative, so a spec means the same on a thumbnail and on a poster.

    Attributes:
        art: What is drawn.
        center: (x, y) of its centre as shares of the picture's width and height; the mark may reach over the edges.
            With a ``margin``: as shares of the room that the mark leaves, so that (0, 1) is the lower left corner.
        size: Its longer side before rotation, as a share of the picture's shorter side; that of one repetition where
            it is tiled.
        margin: Between the mark and the edges, as a share of the picture's shorter side; None: see ``center``.
        angle: Degrees, counterclockwise.
        opacity: 0..1; 1 hides the photograph.
        colour: Of the drawing; None keeps a logo's own colours and draws all else white.
        second_colour: Of outlines and shadows.
        blend: How the mark and the photograph mix, see :func:`~wm_lightning.data.synthesis.render.render`.
        aspect: Height over width; None keeps what the art has by nature.
        tiling: Repeats the mark over the whole picture.
        alpha_field: Rows of factors 0..1, stretched smoothly over the picture, that the opacity is multiplied with.
        occlusion: (left, top, right, bottom) as shares of the mark's box: a part of the mark that is missing.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    art: Annotated[KnownArt, Field(discriminator="kind")] | OwnArt
    center: tuple[float, float] = (0.5, 0.5)
    size: float = 0.5
    margin: float | None = None
    angle: float = 0.0
    opacity: float = 1.0
    colour: Colour | None = None
    second_colour: Colour = (0, 0, 0)
    blend: Blend = "normal"
    aspect: float | None = None
    tiling: Tiling | None = None
    alpha_field: tuple[tuple[float, ...], ...] = ((1.0,),)
    occlusion: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class DegradationSpec:
    """What a scan, a camera or a website does to a whole picture, the mark included; in this order.

    Attributes:
        contrast: Factor around middle grey; 1 changes nothing.
        brightness: Added to every value, in grey levels.
        moire: (strength in grey levels, period in pixels, angle in degrees) of a fine pattern of stripes.
        blur: Standard deviation of a Gaussian in pixels; 0 for none.
        resample: The picture is reduced to this share of its size and enlarged again; 1 for not.
        screen: (scale, kernel): shown at another size and brought back to its own, as a screenshot is.
        sharpen: (amount, standard deviation in pixels): the difference from a Gaussian blur is added so many times.
        noise: (standard deviation in grey levels, seed).
        webp: Quality of a WebP compression; None for none.
        first_jpeg: Quality of a JPEG compression (4:2:0) before the last one; None for none.
        jpeg: Quality of a JPEG compression; None for none.
        full_chroma: Whether that compression keeps colours at full resolution (4:4:4) and not at half (4:2:0).
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    contrast: float = 1.0
    brightness: float = 0.0
    moire: tuple[float, float, float] | None = None
    blur: float = 0.0
    resample: float = 1.0
    screen: tuple[float, Kernel] | None = None
    sharpen: tuple[float, float] | None = None
    noise: tuple[float, int] | None = None
    webp: int | None = None
    first_jpeg: int | None = None
    jpeg: int | None = None
    full_chroma: bool = False


@dataclass(frozen=True)
class ViewSpec:
    """One watermarked view: its marks in drawing order, and what happened to the whole picture afterwards."""

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    marks: tuple[MarkSpec, ...] = ()
    degradation: DegradationSpec | None = None


_VIEW = TypeAdapter(ViewSpec)


def to_json(spec: ViewSpec) -> str:
    """Returns a spec as JSON, from which :func:`from_json` makes an equal one; art of somebody's own it cannot read."""
    return _VIEW.dump_json(spec).decode()


def from_json(text: str) -> ViewSpec:
    """Reads a spec that :func:`to_json` wrote.

    Raises:
        UserError: It is no JSON, or no spec; says where.
    """
    try:
        return _VIEW.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        steps = [str(step) for step in first["loc"] if not str(step).startswith("tagged-union[")]
        place = ".".join(steps) or "the text"
        raise UserError(f"This is no watermark specification: {place}: {first['msg']}.") from error
