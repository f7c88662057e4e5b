"""Ranges, shares and frequencies that a user may set: checks, and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TypeVar

import numpy as np

from wm_lightning.errors import UserError

Number = TypeVar("Number", int, float)


def checked_range(name: str, value: Sequence[Number], least: float, most: float) -> tuple[Number, Number]:
    """Returns (low, high) if it lies within the bounds.

    Raises:
        UserError: It does not, or has not two numbers.
    """
    if len(value) != 2 or not least <= value[0] <= value[1] <= most:
        shown = ",".join(map(str, value))
        raise UserError(f"{name}=[{shown}] must lie within {least}..{most}: two numbers, the lower one first.")
    return value[0], value[1]


def checked_share(name: str, value: float) -> float:
    """Returns a number if it lies within 0..1.

    Raises:
        UserError: It does not.
    """
    if not 0 <= value <= 1:
        raise UserError(f"{name}={value} must lie within 0..1.")
    return value


def checked_frequencies(name: str, value: Mapping[str, float], known: Sequence[str]) -> dict[str, float]:
    """Returns relative frequencies as shares whose sum is 1, those of 0 left out.

    Raises:
        UserError: A name is unknown, a frequency is negative, or none is above 0.
    """
    if unknown := sorted(set(value) - set(known)):
        raise UserError(f"{name}: {', '.join(unknown)} unknown; choose from {', '.join(known)}.")
    if not all(0 <= share < inf for share in value.values()) or sum(value.values()) <= 0:
        raise UserError(f"{name}: frequencies must be numbers from 0 up, and one must be above 0.")
    total = sum(value.values())
    return {kind: share / total for kind, share in value.items() if share > 0}


def within(limits: tuple[float, float], generator: np.random.Generator) -> float:
    """Draws a number from a range, uniformly."""
    return limits[0] + (limits[1] - limits[0]) * generator.random()


def choose(frequencies: Mapping[str, float], generator: np.random.Generator) -> str:
    """Draws a name by its frequency; their sum is 1."""
    point = generator.random()
    for name, share in frequencies.items():
        point -= share
        if point < 0:
            return name
    return name  # the sum fell short of 1 by rounding
