"""How marks are sought: which scales are looked at, and how much evidence a mark needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wm_lightning.errors import ArgumentError

TILE = 1024
OVERLAP = 192
# docs/predict.md has what they mean in misses and false alarms
SENSITIVITIES = {"low": 0.05, "normal": 0.12, "high": 0.3}
NORMAL = SENSITIVITIES["normal"]
WIDE = 0.15  # share of a picture's pixels from which a mark must be surer


class Search(NamedTuple):
    """How marks are sought.

    Attributes:
        sensitivity: 0..1; a mark is taken away if its certainty is at least 1 less this. 0 finds nothing that a network
            is not wholly sure of, 1 takes away whatever it sees.
        scales: How many sizes of a picture are looked at, its own included; None for as many as make the smallest
            512 pixels long.
        tile: The longest side of a tile, in pixels.
        overlap: Of tiles, in pixels.
    """

    sensitivity: float = NORMAL
    scales: int | None = None
    tile: int = TILE
    overlap: int = OVERLAP

    @property
    def least_certainty(self) -> float:
        """The certainty from which a mark is taken away."""
        return 1 - self.sensitivity

    def least_certainties(self, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the same for marks that cover shares of the picture, (N,): few cover much, so these must be surer.

        They may be half as doubtful; at a sensitivity of 1 as much as all others, and of 0 not at all.
        """
        doubt = np.where(shares > WIDE, (1 + self.sensitivity) / 2, 1.0) * self.sensitivity
        return 1 - doubt


AS_USUAL = Search()


def as_sensitivity(value: str | float) -> float:
    """Returns a sensitivity that was given as ``low``, ``normal``, ``high`` or a number.

    Raises:
        UserError: It is none of these, or not in 0..1.
    """
    if isinstance(value, str) and value in SENSITIVITIES:
        return SENSITIVITIES[value]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise ArgumentError("{sensitivity}={} must be {}, or a number in 0..1.", value, ", ".join(SENSITIVITIES))
    return number


def as_scales(value: str | int | None) -> int | None:
    """Returns a number of scales; None for ``auto``.

    Raises:
        UserError: It is neither ``auto`` nor a whole number from 1.
    """
    if value is None or value == "auto":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number < 1 or (isinstance(value, float) and number != value):
        raise ArgumentError("{scales}={} must be auto, or a whole number from 1.", value)
    return number
