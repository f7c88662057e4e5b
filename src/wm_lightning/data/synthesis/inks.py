"""Colours, opacities, lengths and angles as people choose them for marks."""

from __future__ import annotations

from math import exp, log

import numpy as np

from wm_lightning.data.synthesis.ranges import within
from wm_lightning.data.synthesis.spec import BLACK, WHITE, Colour

TOO_CLOSE = 192  # sum over the channels of the differences below which one colour would not be seen on another


def colour(generator: np.random.Generator) -> Colour:
    """Draws white, black, a grey, or a random colour."""
    kind = generator.random()
    if kind < 0.45:
        return WHITE
    if kind < 0.58:
        return BLACK
    if kind < 0.65:
        grey = int(generator.integers(40, 230))
        return grey, grey, grey
    red, green, blue = generator.integers(0, 256, 3).tolist()
    return red, green, blue


def dark(generator: np.random.Generator) -> Colour:
    """Draws a dark colour."""
    red, green, blue = generator.integers(0, 110, 3).tolist()
    return red, green, blue


def seen_on(other: Colour, drawn: Colour) -> Colour:
    """Returns a drawn colour where it is seen on another one, else black or white, which is."""
    if sum(abs(a - b) for a, b in zip(drawn, other, strict=True)) < TOO_CLOSE:
        return BLACK if sum(other) > 382 else WHITE
    return drawn


def against(other: Colour | None, generator: np.random.Generator) -> Colour:
    """Draws a colour that is seen on another one; on None, the colours of a file, white or black."""
    drawn = colour(generator)
    if other is None:
        return WHITE if generator.random() < 0.7 else BLACK
    return seen_on(other, drawn)


def opacity(generator: np.random.Generator) -> float:
    """Draws how opaque a design is: a third fully."""
    return 1.0 if generator.random() < 0.33 else within((0.2, 1.0), generator)


def length(limits: tuple[float, float], generator: np.random.Generator) -> float:
    """Draws a length so that doubling it is as likely anywhere: small marks are the usual ones."""
    return exp(within((log(limits[0]), log(limits[1])), generator))


def slant(generator: np.random.Generator) -> float:
    """Draws the angle of writing that leads up or, less often, down: degrees, counterclockwise."""
    return within((15, 50), generator) * (1 if generator.random() < 0.75 else -1)
