"""How well a model finds a watermark: its predicted mask against the true one."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

PROBABILITY = 0.5  # above it, a predicted pixel counts as watermark


class Overlap(NamedTuple):
    """What two masks of each picture have in common.

    All ratios are NaN, that is not defined, where both masks are empty: there was nothing to find, and nothing was
    claimed. Otherwise they are in 0..1, and 0 where nothing is right: all is claimed wrongly, or all is missed.

    Attributes:
        both: (B,) number of pixels that are in both masks.
        predicted: (B,) number of pixels of the predicted mask.
        true: (B,) number of pixels of the true mask.
    """

    both: Tensor
    predicted: Tensor
    true: Tensor

    def iou(self) -> Tensor:
        """Intersection over union, ``both / (predicted + true - both)``; (B,)."""
        return self.both / (self.predicted + self.true - self.both)

    def f1(self) -> Tensor:
        """Harmonic mean of precision and recall, ``2 * both / (predicted + true)``; (B,)."""
        return 2 * self.both / (self.predicted + self.true)

    def precision(self) -> Tensor:
        """Share of the predicted mask that is right; (B,)."""
        return self._share(self.predicted)

    def recall(self) -> Tensor:
        """Share of the true mask that is found; (B,)."""
        return self._share(self.true)

    def _share(self, whole: Tensor) -> Tensor:
        share = self.both / whole.clamp(min=1)
        return share.masked_fill(self.predicted + self.true == 0, float("nan"))


def overlap(predicted: Tensor, true: Tensor) -> Overlap:
    """Counts the pixels of two masks.

    Args:
        predicted: (B, 1, H, W), probabilities; a pixel counts where it is above 0.5.
        true: (B, 1, H, W); a pixel counts where it is not 0.
    """
    claimed, marked = predicted > PROBABILITY, true != 0
    return Overlap(*((mask.sum(dim=(1, 2, 3)).float()) for mask in (claimed & marked, claimed, marked)))


def found_mask(restored: Tensor, watermarked: Tensor, predicted_mask: Tensor | None) -> Tensor:
    """Where a model saw a watermark: the mask it predicts, or what it changed where it predicts none.

    Args:
        restored: (B, 3, H, W) in 0..1.
        watermarked: The model's input, (B, 3, H, W) in 0..1.
        predicted_mask: (B, 1, H, W), probabilities; None from a model that does not say.

    Returns:
        (B, 1, H, W) in 0..1; a pixel counts where it is above :data:`PROBABILITY`.
    """
    return change_mask(restored, watermarked) if predicted_mask is None else predicted_mask


def change_mask(prediction: Tensor, watermarked: Tensor, threshold: float = 0.1) -> Tensor:
    """Where a model changed its input: the predicted mask of a model that predicts none.

    A model that restores a faint mark rightly changes pixels by less than the threshold; they count as not found.

    Args:
        prediction: (B, 3, H, W) in 0..1.
        watermarked: The model's input, (B, 3, H, W) in 0..1.
        threshold: 0..1; a pixel is changed where any channel differs by more.

    Returns:
        (B, 1, H, W), 0 or 1.
    """
    change = (prediction.float() - watermarked.float()).abs().amax(dim=1, keepdim=True)
    return (change > threshold).float()
