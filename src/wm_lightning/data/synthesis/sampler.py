"""Draws mark specifications."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict, get_args

import numpy as np

from wm_lightning.data.synthesis.arts import LogoSampler, TextSampler, draw_shape
from wm_lightning.data.synthesis.assets import Assets
from wm_lightning.data.synthesis.design_sampler import DesignSampler
from wm_lightning.data.synthesis.inks import seen_on
from wm_lightning.data.synthesis.placement import PLACES, anywhere, draw_place
from wm_lightning.data.synthesis.ranges import checked_frequencies, checked_range, checked_share, choose, within
from wm_lightning.data.synthesis.spec import (
    BLACK,
    WHITE,
    Art,
    Blend,
    Colour,
    Emblem,
    Logo,
    MarkSpec,
    OwnArt,
    Text,
    Tiling,
)
from wm_lightning.errors import UserError

KINDS = ("text", "logo", "line", "rectangle", "circle", "grid", "bars")
DESIGN = "design"  # a kind too, for whoever gives a sampler of them
COVERING = frozenset({"grid", "bars"})  # cells that only make sense repeated
SLANTED = 0.3  # share of the designs that may be, where people would not write upright
FIELD_ROWS = FIELD_COLUMNS = 4


class _Place(TypedDict):
    """Where a mark lies; fields of :class:`MarkSpec`."""

    center: tuple[float, float]
    margin: float | None
    size: float
    aspect: float | None
    angle: float


class _Paint(TypedDict):
    """How a mark mixes with the photograph; fields of :class:`MarkSpec`."""

    colour: Colour | None
    second_colour: Colour
    blend: Blend


class MarkSampler:
    """Draws the marks of a view; ranges are inclusive (low, high) and uniform, frequencies relative.

    Args:
        assets: The fonts and logos at hand.
        kinds: Frequency of text, logo, design, line, rectangle, circle, grid, bars.
        text: Makes the sampler of texts from the assets.
        logo: Makes the sampler of logos from the assets.
        design: Makes the sampler of designs from the assets and those two.
        count: How many marks a view has.
        size: A mark's longer side, as a share of the picture's shorter side.
        tiled: Share of texts and logos that are repeated over the whole picture.
        tiled_size: As ``size``, of one repetition; also of the cells of grids and bars.
        free_aspect: Draws a logo's width and height independently, each from ``size``.
        angle: Degrees, counterclockwise.
        placement: Frequency of the places that :func:`~wm_lightning.data.synthesis.placement.draw_place` knows, upright
            in corners and at edges; None for anywhere. Some designs have places of their own.
        opacity: 0..1.
        opaque: Share of marks that hide the photograph.
        blends: Frequency of normal, screen, multiply.
        saturated: Share of marks in a random colour; the others are grey, mostly near white or black.
        own_colours: Share of logo files that keep their colours; the others are tinted.
        alpha_variation: How far the opacity may fall over the picture: 0 keeps it even, 1 lets it vanish.
        occlusion: Share of marks of which a part is missing.
        own: Samplers of other kinds of marks, by the name that ``kinds`` has for them.

    Raises:
        UserError: A range, share or frequency is out of bounds, or nothing is left to draw.
    """

    def __init__(
        self,
        assets: Assets,
        kinds: Mapping[str, float],
        text: Callable[[Assets], TextSampler] | None = None,
        logo: Callable[[Assets], LogoSampler] = LogoSampler,
        design: Callable[[Assets, TextSampler, LogoSampler], DesignSampler] | None = None,
        count: Sequence[int] = (1, 3),
        size: Sequence[float] = (0.25, 0.9),
        tiled: float = 0.0,
        tiled_size: Sequence[float] = (0.15, 0.5),
        free_aspect: bool = False,
        angle: Sequence[float] = (-45.0, 45.0),
        placement: Mapping[str, float] | None = None,
        opacity: Sequence[float] = (0.3, 0.9),
        opaque: float = 0.0,
        blends: Mapping[str, float] | None = None,
        saturated: float = 0.3,
        own_colours: float = 0.5,
        alpha_variation: float = 0.5,
        occlusion: float = 0.2,
        own: Mapping[str, Callable[[np.random.Generator], OwnArt]] | None = None,
    ) -> None:
        where = "synthesis.sampler"
        self.own = dict(own or {})
        if taken := sorted(set(self.own) & {*KINDS, DESIGN}):
            raise UserError(f"{where}.own.{taken[0]}: there is a kind of mark of this name; give yours another one.")
        designs = (DESIGN,) if text is not None and design is not None else ()
        known = (*(kind for kind in KINDS if text is not None or kind != "text"), *designs, *self.own)
        self.kinds = checked_frequencies(f"{where}.kinds", kinds, known)
        self.blends = checked_frequencies(f"{where}.blends", blends or {"normal": 1}, get_args(Blend))
        self.count = checked_range(f"{where}.count", count, 1, 100)
        self.size = checked_range(f"{where}.size", size, 0.01, 4)
        self.tiled_size = checked_range(f"{where}.tiled_size", tiled_size, 0.01, 4)
        self.angle = checked_range(f"{where}.angle", angle, -360, 360)
        self.opacity = checked_range(f"{where}.opacity", opacity, 0.01, 1)
        self.tiled = checked_share(f"{where}.tiled", tiled)
        self.opaque = checked_share(f"{where}.opaque", opaque)
        self.saturated = checked_share(f"{where}.saturated", saturated)
        self.own_colours = checked_share(f"{where}.own_colours", own_colours)
        self.alpha_variation = checked_share(f"{where}.alpha_variation", alpha_variation)
        self.occlusion = checked_share(f"{where}.occlusion", occlusion)
        self.free_aspect = free_aspect
        self.placement = placement and checked_frequencies(f"{where}.placement", placement, PLACES)
        wanted = set(self.kinds)
        self.text = text(assets) if text is not None and wanted & {"text", DESIGN} else None
        self.logo = logo(assets) if wanted & {"logo", DESIGN} else None
        self.design = None
        if design is not None and self.text is not None and self.logo is not None and DESIGN in wanted:
            self.design = design(assets, self.text, self.logo)

    def how_many(self, generator: np.random.Generator) -> int:
        """Draws how many marks a view has."""
        return int(generator.integers(self.count[0], self.count[1], endpoint=True))

    def __call__(self, generator: np.random.Generator) -> MarkSpec:
        """Draws one mark; only ``generator`` is used and advanced."""
        kind = choose(self.kinds, generator)
        if kind == DESIGN:
            return self._designed(generator)
        art: Art
        if kind == "text":
            assert self.text is not None
            art = self.text(generator)
        elif kind == "logo":
            assert self.logo is not None
            art = self.logo(generator)
        elif kind in self.own:
            art = self.own[kind](generator)
        else:
            art = draw_shape(kind, generator)
        tiling = occlusion = None
        if kind in COVERING:
            tiling = Tiling()
        elif kind in ("text", "logo", *self.own) and generator.random() < self.tiled:
            gap = within((0.1, 0.8), generator), within((0.1, 0.8), generator)
            tiling = Tiling(gap, 0.5 * int(generator.integers(2)))
        elif generator.random() < self.occlusion:
            occlusion = _occlusion(generator)
        return MarkSpec(
            art=art,
            opacity=1.0 if generator.random() < self.opaque else within(self.opacity, generator),
            alpha_field=self._alpha_field(generator),
            tiling=tiling,
            occlusion=occlusion,
            **self._paint(art, generator),
            **self._place(art, tiling, generator),
        )

    def placed(self, mark: MarkSpec, generator: np.random.Generator) -> MarkSpec:
        """Returns the same mark elsewhere, in another size and at another angle, a design like any other one."""
        return replace(mark, **self._place(mark.art, mark.tiling, generator))

    def _place(self, art: Art, tiling: Tiling | None, generator: np.random.Generator) -> _Place:
        size, aspect = within(self.size if tiling is None else self.tiled_size, generator), None
        if self.free_aspect and tiling is None and isinstance(art, Logo | Emblem):
            height = within(self.size, generator)
            size, aspect = max(size, height), height / size
        place = draw_place(self.placement, generator) if self.placement else anywhere(generator)
        angle = within(self.angle, generator)
        if place.upright and tiling is None:
            angle = 0.0
        return {"center": place.center, "margin": place.margin, "size": size, "aspect": aspect, "angle": angle}

    def _designed(self, generator: np.random.Generator) -> MarkSpec:
        assert self.design is not None
        drawn = self.design(generator)
        places = drawn.places or self.placement
        place = draw_place(places, generator, drawn.margins) if places else anywhere(generator)
        angle = drawn.angle or 0.0
        if drawn.angle is None and not place.upright and generator.random() < SLANTED:
            angle = within(self.angle, generator)
        return MarkSpec(
            art=drawn.art,
            center=place.center,
            size=drawn.size,
            margin=place.margin,
            angle=angle,
            opacity=drawn.opacity,
            tiling=drawn.tiling,
        )

    def _paint(self, art: Art, generator: np.random.Generator) -> _Paint:
        if isinstance(art, Logo) and generator.random() < self.own_colours:
            # Screen or multiply could leave nothing of its colours.
            return {"colour": None, "second_colour": BLACK, "blend": "normal"}
        blend: Blend = choose(self.blends, generator)  # type: ignore[assignment]
        if isinstance(art, Text) and art.style == "emboss":  # light from one side, shade on the other
            return {"colour": WHITE, "second_colour": BLACK, "blend": blend}
        first, second = self._colour(generator), self._colour(generator)
        # Screen only lightens and multiply only darkens: a colour at the wrong end would leave no mark.
        if blend == "screen":
            first = _lifted(first)
        elif blend == "multiply":
            first = _inverted(_lifted(_inverted(first)))
        return {"colour": first, "second_colour": seen_on(first, second), "blend": blend}

    def _colour(self, generator: np.random.Generator) -> Colour:
        if generator.random() < self.saturated:
            red, green, blue = generator.integers(0, 256, 3).tolist()
            return red, green, blue
        # Beta(0.5, 0.5) piles up at both ends: white and black marks are the usual ones.
        grey = round(255 * float(generator.beta(0.5, 0.5)))
        return grey, grey, grey

    def _alpha_field(self, generator: np.random.Generator) -> tuple[tuple[float, ...], ...]:
        if not self.alpha_variation:
            return ((1.0,),)
        lowest = 1 - self.alpha_variation * generator.random()
        return tuple(map(tuple, generator.uniform(lowest, 1, (FIELD_ROWS, FIELD_COLUMNS)).tolist()))


def _inverted(colour: Colour) -> Colour:
    return 255 - colour[0], 255 - colour[1], 255 - colour[2]


def _lifted(colour: Colour) -> Colour:
    """Returns a colour whose brightest channel is at least 160, the hue kept."""
    brightest = max(colour)
    if brightest >= 160:
        return colour
    red, green, blue = (round(value * 200 / brightest) for value in colour) if brightest else (200, 200, 200)
    return red, green, blue


def _occlusion(generator: np.random.Generator) -> tuple[float, float, float, float]:
    width, height = within((0.1, 0.4), generator), within((0.1, 0.4), generator)
    left, top = within((0, 1 - width), generator), within((0, 1 - height), generator)
    return left, top, left + width, top + height
