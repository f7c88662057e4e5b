"""What speaks for a mark: that it is seen again on copies of the picture, and that what lies beneath it goes on.

A mark lies over a scene that goes on beneath it; where a network takes a part of the scene for one, an edge of the
scene is its border, and what is left where it was taken away is flat. A network's features, too, tell marks from what
looks like them. The traits of a mark make a probability together, by logistic regression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wm_lightning.inference.copies import COPIES
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import Marks
from wm_lightning.inference.search import Search
from wm_lightning.inference.traits import Tile, Traits, measure, seen_on_copy


class Weights(NamedTuple):
    """What each trait counts, and what is added to their sum: log-odds."""

    traits: Mapping[str, float]
    constant: float


# Fitted by scripts/fit_evidence.py for weights/general.safetensors, on 568 photographs, of which it was trained on 340,
# and scenes in their place, with and without marks: for networks that recognise marks by their features, and for others
RECOGNISING = Weights(
    {"seen": 0.597, "certain": 1.282, "texture": 0.375, "edge": -0.030, "painted": 0.232,
     "change": 0.076, "beneath": 5.990, "other": -0.083, "recognised": 1.000},
    -0.985,
)  # fmt: skip
OTHERS = Weights(
    {"seen": 0.765, "certain": 1.973, "texture": 0.430, "edge": -0.169, "painted": 0.861,
     "change": -0.083, "beneath": 7.111, "other": -0.097},
    -1.738,
)  # fmt: skip


def certainties(engine: Engine, tile: Tile, marks: Marks, search: Search) -> npt.NDArray[np.float64]:
    """Returns how sure it is that each mark is one, (N,) in 0..1.

    Of an engine that paints over marks, and does not know what shines through, it is how sure the network is.

    Args:
        engine: Runs the network.
        tile: Returns a part of the picture, (h, w, 3) in 0..1, for its rows and columns.
        marks: Those that are to be judged, of a map of the picture's size.
        search: Has the tiles' size, and how sure it must be: of a mark that cannot be so sure whatever its copies show,
            what is returned is an upper bound.
    """
    return _certainty(engine, gather(engine, tile, marks, search, search.least_certainty))


def gather(engine: Engine, tile: Tile, marks: Marks, search: Search, least: float = 0.0) -> Traits:
    """Measures the traits of each mark; arguments as of :func:`certainties`.

    Marks that can no longer be as sure as ``least`` are not looked for on further copies, which take most of the time.
    """
    own, looks = measure(engine, tile, marks, search), 1 + len(COPIES)
    at_most = own._replace(seen=(own.seen + len(COPIES)) / looks)
    for on_copy in COPIES:
        worth = _certainty(engine, at_most) >= least
        if not worth.any():
            break
        unseen = np.where(worth, 1 - seen_on_copy(engine, on_copy, tile, marks, worth, search), 0)
        at_most = at_most._replace(seen=at_most.seen - unseen / looks)
    return at_most


def linear(traits: Traits) -> npt.NDArray[np.float64]:
    """Returns traits as the regression takes them, (N, T): of what the network is sure of, the logit."""
    logits = traits._replace(seen=_logit(traits.seen), other=_logit(traits.other))
    return np.stack([values for values in logits if values is not None], axis=-1)


def _certainty(engine: Engine, traits: Traits) -> npt.NDArray[np.float64]:
    certainty: npt.NDArray[np.float64] = traits.seen.copy()
    if engine.knows_layers:
        weights = OTHERS if traits.recognised is None else RECOGNISING
        given = linear(traits)
        evidence = given @ [weights.traits[name] for name in Traits._fields[: given.shape[1]]] + weights.constant
        certainty = np.asarray(1 / (1 + np.exp(-evidence)))
    certainty[0] = 0
    return certainty


def _logit(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns a logit that is finite at 0 and 1."""
    logit: npt.NDArray[np.float64] = np.log((share + 0.02) / (1.02 - share))
    return logit
