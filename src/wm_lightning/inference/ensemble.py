"""Looks at a picture several times, mirrored and turned, and takes the mean of what is found."""

from __future__ import annotations

import numpy as np

from wm_lightning.errors import UserError
from wm_lightning.inference.choices import ENSEMBLES
from wm_lightning.inference.correction import Correction, Floats
from wm_lightning.inference.engine import Engine


class SelfEnsemble:
    """Runs an engine on mirrored and turned copies of a picture (geometric self-ensemble, arXiv 1707.02921, 3.4).

    A network errs differently on each, so that the mean errs less; docs/performance.md has by how much.
    :func:`wm_lightning.models.ensemble.predict_ensemble` is the same for whole predictions.

    Args:
        engine: Runs the network.
        copies: 2 mirrors left and right, 4 upside down too, 8 turns by a right angle too. Time grows with them.
    """

    def __init__(self, engine: Engine, copies: int) -> None:
        self.engine, self.copies = engine, copies
        self.knows_layers = engine.knows_layers

    def correct(self, picture: Floats) -> Correction:
        """See :class:`~wm_lightning.inference.engine.Engine`."""
        return self._mean(picture, self.copies)

    def _mean(self, picture: Floats, copies: int) -> Correction:
        if copies == 1:
            return self.engine.correct(np.ascontiguousarray(picture))
        one = self._mean(picture, copies // 2)
        other = self._mean(_turned(picture, copies), copies // 2)
        return Correction(*((a + _turned(b, copies)) / np.float32(2) for a, b in zip(one, other, strict=True)))


def check_ensemble(ensemble: int) -> None:
    """Raises a UserError for a number of copies that there is no ensemble of."""
    if ensemble not in ENSEMBLES:
        raise UserError(f"ensemble={ensemble} must be one of {', '.join(map(str, ENSEMBLES))}.")


def _turned(picture: Floats, copies: int) -> Floats:
    """Does to (H, W, C) what as many copies have new; doing it twice changes nothing."""
    return picture.swapaxes(0, 1) if copies == 8 else np.flip(picture, 0 if copies == 4 else 1)
