"""The composite loss: a weighted sum of terms that are defined elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, cast

from torch import Tensor, nn

from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.losses.terms import Term
from wm_lightning.types import Prediction, Sample

log = logging.getLogger(__name__)

LETTERS = {"alpha": "perceptual", "beta": "lab", "gamma": "ssim", "delta": "laplacian"}
"""The notebook's names of weights, and the terms they belong to."""

PREDICTED_BY_MASKED = {"mask", "mask_logits", "background"}


class LossTerms(NamedTuple):
    """A loss and what it is made of.

    Attributes:
        total: The scalar to minimise.
        terms: Each active term before weighting, detached, keyed by name.
    """

    total: Tensor
    terms: dict[str, Tensor]


class CompositeLoss(nn.Module):
    """``sum(weight * term)`` over named terms, whatever the network's head predicts.

    An optional term that the network or the pairs cannot feed is left out, and a line of the log says so; any other
    such term is refused. A term of weight 0 is neither built nor computed.

    Args:
        terms: The terms by name; None leaves one out.
        alpha: Weight of the term ``perceptual``, in place of its own, as are the others.
        beta: Weight of the term ``lab``.
        gamma: Weight of the term ``ssim``.
        delta: Weight of the term ``laplacian``.

    Attributes:
        weights: The weight of each term by name, zeros too.
        active: Names of the terms whose weight is not 0.
        left_out: Names of those that are optional and could not be fed so far.

    Raises:
        ValueError: A weight is negative, or given for a term that is not there; or one is no term.
    """

    def __init__(
        self,
        terms: Mapping[str, Term | None],
        alpha: float | None = None,
        beta: float | None = None,
        gamma: float | None = None,
        delta: float | None = None,
    ) -> None:
        super().__init__()
        given = {name: term for name, term in terms.items() if term is not None}
        for name, term in given.items():
            if not isinstance(term, Term):
                kind = type(term).__name__
                raise ArgumentError("{terms}.{} is a {}; it must be a wm_lightning.losses.Term.", name, kind)
        for letter, weight in (("alpha", alpha), ("beta", beta), ("gamma", gamma), ("delta", delta)):
            if weight is None:
                continue
            if weight < 0:
                raise ArgumentError("{" + letter + "}={} must not be negative; 0 switches the term off.", weight)
            if LETTERS[letter] in given:
                given[LETTERS[letter]].weight = weight
            elif weight:
                raise ArgumentError("{" + letter + "}={} needs a term {terms}.{}.", weight, LETTERS[letter])
        self.weights = {name: term.weight for name, term in given.items()}
        # Not a ModuleDict, in which a term could not be named like one of its methods.
        self.active = [name for name, weight in self.weights.items() if weight]
        self.modules_of_terms = nn.ModuleList(given[name] for name in self.active)
        for term in self.terms.values():
            term.build()
        self.left_out: set[str] = set()
        self._warned = False

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> LossTerms:
        """Compares a prediction with its target.

        Args:
            prediction: Of a batch.
            target: (B, 3, H, W) in 0..1.
            sample: The batch: its mask says where most terms look.

        Returns:
            The weighted total and the terms that are on, in their order.

        Raises:
            UserError: A term that is not optional needs what the network does not predict, or the pairs do not know.
        """
        self._look_for_a_closed_mask(prediction)
        values = {name: term(prediction, target, sample) for name, term in self._fed(prediction, sample)}
        for name, value in values.items():
            if value.ndim:
                raise UserError(
                    f"loss.terms.{name} must return one number, a scalar; it returned {tuple(value.shape)}."
                )
        total = target.new_zeros(())
        for name, value in values.items():
            total = total + self.weights[name] * value
        return LossTerms(total, {name: value.detach() for name, value in values.items()})

    def _look_for_a_closed_mask(self, prediction: Prediction) -> None:
        """Warns once where nothing can open a mask that is closed all over, as an untrained network's is."""
        if self._warned or prediction.mask is None or not self.training:
            return
        self._warned = True
        opening = any("mask_logits" in term.predicted for term in self.terms.values())
        if not opening and not prediction.mask.any():
            log.warning(
                "THE MASK IS CLOSED, AND NO TERM OF THE LOSS OPENS IT: such a network stays as it is. Take "
                "loss=composite, whose terms mask and iou do, or model.head=direct."
            )

    @property
    def terms(self) -> dict[str, Term]:
        """The terms whose weight is not 0, by name."""
        return dict(zip(self.active, cast("Iterable[Term]", self.modules_of_terms), strict=True))

    def _fed(self, prediction: Prediction, sample: Sample) -> Iterator[tuple[str, Term]]:
        """Yields the terms that are on and have what they need."""
        for name, term in self.terms.items():
            unpredicted, unknown = term.missing(prediction, sample)
            if not unpredicted and not unknown:
                yield name, term
            elif not term.optional:
                raise _refusal(name, unpredicted, unknown)
            elif name not in self.left_out:
                self.left_out.add(name)
                log.info("loss: %s is left out: %s", name, _reason(unpredicted, unknown))

    def describe(self) -> dict[str, str | float]:
        """Returns the weights of the terms in use and what they say of themselves, for checkpoints and summaries."""
        weights = {name: 0.0 if name in self.left_out else weight for name, weight in self.weights.items()}
        more = {key: value for term in self.terms.values() for key, value in term.describe().items()}
        return {"name": type(self).__name__, **weights, **more}


def _reason(unpredicted: list[str], unknown: list[str]) -> str:
    if unpredicted:
        return f"the network's head does not predict {', '.join(unpredicted)}"
    return f"these pairs have no {', '.join(unknown)}"


def _refusal(name: str, unpredicted: list[str], unknown: list[str]) -> ArgumentError:
    """Says what a term lacks and how to go on without it."""
    off = "or set {terms}.{}.weight=0."
    if not unpredicted:
        needs = "{terms}.{} needs pairs with {}; give others, "
        return ArgumentError(needs + off, name, ", ".join(unknown), name)
    heads = "masked or decomposition" if set(unpredicted) <= PREDICTED_BY_MASKED else "decomposition"
    needs = "{terms}.{} needs a head that predicts {}: {head}={}; "
    return ArgumentError(needs + off, name, ", ".join(unpredicted), heads, name)
