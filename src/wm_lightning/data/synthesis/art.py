"""Frozen descriptions of what a mark shows: texts, logos, shapes, and designs put together of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field

Colour: TypeAlias = tuple[int, int, int]  # sRGB, 0..255
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
Style = Literal["fill", "outline", "shadow", "emboss"]
Frame = Literal["none", "disc", "ring", "square", "rounded", "hexagon", "diamond", "shield", "star"]
Symbol = Literal["initials", "star", "mountain", "aperture", "wave", "leaf"]
Effect = Literal["none", "outline", "shadow", "glow", "emboss", "double"]
PlateForm = Literal["square", "rounded", "circle", "pill"]
Lines = Literal["none", "cross", "grid"]

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
    """A line, rectangle or ellipse, the cell of a grid or of parallel bars, or a sparkle.

    Attributes:
        kind: ``grid`` and ``bars`` are one cell, meant to be tiled without gaps; ``sparkle`` is a star of four points.
        aspect: Height over width of a rectangle or an ellipse; thickness over length of a line.
        thickness: Width of an outline, of a grid's lines or of a bar as a share of the longer side; 0 fills rectangles
            and ellipses.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    kind: Literal["line", "rectangle", "circle", "grid", "bars", "sparkle"]
    aspect: float = 1.0
    thickness: float = 0.0


@dataclass(frozen=True)
class Code:
    """A square of dark modules with three finders, as scanners read; this one says nothing to them.

    Attributes:
        seed: Of the modules.
        modules: In a row, 21 or more.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    seed: int = 0
    modules: int = 21
    kind: Literal["code"] = "code"


PartArt: TypeAlias = Text | Logo | Emblem | Shape | Code


@dataclass(frozen=True)
class Part:
    """One drawing of a design, in colours and with an opacity of its own.

    Attributes:
        art: What is drawn.
        colour: Of the drawing; None keeps a logo's own colours and draws all else white.
        opacity: 0..1, of the drawing itself, not of its effect.
        gradient: The colour that ``colour`` turns into, from the upper edge to the lower one; None for an even one.
        effect: What lies around the drawing: an ``outline``, a ``shadow``, a ``glow``, a ``double`` outline (of
            ``effect_colour`` and, around that, of ``colour``); ``emboss`` draws a light and a dark edge and nothing
            between.
        effect_colour: Of outline, shadow and glow.
        effect_opacity: 0..1.
        height: As a share of the highest part's.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    art: Annotated[PartArt, Field(discriminator="kind")]
    colour: Colour | None = None
    opacity: float = 1.0
    gradient: Colour | None = None
    effect: Effect = "none"
    effect_colour: Colour = BLACK
    effect_opacity: float = 1.0
    height: float = 1.0


@dataclass(frozen=True)
class Plate:
    """What the parts of a design lie on.

    Attributes:
        form: ``square`` has sharp corners, ``rounded`` round ones, ``pill`` half circles at both ends.
        colour: Of all of it.
        opacity: 0..1.
        gradient: As of :class:`Part`.
        padding: Around the parts, as a share of their height.
        aspect: Width over height at least: a long one makes a band, 1 a box.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    form: PlateForm = "rounded"
    colour: Colour = BLACK
    opacity: float = 1.0
    gradient: Colour | None = None
    padding: float = 0.3
    aspect: float = 0.0


@dataclass(frozen=True)
class Net:
    """Lines through a design, below its plate and parts; a design that has some is meant to be tiled without gaps.

    Attributes:
        lines: ``cross`` leads from corner to corner, ``grid`` along two edges.
        colour: Of the lines.
        opacity: 0..1.
        thickness: As a share of the cell's side.
        room: The share of the cell's side that the longer side of what lies in its middle takes.
        aspect: Width over height of the cell.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    lines: Lines = "cross"
    colour: Colour = WHITE
    opacity: float = 1.0
    thickness: float = 0.01
    room: float = 0.4
    aspect: float = 1.0


@dataclass(frozen=True)
class Design:
    """Drawings put together: side by side or above each other, on a plate, in a net of lines.

    What lies on top of something is put there by the "over" operator, so that one mark can have opaque parts beside
    translucent ones.

    Attributes:
        parts: From left to right, or from top to bottom.
        layout: Which of the two.
        gap: Between parts, as a share of the highest one's height.
        plate: Behind the parts.
        net: Lines through it.
        recipe: What it is meant as, of :class:`~wm_lightning.data.synthesis.DesignSampler`'s; scores are grouped by it.
    """

    __pydantic_config__ = _KNOWN_KEYS_ONLY

    parts: tuple[Part, ...]
    layout: Literal["row", "column"] = "row"
    gap: float = 0.2
    plate: Plate | None = None
    net: Net | None = None
    recipe: str = ""
    kind: Literal["design"] = "design"


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


KnownArt: TypeAlias = PartArt | Design
Art: TypeAlias = KnownArt | OwnArt
