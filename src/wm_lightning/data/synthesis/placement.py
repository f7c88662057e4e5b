"""Where marks lie: where people put them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from wm_lightning.data.synthesis.ranges import choose, within
from wm_lightning.data.synthesis.spec import Design, Tiling

PLACES = ("anywhere", "corner", "edge", "centre", "top", "bottom")
MARGIN = (0.01, 0.06)  # between a mark and the edges, as a share of the picture's shorter side
BELOW = 0.6  # share of the marks in corners that are in the lower ones
MIDDLE = 0.6  # share of the marks at edges that are at their middle
OFF_CENTRE = 0.04  # how far from the centre a mark may be that is put there, as a share of each side


class Place(NamedTuple):
    """Fields of :class:`~wm_lightning.data.synthesis.spec.MarkSpec`, and whether people would write upright there."""

    center: tuple[float, float]
    margin: float | None = None
    upright: bool = False


class Drawn(NamedTuple):
    """A design, and how it lies on a picture.

    Attributes:
        art: What is drawn.
        size: As of :class:`~wm_lightning.data.synthesis.spec.MarkSpec`; so are the following.
        opacity: Of all parts together.
        tiling: Where it is repeated.
        angle: None where the sampler of marks draws it.
        places: Frequencies of places; None where the sampler of marks has them.
        margins: Range of the space to the edges.
    """

    art: Design
    size: float
    opacity: float = 1.0
    tiling: Tiling | None = None
    angle: float | None = 0.0
    places: Mapping[str, float] | None = None
    margins: tuple[float, float] = MARGIN


def anywhere(generator: np.random.Generator) -> Place:
    """Draws a place on the picture, over its edges too."""
    return Place((generator.random(), generator.random()))


def draw_place(
    places: Mapping[str, float], generator: np.random.Generator, margins: tuple[float, float] = MARGIN
) -> Place:
    """Draws where a mark lies; only ``generator`` is used and advanced.

    Args:
        places: Frequency of ``anywhere`` (over the edges too), ``corner``, ``edge`` (any of the four), ``centre``,
            ``top`` and ``bottom`` (at the middle of these edges); their sum is 1.
        generator: The randomness.
        margins: Range of the space to the edges.
    """
    place = choose(places, generator)
    if place == "anywhere":
        return anywhere(generator)
    if place == "centre":
        low, high = 0.5 - OFF_CENTRE, 0.5 + OFF_CENTRE
        return Place((within((low, high), generator), within((low, high), generator)))
    margin = within(margins, generator)
    if place == "corner":
        return Place((float(generator.integers(2)), float(generator.random() < BELOW)), margin, True)
    if place != "edge":
        return Place((0.5, float(place == "bottom")), margin, True)
    along = 0.5 if generator.random() < MIDDLE else generator.random()
    across = float(generator.integers(2))
    return Place((along, across) if generator.random() < 0.5 else (across, along), margin, True)
