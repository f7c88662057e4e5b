"""Frozen descriptions of marks: what is drawn, where, and how it lies on a photograph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from wm_lightning.errors import UserError

Colour: TypeAlias = tuple[int, int, int]  # sRGB, 0..255
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
Style = Literal["fill", "outline", "shadow", "emboss"]
Blend = Literal["normal", "screen", "multiply"]
Frame = Literal["none", "disc", "ring", "square", "rounded", "hexagon", "diamond", "shield", "star"]
Symbol = Literal["initials", "star", "mountain", "aperture", "wave", "leaf"]

# A misspelt key in a file must not be passed over.
_KNOWN_KEYS_ONLY = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Text:
    """Writing.

    Attributes:
        text: What is written; a line break starts a new line, lines are centred.
        font: Name of a bundled font, or the path of one.
        style: ``fill``, ``outline`` (a second colour around the letters), ``shadow`` (a second colour behind them) or
            ``emboss`` (a light and a dark edge, nothing between).
        spacing: Added space between letters, as a share of the font's size; for scripts whose letters stand alone.
        language: Under which the phrase is listed; says nothing about how it is drawn.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    text: str
    font: str
    style: Style = "fill"
    spacing: float = 0.0
    language: str = ""
    kind: Literal["text"] = "text"


@dataclass(frozen=True)
class Logo:
    """A picture file with transparency.

    Attributes:
        path: The file.
        flat: Takes every pixel that is not transparent as opaque, as the SWCNN benchmark does.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    path: str
    flat: bool = False
    kind: Literal["logo"] = "logo"


@dataclass(frozen=True)
class Emblem:
    """A logo made of a frame, a symbol within it and a caption below.

    Attributes:
        frame: The outer shape.
        symbol: What is in it.
        font: Font of initials and caption: a bundled font's name, or a path.
        initials: One to three letters, drawn where ``symbol`` is ``initials``.
        caption: Text below; none where empty.
        thickness: Width of the frame's line as a share of its side; 0 fills the frame and cuts the symbol out.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    frame: Frame
    symbol: Symbol
    font: str
    initials: str = ""
    caption: str = ""
    thickness: float = 0.06
    kind: Literal["emblem"] = "emblem"


@dataclass(frozen=True)
class Shape:
    """A line, rectangle or ellipse, or the cell of a grid or of parallel bars.

    Attributes:
        kind: ``grid`` and ``bars`` are one cell, meant to be tiled without gaps.
        aspect: Height over width of a rectangle or an ellipse; thickness over length of a line.
        thickness: Width of an outline, of a grid's lines or of a bar as a share of the longer side; 0 fills rectangles
            and ellipses.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    kind: Literal["line", "rectangle", "circle", "grid", "bars"]
    aspect: float = 1.0
    thickness: float = 0.0


class OwnArt(ABC):
    """A kind of art that somebody brings: a frozen dataclass, so that equal ones are drawn once.

    Attributes:
        kind: Its name, as in ``synthesis.sampler.kinds``.
    """

    kind: str

    @abstractmethod
    def stencil(self, pixels: int) -> npt.NDArray[np.uint8]:
        """Draws it upright and alone, its longer side about so many pixels long.

        Returns:
            (h, w, 1): coverage; (h, w, 2): coverage of the first and, below it, of the second colour; or (h, w, 4):
            red, green and blue, already multiplied with coverage, and coverage. uint8.
        """


KnownArt: TypeAlias = Text | Logo | Emblem | Shape
Art: TypeAlias = KnownArt | OwnArt


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
        size: Its longer side before rotation, as a share of the picture's shorter side; that of one repetition where
            it is tiled.
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
        jpeg: Quality of a JPEG compression; None for none.
        full_chroma: Whether that compression keeps colours at full resolution (4:4:4) and not at half (4:2:0).
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    contrast: float = 1.0
    brightness: float = 0.0
    moire: tuple[float, float, float] | None = None
    blur: float = 0.0
    resample: float = 1.0
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
