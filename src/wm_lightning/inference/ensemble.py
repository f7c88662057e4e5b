"""Looks at a picture several times, mirrored and turned, and takes the mean of what is found."""

from __future__ import annotations

import numpy as np

from wm_lightning.inference.correction import Correction, Floats
from wm_lightning.inference.engine import Engine

ENSEMBLES = (1, 2, 4, 8)


class SelfEnsemble:
    """Runs an engine on mirrored and turned copies of a picture (geometric self-ensemble, arXiv 1707.02921, 3.4).

    A network errs differently on each, so that the mean errs less; docs/performance.md has by how much.

    Args:
        engine: Runs the network.
        copies: 2 mirrors left and right, 4 upside down too, 8 turns by a right angle too. Time grows with them.
    """

    def __init__(self, engine: Engine, copies: int) -> None:
        self.engine, self.copies = engine, copies
        self.knows_layers = engine.knows_layers

    def correct(self, picture: Floats) -> Correction:
        """See :class:`~wm_lightning.inference.engine.Engine`."""
        total: list[Floats] = []
        for number in range(self.copies):
            found = self.engine.correct(np.ascontiguousarray(_mirrored(_turned(picture, number), number)))
            parts = [_turned(_mirrored(part, number), number) for part in found]
            total = [so_far + part for so_far, part in zip(total, parts, strict=True)] if total else parts
        return Correction(*(part / np.float32(self.copies) for part in total))


def _turned(picture: Floats, number: int) -> Floats:
    return picture.swapaxes(0, 1) if number & 4 else picture


def _mirrored(picture: Floats, number: int) -> Floats:
    return picture[:: -1 if number & 2 else 1, :: -1 if number & 1 else 1]
