"""The composite loss: a weighted sum of terms that are defined elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from wm_lightning.errors import UserError
from wm_lightning.losses import functional
from wm_lightning.losses.perceptual import PerceptualLoss
from wm_lightning.types import Prediction, Sample


class LossTerms(NamedTuple):
    """A loss and what it is made of.

    Attributes:
        total: The scalar to minimise.
        terms: Each active term before weighting, detached, keyed by name.
    """

    total: Tensor
    terms: dict[str, Tensor]


class ColorAwareLoss(nn.Module):
    """``L1_masked + alpha * Perceptual + beta * LAB + gamma * SSIM + delta * Laplacian``, and what heads predict.

    The terms after ``perceptual`` are for heads that predict more than a picture. What they are compared with, mask,
    opacity and layer, a synthesiser knows without a clean photograph. A term of weight 0 is not computed, and the
    perceptual extractor then not even built.

    Args:
        alpha: Weight of the perceptual term.
        beta: Weight of the CIELAB term.
        gamma: Weight of ``1 - SSIM``.
        delta: Weight of the Laplacian term.
        perceptual: Builds the perceptual loss.
        outside: Weight of the L1 outside the mask.
        mask: Weight of the predicted mask's binary cross-entropy.
        iou: Weight of the predicted mask's soft IoU.
        opacity: Weight of the predicted opacity's masked L1.
        layer: Weight of the predicted layer's masked L1.
        proposal: Weight of the masked L1 of what is put where the mask is, which learns before the mask is right.
        content: Weight of the masked L1 of the content that is painted without the blend's inverse.
        psnr: Weight of minus the PSNR, for a decibel.

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
        outside: float = 0.0,
        mask: float = 0.0,
        iou: float = 0.0,
        opacity: float = 0.0,
        layer: float = 0.0,
        proposal: float = 0.0,
        content: float = 0.0,
        psnr: float = 0.0,
    ) -> None:
        super().__init__()
        more = {
            "outside": outside, "mask": mask, "iou": iou, "opacity": opacity, "layer": layer, "proposal": proposal,
            "content": content, "psnr": psnr,
        }  # fmt: skip
        self.weights = {"l1": 1.0, "perceptual": alpha, "lab": beta, "ssim": gamma, "laplacian": delta, **more}
        for key, weight in {"alpha": alpha, "beta": beta, "gamma": gamma, "delta": delta, **more}.items():
            if weight < 0:
                raise ValueError(f"loss.{key}={weight} must not be negative; 0 switches the term off")
        self.perceptual = perceptual() if alpha > 0 else None

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> LossTerms:
        """Compares a prediction with its target.

        Args:
            prediction: Of a batch.
            target: (B, 3, H, W) in 0..1.
            sample: The batch: its mask says where the L1, the Laplacian and all that heads predict are compared.

        Returns:
            The weighted total and the terms that are on, in the order of :attr:`weights`.

        Raises:
            UserError: A term needs what the network does not predict, or the batch does not know.
        """
        terms = {name: self._term(name, prediction, target, sample) for name, weight in self.weights.items() if weight}
        total = target.new_zeros(())
        for name, term in terms.items():
            total = total + self.weights[name] * term
        return LossTerms(total, {name: term.detach() for name, term in terms.items()})

    def _term(self, name: str, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        image, mask = prediction.image, sample.mask
        match name:
            case "l1":
                return functional.masked_l1(image, target, mask)
            case "perceptual":
                assert self.perceptual is not None
                value: Tensor = self.perceptual(image, target)
                return value
            case "lab":
                return functional.lab(image, target)
            case "ssim":
                return functional.ssim(image, target)
            case "laplacian":
                return functional.laplacian_l1(image, target, mask)
            case "outside":
                return functional.outside_l1(image, target, mask)
            case "mask":
                return functional.mask_bce(_predicted(name, "masked or layer", prediction.mask_logits), mask)
            case "iou":
                return functional.soft_iou(_predicted(name, "masked or layer", prediction.mask_logits), mask)
            case "opacity":
                return functional.masked_l1(
                    _predicted(name, "layer", prediction.alpha), _known(name, sample.alpha), mask
                )
            case "layer":
                return functional.masked_l1(
                    _predicted(name, "layer", prediction.layer), _known(name, sample.layer), mask
                )
            case "proposal":
                return functional.masked_l1(_predicted(name, "masked or layer", prediction.proposal), target, mask)
            case "psnr":
                return functional.negative_psnr(image, target)
            case _:
                return functional.masked_l1(_predicted(name, "layer", prediction.content), target, mask)

    def describe(self) -> dict[str, str | float]:
        """Returns the weights, and where the perceptual extractor's came from, for checkpoints and summaries."""
        origin = "off" if self.perceptual is None else self.perceptual.origin
        return {"name": type(self).__name__, **self.weights, "perceptual_weights": origin}


def _predicted(name: str, heads: str, value: Tensor | None) -> Tensor:
    if value is None:
        raise UserError(f"loss.{name} needs a head that predicts it: model.head={heads}; or set loss.{name}=0.")
    return value


def _known(name: str, value: Tensor | None) -> Tensor:
    if value is None:
        raise UserError(f"loss.{name} needs pairs whose marks are known, which real pairs' are not; set loss.{name}=0.")
    return value
