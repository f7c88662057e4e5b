"""Sampler, renderer and blending put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from wm_lightning.data.sources import Photograph
from wm_lightning.data.synthesis.assets import Assets, LogoPart, find_assets
from wm_lightning.data.synthesis.blend import Overlay, changed
from wm_lightning.data.synthesis.degradation import DegradationSampler, degrade
from wm_lightning.data.synthesis.ranges import checked_range, checked_share
from wm_lightning.data.synthesis.render import render
from wm_lightning.data.synthesis.spec import DegradationSpec, MarkSpec, ViewSpec
from wm_lightning.errors import UserError

ATTEMPTS = 10  # how often a first mark over the cap is drawn again, before its picture stays unmarked
MOST_STAMPS = 200  # a mark so faint or so far outside that it covers nothing must not be stamped for ever


class View(NamedTuple):
    """A watermarked view of a photograph.

    Before a degradation, ``image = (1 - alpha) * clean + layer`` to one grey level, per channel, in 0..1.

    Attributes:
        image: (H, W, 3) uint8.
        clean: The photograph without marks, after the same degradation: (H, W, 3) uint8.
        mask: (H, W) bool, where the marks changed any channel by more than the threshold, before a degradation: what
            JPEG makes of that change leaves holes in a mark and specks around it.
        alpha: How much of the photograph the marks take away, (H, W, 3) uint8.
        layer: What they put in its place, already multiplied with alpha, (H, W, 3) uint8.
        spec: From which :func:`replay` makes the same view.
    """

    image: Photograph
    clean: Photograph
    mask: npt.NDArray[np.bool_]
    alpha: npt.NDArray[np.uint8]
    layer: npt.NDArray[np.uint8]
    spec: ViewSpec


class Marks(NamedTuple):
    """The marks of a view before they are on a photograph.

    Attributes:
        overlay: Their pixels.
        specs: From which they were drawn.
    """

    overlay: Overlay
    specs: tuple[MarkSpec, ...]


class Sampler(Protocol):
    """Draws the marks of a view, as :class:`~wm_lightning.data.synthesis.MarkSampler` does."""

    def how_many(self, generator: np.random.Generator) -> int:
        """Draws how many marks a view has."""

    def __call__(self, generator: np.random.Generator) -> MarkSpec:
        """Draws one mark."""

    def placed(self, mark: MarkSpec, generator: np.random.Generator) -> MarkSpec:
        """Returns the same mark elsewhere."""


class Synthesizer:
    """Watermarks photographs.

    Args:
        sampler: Makes the sampler of marks from the fonts and logos at hand.
        fonts: Font files, or folders of them, beside the bundled ones; ``dejavu`` stands for those of matplotlib.
        bundled_fonts: Uses the bundled fonts.
        system_fonts: Uses the fonts of this machine too; equal seeds then give other marks on other machines.
        logos: A folder of pictures with transparency; without one, logos are made of shapes and letters.
        logo_part: Which of them: ``all``, ``held_out`` (of the sorted names each tenth, from the first on) or ``train``
            (the others).
        degradation: Draws what happens to whole pictures; None leaves them as they are.
        max_coverage: Largest share of a picture's pixels under marks. Below one half, a second view that is marked
            independently shows the clean pixel more often than not, which an L1 loss needs to find it.
        mask_threshold: Grey levels that marks may change a pixel by without its counting as marked.
        stamped: Repeats one mark at other places until it covers a share drawn from this range, as SWCNN does; None
            draws as many marks as the sampler says.
        same_mark: Gives both views of a pair the same mark at different places; needs ``stamped``.
        unmarked: Share of views without any mark, which a model must learn to leave alone.

    Raises:
        UserError: A number is out of bounds, or a font or logo cannot be used.
    """

    def __init__(
        self,
        sampler: Callable[[Assets], Sampler],
        fonts: Sequence[str] = (),
        bundled_fonts: bool = True,
        system_fonts: bool = False,
        logos: str | None = None,
        logo_part: LogoPart = "all",
        degradation: DegradationSampler | None = None,
        max_coverage: float = 0.4,
        mask_threshold: int = 0,
        stamped: Sequence[float] | None = None,
        same_mark: bool = False,
        unmarked: float = 0.0,
    ) -> None:
        if not 0 < max_coverage <= 1:
            raise UserError(f"synthesis.max_coverage={max_coverage} must be above 0 and at most 1.")
        if not 0 <= mask_threshold <= 254:
            raise UserError(f"synthesis.mask_threshold={mask_threshold} must lie within 0..254 grey levels.")
        if same_mark and stamped is None:
            raise UserError("synthesis.same_mark=true needs synthesis.stamped, the share of a picture to stamp.")
        self.stamped = None if stamped is None else checked_range("synthesis.stamped", stamped, 0, 1)
        self.unmarked = checked_share("synthesis.unmarked", unmarked)
        self.same_mark, self.max_coverage, self.mask_threshold = same_mark, max_coverage, mask_threshold
        self.sampler = sampler(
            find_assets(fonts, bundled_fonts=bundled_fonts, system_fonts=system_fonts, logos=logos, logo_part=logo_part)
        )
        self.degradation = degradation

    def pair(
        self, photograph: Photograph, generator: np.random.Generator, second_view: bool = True
    ) -> tuple[View, View | None]:
        """Draws two independently marked views of a photograph, (H, W, 3) uint8, that share one degradation.

        Without ``second_view`` only the first, the same as with it.
        """
        height, width = photograph.shape[:2]
        first, second, filters = self.draw(height, width, generator, second_view)
        clean = _degraded(photograph, filters)
        return (
            self._view(photograph, clean, first, filters),
            None if second is None else self._view(photograph, clean, second, filters),
        )

    def draw(
        self, height: int, width: int, generator: np.random.Generator, second_view: bool = True
    ) -> tuple[Marks, Marks | None, DegradationSpec | None]:
        """Draws what :meth:`pair` puts on a photograph of this size, and what then happens to it."""
        # Separate streams: what one view draws cannot shift what the other does.
        first, second, shared = generator.spawn(3)
        filters = self.degradation(shared) if self.degradation is not None else None
        mark = self.sampler(shared) if self.same_mark else None
        return (
            self._marks(height, width, first, mark),
            self._marks(height, width, second, mark) if second_view else None,
            filters,
        )

    def __call__(self, photograph: Photograph, generator: np.random.Generator) -> View:
        """Draws one view of a photograph, (H, W, 3) uint8; only ``generator`` is used and advanced."""
        filters = self.degradation(generator) if self.degradation is not None else None
        height, width = photograph.shape[:2]
        marks = self._marks(height, width, generator, None)
        return self._view(photograph, _degraded(photograph, filters), marks, filters)

    def _view(self, photograph: Photograph, clean: Photograph, marks: Marks, filters: DegradationSpec | None) -> View:
        return _finished(photograph, clean, marks.overlay, ViewSpec(marks.specs, filters), self.mask_threshold)

    def _marks(self, height: int, width: int, generator: np.random.Generator, mark: MarkSpec | None) -> Marks:
        overlay = Overlay(height, width)
        if self.unmarked and generator.random() < self.unmarked:
            return Marks(overlay, ())
        if self.stamped is None:
            return Marks(overlay, tuple(self._several(overlay, generator)))
        stamps = self._stamped(overlay, generator, mark or self.sampler(generator), self.stamped)
        return Marks(overlay, tuple(stamps))

    def _several(self, overlay: Overlay, generator: np.random.Generator) -> list[MarkSpec]:
        marks: list[MarkSpec] = []
        for number in range(self.sampler.how_many(generator)):
            for _ in range(ATTEMPTS if number == 0 else 1):
                spec = self.sampler(generator)
                if self._put(overlay, spec):
                    marks.append(spec)
                    break
        return marks

    def _stamped(
        self, overlay: Overlay, generator: np.random.Generator, mark: MarkSpec, shares: tuple[float, float]
    ) -> list[MarkSpec]:
        wanted = float(generator.uniform(*shares))
        marks: list[MarkSpec] = []
        for _ in range(MOST_STAMPS):
            if overlay.coverage >= wanted:
                break
            spec = self.sampler.placed(mark, generator)
            if self._put(overlay, spec):
                marks.append(spec)
        return marks

    def _put(self, overlay: Overlay, spec: MarkSpec) -> bool:
        """Puts a mark on the overlay, unless that would pass the cap."""
        return overlay.put(render(spec, *overlay.alpha.shape[:2]), self.max_coverage)


def replay(photograph: Photograph, spec: ViewSpec, mask_threshold: int = 0) -> View:
    """Makes a view from its specification: the same pixels on the same photograph, (H, W, 3) uint8.

    Raises:
        UserError: A font or logo of the specification is gone.
    """
    overlay = Overlay(*photograph.shape[:2])
    for mark in spec.marks:
        overlay.put(render(mark, *photograph.shape[:2]))
    return _finished(photograph, _degraded(photograph, spec.degradation), overlay, spec, mask_threshold)


def _degraded(picture: Photograph, filters: DegradationSpec | None) -> Photograph:
    return picture if filters is None else degrade(picture, filters)


def _finished(photograph: Photograph, clean: Photograph, overlay: Overlay, spec: ViewSpec, mask_threshold: int) -> View:
    marked = overlay.on(photograph)
    mask = changed(photograph, marked, mask_threshold)
    return View(_degraded(marked, spec.degradation), clean, mask, overlay.alpha, overlay.colour, spec)
