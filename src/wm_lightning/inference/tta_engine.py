"""Test-time augmentation of whatever runs a network."""

from __future__ import annotations

import numpy as np

from wm_lightning.errors import ArgumentError
from wm_lightning.inference.correction import Correction, Floats
from wm_lightning.inference.engine import Engine
from wm_lightning.tta import COPIES, tta_mean


class AugmentedEngine:
    """An engine that looks at mirrored and turned copies of a picture, see :mod:`wm_lightning.tta`.

    Args:
        engine: Runs the network.
        copies: 2 mirrors left and right, 4 upside down too, 8 turns by a right angle too. Time grows with them.
    """

    def __init__(self, engine: Engine, copies: int) -> None:
        self.engine, self.copies = engine, copies
        self.knows_layers = engine.knows_layers

    def correct(self, picture: Floats) -> Correction:
        """See :class:`~wm_lightning.inference.engine.Engine`."""
        return Correction._make(tta_mean(self._correct, picture, self.copies, np.flip, axes=(0, 1)))

    def _correct(self, picture: Floats) -> Correction:
        return self.engine.correct(np.ascontiguousarray(picture))


def check_tta(tta: int) -> None:
    """Raises a UserError for a number of copies that cannot be looked at."""
    if tta not in COPIES:
        raise ArgumentError("{tta}={} must be one of {}.", tta, ", ".join(map(str, COPIES)))
