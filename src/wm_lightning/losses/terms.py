"""Terms of the composite loss: each says what it compares, and what it needs of the network and of the pairs.

A term of one's own is a subclass of :class:`Term` and an entry under ``loss.terms``; see ``docs/models.md``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from wm_lightning.errors import ArgumentError
from wm_lightning.losses import functional
from wm_lightning.losses.perceptual import PerceptualLoss
from wm_lightning.types import Prediction, Sample


class Term(nn.Module, ABC):
    """One term: a scalar that is 0, or as low as it can be, where nothing is left to learn.

    Args:
        weight: What it is multiplied with in the sum; 0 switches it off.
        optional: Left out where the network or the pairs do not give what it needs; without it, that is an error.

    Attributes:
        predicted: Fields of :class:`~wm_lightning.types.Prediction` that it needs beside ``image``.
        known: Fields of :class:`~wm_lightning.types.Sample` that it needs and that some pairs do not have.

    Raises:
        ValueError: The weight is negative.
    """

    predicted: ClassVar[tuple[str, ...]] = ()
    known: ClassVar[tuple[str, ...]] = ()

    def __init__(self, weight: float = 1.0, optional: bool = False) -> None:
        super().__init__()
        if weight < 0:
            raise ArgumentError("{weight}={} must not be negative; 0 switches the term off.", weight)
        self.weight, self.optional = weight, optional

    def build(self) -> None:
        """Makes what the term computes with; called once, and only where its weight is not 0."""

    def describe(self) -> dict[str, str]:
        """Returns what a summary should say of the term beside its weight."""
        return {}

    def missing(self, prediction: Prediction, sample: Sample) -> tuple[list[str], list[str]]:
        """Returns which of the fields that it needs the network does not predict, and which the pairs do not know."""
        return (
            [name for name in self.predicted if getattr(prediction, name) is None],
            [name for name in self.known if getattr(sample, name) is None],
        )

    @abstractmethod
    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """Computes the term, unweighted.

        Args:
            prediction: Of a batch; what :attr:`predicted` names is there.
            target: What the picture should be, (B, 3, H, W) in 0..1: the second watermarked view or the clean
                photograph.
            sample: The batch; what :attr:`known` names is there.

        Returns:
            A scalar.
        """


class MaskedL1(Term):
    """L1 of the picture inside the mask, see :func:`~wm_lightning.losses.functional.masked_l1`."""

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        return functional.masked_l1(prediction.image, target, sample.mask)


class UnmaskedL1(Term):
    """L1 of the picture outside the mask, see :func:`~wm_lightning.losses.functional.unmasked_l1`."""

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        return functional.unmasked_l1(prediction.image, target, sample.mask)


class Perceptual(Term):
    """L1 of VGG16 features of the picture.

    Args:
        weights: As for :class:`~wm_lightning.losses.PerceptualLoss`.
        reduce: As for :class:`~wm_lightning.losses.PerceptualLoss`.
        **options: As for :class:`Term`.
    """

    def __init__(self, weights: str = "auto", reduce: int = 1, **options: Any) -> None:  # noqa: ANN401 - as they are
        super().__init__(**options)
        self.weights, self.reduce = weights, reduce
        self.extractor: PerceptualLoss | None = None

    def build(self) -> None:
        """Loads the extractor's weights."""
        self.extractor = PerceptualLoss(self.weights, reduce=self.reduce)

    def describe(self) -> dict[str, str]:
        """Returns where the extractor's weights came from."""
        return {} if self.extractor is None else {"perceptual_weights": self.extractor.origin}

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        assert self.extractor is not None
        value: Tensor = self.extractor(prediction.image, target)
        return value


class Lab(Term):
    """L1 of the picture in CIELAB, see :func:`~wm_lightning.losses.functional.lab`."""

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        return functional.lab(prediction.image, target)


class Ssim(Term):
    """``1 - SSIM`` of the picture, see :func:`~wm_lightning.losses.functional.ssim`."""

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        return functional.ssim(prediction.image, target)


class Laplacian(Term):
    """L1 of the picture's edges inside the mask, see :func:`~wm_lightning.losses.functional.laplacian_l1`."""

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        return functional.laplacian_l1(prediction.image, target, sample.mask)


class NegativePsnr(Term):
    """Minus the PSNR of each picture, see :func:`~wm_lightning.losses.functional.negative_psnr`."""

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        return functional.negative_psnr(prediction.image, target)


class MaskBce(Term):
    """Cross-entropy of the predicted mask, see :func:`~wm_lightning.losses.functional.mask_bce`."""

    predicted: ClassVar[tuple[str, ...]] = ("mask_logits",)

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        assert prediction.mask_logits is not None
        return functional.mask_bce(prediction.mask_logits, sample.mask)


class MaskIou(Term):
    """Soft IoU of the predicted mask, see :func:`~wm_lightning.losses.functional.soft_iou`."""

    predicted: ClassVar[tuple[str, ...]] = ("mask_logits",)

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        assert prediction.mask_logits is not None
        return functional.soft_iou(prediction.mask_logits, sample.mask)


class BackgroundL1(Term):
    """L1 inside the mask of what is put where the mask is, which learns before the mask is right."""

    predicted: ClassVar[tuple[str, ...]] = ("background",)

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        assert prediction.background is not None
        return functional.masked_l1(prediction.background, target, sample.mask)


class InpaintingL1(Term):
    """L1 inside the mask of what is painted without the blend's inverse."""

    predicted: ClassVar[tuple[str, ...]] = ("inpainting",)

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        assert prediction.inpainting is not None
        return functional.masked_l1(prediction.inpainting, target, sample.mask)


class OpacityL1(Term):
    """L1 inside the mask of the mark's opacity, which a synthesiser knows without a clean photograph."""

    predicted: ClassVar[tuple[str, ...]] = ("alpha",)
    known: ClassVar[tuple[str, ...]] = ("alpha",)

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        assert prediction.alpha is not None
        assert sample.alpha is not None
        return functional.masked_l1(prediction.alpha, sample.alpha, sample.mask)


class LayerL1(Term):
    """L1 inside the mask of the mark's layer, which a synthesiser knows without a clean photograph."""

    predicted: ClassVar[tuple[str, ...]] = ("layer",)
    known: ClassVar[tuple[str, ...]] = ("layer",)

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See :class:`Term`."""
        assert prediction.layer is not None
        assert sample.layer is not None
        return functional.masked_l1(prediction.layer, sample.layer, sample.mask)
