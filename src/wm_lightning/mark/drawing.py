"""Draws one mark that is known on photographs, as the pictures have it that it was measured on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from wm_lightning.data.synthesis import DegradationSampler, MarkSpec, OwnArt, Synthesizer
from wm_lightning.data.synthesis.ranges import checked_range, within
from wm_lightning.errors import UserError
from wm_lightning.mark.known import load_mark

log = logging.getLogger(__name__)

SIZES = 0.05  # by which sizes are spread beyond what was measured, as a share
OPACITIES = 0.1  # and opacities
OWN_SIZE = 0.5  # share of the marks that have the size that most pictures have
FULL_CHROMA = 0.3  # share of JPEG files whose colours keep their resolution (4:4:4)


@dataclass(frozen=True)
class MarkFile(OwnArt):
    """The mark of a file that ``mark.py`` wrote.

    Attributes:
        path: Of the file.
    """

    path: str
    kind: str = "mark"

    def stencil(self, pixels: int) -> npt.NDArray[np.uint8]:
        """Returns it in its own size, so that at this it is drawn to the bit; others are made of that.

        Its strongest value becomes 255, since a faint mark would have few levels; its opacity says the rest.
        """
        mark = load_mark(self.path)
        layers = np.concatenate((mark.paint, mark.alpha[..., None]), axis=-1) / mark.peak
        return np.asarray(np.rint(np.clip(layers, 0, 1) * 255), np.uint8)


class MarkFileSampler:
    """Draws the mark of a file: wholly within the picture where it fits, else any part of it.

    Args:
        path: Of the file.
        side: Of the square pictures that it is drawn on, in pixels.
        scale: Range of its size, as a share of its own; None: as pictures have it, and a little more.
        strength: Range of its opacity, as a share of its own; None: likewise.

    Attributes:
        mark: What is drawn.

    Raises:
        UserError: The file cannot be read or holds an empty mark, or a range is out of bounds.
    """

    def __init__(
        self,
        path: str,
        side: int,
        scale: Sequence[float] | None = None,
        strength: Sequence[float] | None = None,
    ) -> None:
        self.art, self.side, self.mark = MarkFile(path), side, load_mark(path)
        if not self.mark.area.any():
            raise UserError(f"{path} holds an empty mark; estimate it again.")
        spread = self.mark.spread
        self.scale = checked_range("synthesis.scale", scale or _wider(spread.scale, SIZES), 0.05, 20)
        self.strength = checked_range("synthesis.strength", strength or _wider(spread.strength, OPACITIES), 0.05, 20)

    def how_many(self, generator: np.random.Generator) -> int:
        """Says that a view has one mark."""
        return 1

    def __call__(self, generator: np.random.Generator) -> MarkSpec:
        """Draws the mark; only ``generator`` is used and advanced."""
        opacity = min(1.0, self.mark.peak * within(self.strength, generator))
        return self.placed(MarkSpec(self.art, opacity=opacity), generator)

    def placed(self, mark: MarkSpec, generator: np.random.Generator) -> MarkSpec:
        """Returns the same mark elsewhere, in another size."""
        own = float(np.clip(1, *self.scale))
        scale = own if generator.random() < OWN_SIZE else within(self.scale, generator)
        height, width = (scale * length for length in self.mark.alpha.shape)
        # Corners lie on whole pixels, as programs put them.
        top, left = (_corner(length, self.side, generator) for length in (height, width))
        centre = (left + width / 2) / self.side, (top + height / 2) / self.side
        return replace(mark, center=centre, size=max(height, width) / self.side)


def _corner(length: float, side: int, generator: np.random.Generator) -> int:
    """Draws where a mark of a length begins: within the picture, or where it is longer, so that it fills it."""
    room = round(side - length)
    return int(generator.integers(min(room, 0), max(room, 0), endpoint=True))


def _wider(limits: tuple[float, float], share: float) -> tuple[float, float]:
    return limits[0] * (1 - share), limits[1] * (1 + share)


class MarkFileSynthesizer(Synthesizer):
    """Watermarks photographs with one mark, compressed afterwards as the pictures are that it was measured on.

    Args:
        mark: The file, which ``mark.py`` wrote.
        side: Of the square pictures that it is drawn on, in pixels.
        scale: See :class:`MarkFileSampler`.
        strength: Likewise.
        jpeg: Share of the pictures that are compressed after the mark is on; None: as many as there were.
        jpeg_quality: Range; None: as they had it.
        unmarked: Share of views without it.
        mask_threshold: Grey levels that it may change a pixel by without its counting as marked.

    Raises:
        UserError: The file cannot be read, or a number is out of bounds.
    """

    def __init__(
        self,
        mark: str,
        side: int,
        scale: Sequence[float] | None = None,
        strength: Sequence[float] | None = None,
        jpeg: float | None = None,
        jpeg_quality: Sequence[int] | None = None,
        unmarked: float = 0.1,
        mask_threshold: int = 2,
    ) -> None:
        sampler = MarkFileSampler(mark, side, scale, strength)
        spread = sampler.mark.spread
        compression = DegradationSampler(
            share=1, tone=0, moire=0, blur=0, resample=0, full_chroma=FULL_CHROMA,
            jpeg=spread.jpeg if jpeg is None else jpeg,
            jpeg_quality=spread.jpeg_quality if jpeg_quality is None else jpeg_quality,
        )  # fmt: skip
        if max(sampler.mark.alpha.shape) * sampler.scale[0] > side:
            log.warning("the mark is larger than a training's pictures, which show parts of it; set data.size higher")
        super().__init__(
            lambda _: sampler,
            bundled_fonts=False,
            degradation=compression,
            max_coverage=1.0,
            mask_threshold=mask_threshold,
            unmarked=unmarked,
        )
