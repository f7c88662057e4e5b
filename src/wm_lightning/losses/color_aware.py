"""The composite loss: a weighted sum of terms that are defined elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from wm_lightning.losses import functional
from wm_lightning.losses.perceptual import PerceptualLoss


class LossTerms(NamedTuple):
    """A loss and what it is made of.

    Attributes:
        total: The scalar to minimise.
        terms: Each active term before weighting, detached, keyed by name.
    """

    total: Tensor
    terms: dict[str, Tensor]


class ColorAwareLoss(nn.Module):
    """``L1_masked + alpha * Perceptual + beta * LAB + gamma * SSIM + delta * Laplacian``.

    A term of weight 0 is not computed, and the perceptual extractor then not even built.

    Args:
        alpha: Weight of the perceptual term.
        beta: Weight of the CIELAB term.
        gamma: Weight of ``1 - SSIM``.
        delta: Weight of the Laplacian term.
        perceptual: Builds the perceptual loss.

    Raises:
        ValueError: A weight is negative.
    """

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.3,
        gamma: float = 0.4,
        delta: float = 0.1,
        perceptual: Callable[[], PerceptualLoss] = PerceptualLoss,
    ) -> None:
        super().__init__()
        self.weights = {"l1": 1.0, "perceptual": alpha, "lab": beta, "ssim": gamma, "laplacian": delta}
        for key, weight in {"alpha": alpha, "beta": beta, "gamma": gamma, "delta": delta}.items():
            if weight < 0:
                raise ValueError(f"loss.{key}={weight} must not be negative; 0 switches the term off")
        self.perceptual = perceptual() if alpha > 0 else None

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> LossTerms:
        """Compares a prediction with its target.

        Args:
            prediction: (B, 3, H, W) in 0..1.
            target: (B, 3, H, W) in 0..1.
            mask: (B, 1, H, W), 1 where the watermark is; used by the L1 and the Laplacian term.

        Returns:
            The weighted total and the terms ``l1``, ``perceptual``, ``lab``, ``ssim``, ``laplacian`` that are on.
        """
        terms = {"l1": functional.masked_l1(prediction, target, mask)}
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(prediction, target)
        if self.weights["lab"]:
            terms["lab"] = functional.lab(prediction, target)
        if self.weights["ssim"]:
            terms["ssim"] = functional.ssim(prediction, target)
        if self.weights["laplacian"]:
            terms["laplacian"] = functional.laplacian_l1(prediction, target, mask)
        total = terms["l1"].new_zeros(())
        for name, term in terms.items():
            total = total + self.weights[name] * term
        return LossTerms(total, {name: term.detach() for name, term in terms.items()})

    def describe(self) -> dict[str, str | float]:
        """Returns the weights, and where the perceptual extractor's came from, for checkpoints and summaries."""
        origin = "off" if self.perceptual is None else self.perceptual.origin
        return {"name": type(self).__name__, **self.weights, "perceptual_weights": origin}
