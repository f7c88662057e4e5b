"""Draws mark specifications: the only randomness of the synthesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from wm_lightning.data.synthesis.assets import font_files, writable_phrases
from wm_lightning.data.synthesis.spec import KINDS, Kind, MarkSpec
from wm_lightning.errors import UserError

_Number = TypeVar("_Number", int, float)

FIELD_ROWS = FIELD_COLUMNS = 4
OUTLINE_SHARES = (0.0, 0.02, 0.05)


class MarkSampler:
    """Draws the marks of one view, each independently; ranges are inclusive (low, high) and uniform.

    Args:
        phrases: Texts by language; a phrase that no font covers is left out with a warning.
        kinds: Relative frequency of each kind of mark: text, line, rectangle, circle.
        fonts: Font files or folders beside the bundled ones.
        marks: How many marks a view has.
        size: A mark's longer side, as a share of the picture's shorter side.
        opacity: 0..1.
        angle: Degrees, counterclockwise.
        saturated: Share of marks in a random colour; the others are grey, mostly near white or black.
        alpha_variation: How far the opacity may fall within a mark: 0 keeps it even, 1 lets it vanish.
        occlusion: Share of marks of which a part is missing.

    Raises:
        UserError: A range or share is out of bounds, or nothing is left to draw.
    """

    def __init__(
        self,
        phrases: Mapping[str, Sequence[str]],
        kinds: Mapping[Kind, float],
        fonts: Sequence[str] = (),
        marks: tuple[int, int] = (1, 3),
        size: tuple[float, float] = (0.25, 0.9),
        opacity: tuple[float, float] = (0.3, 0.9),
        angle: tuple[float, float] = (-45.0, 45.0),
        saturated: float = 0.3,
        alpha_variation: float = 0.5,
        occlusion: float = 0.2,
    ) -> None:
        self.marks = _range("marks", marks, 1, 100)
        self.size = _range("size", size, 0.01, 4)
        self.opacity = _range("opacity", opacity, 0.01, 1)
        self.angle = _range("angle", angle, -360, 360)
        self.saturated = _share("saturated", saturated)
        self.alpha_variation = _share("alpha_variation", alpha_variation)
        self.occlusion = _share("occlusion", occlusion)
        if unknown := set(kinds) - set(KINDS):
            raise UserError(
                f"synthesis.sampler.kinds: {', '.join(sorted(unknown))} unknown; choose from {', '.join(KINDS)}."
            )
        if min(kinds.values(), default=0) < 0 or sum(kinds.values()) <= 0:
            raise UserError("synthesis.sampler.kinds: frequencies must not be negative, and one must be above 0.")
        self.kinds = tuple(kinds)
        self.frequencies = np.array(list(kinds.values()), dtype=float) / sum(kinds.values())
        self.phrases = writable_phrases(phrases, font_files(fonts)) if kinds.get("text", 0) > 0 else {}
        if kinds.get("text", 0) > 0 and not self.phrases:
            raise UserError(
                "synthesis.sampler.phrases: no phrase can be written; add phrases, or fonts (synthesis.sampler.fonts)."
            )

    def count(self, generator: np.random.Generator) -> int:
        """Draws how many marks a view has."""
        return int(generator.integers(self.marks[0], self.marks[1], endpoint=True))

    def __call__(self, generator: np.random.Generator) -> MarkSpec:
        """Draws one mark; only ``generator`` is used and advanced."""
        kind = self.kinds[generator.choice(len(self.kinds), p=self.frequencies)]
        text = font = ""
        aspect, outline = 1.0, 0.0
        if kind == "text":
            text = str(generator.choice(list(self.phrases)))
            font = str(generator.choice(self.phrases[text]))
        elif kind == "line":
            aspect = float(generator.uniform(0.01, 0.06))
        else:
            aspect = float(generator.uniform(0.2, 1.0))
            outline = float(generator.choice(OUTLINE_SHARES))
        return MarkSpec(
            kind=kind,
            center=(float(generator.uniform()), float(generator.uniform())),
            size=float(generator.uniform(*self.size)),
            angle=float(generator.uniform(*self.angle)),
            colour=self._colour(generator),
            opacity=float(generator.uniform(*self.opacity)),
            alpha_field=self._alpha_field(generator),
            occlusion=self._occlusion(generator),
            text=text,
            font=font,
            aspect=aspect,
            outline=outline,
        )

    def _colour(self, generator: np.random.Generator) -> tuple[int, int, int]:
        if generator.uniform() < self.saturated:
            red, green, blue = (int(value) for value in generator.integers(0, 256, 3))
            return red, green, blue
        # Beta(0.5, 0.5) piles up at both ends: white and black marks are the usual ones.
        grey = round(255 * float(generator.beta(0.5, 0.5)))
        return grey, grey, grey

    def _alpha_field(self, generator: np.random.Generator) -> tuple[tuple[float, ...], ...]:
        lowest = 1 - self.alpha_variation * generator.uniform()
        field = generator.uniform(lowest, 1, (FIELD_ROWS, FIELD_COLUMNS))
        return tuple(tuple(float(value) for value in row) for row in field)

    def _occlusion(self, generator: np.random.Generator) -> tuple[float, float, float, float] | None:
        if generator.uniform() >= self.occlusion:
            return None
        width, height = (float(value) for value in generator.uniform(0.1, 0.4, 2))
        left, top = float(generator.uniform(0, 1 - width)), float(generator.uniform(0, 1 - height))
        return left, top, left + width, top + height


def _range(name: str, value: tuple[_Number, _Number], least: float, most: float) -> tuple[_Number, _Number]:
    low, high = value
    if not least <= low <= high <= most:
        raise UserError(
            f"synthesis.sampler.{name}=[{low},{high}] must lie within {least}..{most}, the lower bound first."
        )
    return low, high


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UserError(f"synthesis.sampler.{name}={value} must lie within 0..1.")
    return value
