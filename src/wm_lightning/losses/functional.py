"""Loss terms as functions of prediction and target, each (B, 3, H, W) in 0..1; no weights in here.

Every function computes in float32, also under mixed precision: CIELAB's cube root, SSIM's differences of squares and
the Laplacian lose their meaning in 8 bits of mantissa.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_lab
from kornia.filters import laplacian
from kornia.metrics import ssim as ssim_map
from torch import Tensor

from wm_lightning.metrics.functional import decibels, mse

SSIM_WINDOW = 11  # Gaussian, sigma 1.5: Wang et al., "Image quality assessment", 2004
LIGHTNESS_WEIGHT, CHROMA_WEIGHT = 0.7, 0.3
LEAST_SHARE = 0.01  # of a batch's pixels: what a sum outside the marks is divided by where there are hardly any
LEAST_ERROR = 1e-5  # mean square, 50 dB: what is better is good enough


def masked_l1(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """L1 inside a mask: ``sum(M * |P - T|) / N``, N the number of non-zero values of M.

    M has one channel and N counts its pixels, so the three channels' errors add up. Plain mean L1 without a mask.

    Args:
        prediction: (B, 3, H, W).
        target: (B, 3, H, W).
        mask: (B, 1, H, W), 0 or 1; an empty mask gives 0.

    Returns:
        A scalar.
    """
    error = (prediction.float() - target.float()).abs()
    if mask is None:
        return error.mean()
    return (mask * error).sum() / mask.count_nonzero().clamp(min=1)


def unmasked_l1(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """L1 outside a mask in the units of :func:`masked_l1`: ``sum((1 - M) * |P - T|) / N``, N the values of M not 0.

    Dividing by the marked pixels keeps the sum of both in proportion however few pixels are marked.

    Args:
        prediction: (B, 3, H, W).
        target: (B, 3, H, W).
        mask: (B, 1, H, W), 0 or 1; where it is almost empty, N is a hundredth of the pixels.

    Returns:
        A scalar.
    """
    error = (prediction.float() - target.float()).abs()
    return ((1 - mask) * error).sum() / mask.count_nonzero().clamp(min=LEAST_SHARE * mask.numel())


def negative_psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Minus the PSNR, ``10 log10(mse + 10^-5)`` of each picture, the mean over pictures.

    An error counts by its share of its own picture's, as in what pictures are measured with, so that a faint mark
    weighs as much as a strong one; L1 knows no pictures (Chen et al., "HINet", CVPR Workshops 2021).

    Args:
        prediction: (B, 3, H, W).
        target: (B, 3, H, W).

    Returns:
        A scalar in dB; at least -50, where both are equal.
    """
    return -decibels(mse(prediction, target) + LEAST_ERROR).mean()


def mask_bce(logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of a predicted mask, the mean over pixels, in nats.

    Args:
        logits: (B, 1, H, W).
        mask: (B, 1, H, W), 0 or 1.

    Returns:
        A scalar.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), mask.float())


def soft_iou(logits: Tensor, mask: Tensor) -> Tensor:
    """``1 - sum(p M) / sum(p + M - p M)`` with ``p = sigmoid(logits)``, over a batch's pixels (Rahman and Wang, 2016).

    Args:
        logits: (B, 1, H, W).
        mask: (B, 1, H, W), 0 or 1; an empty one gives 1 less next to nothing, and no gradient worth having.

    Returns:
        A scalar in 0..1.
    """
    probability = logits.float().sigmoid()
    both = (probability * mask).sum()
    return 1 - both / (probability.sum() + mask.sum() - both).clamp(min=1)


def lab(prediction: Tensor, target: Tensor) -> Tensor:
    """``0.7 * L1(L) + 0.3 * L1(AB)`` in CIELAB (L in 0..100, a and b in about -128..127; D65).

    Inputs are clamped to 0..1, since the sRGB curve has no value below 0.

    Returns:
        A scalar in units of CIELAB.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        difference = (rgb_to_lab(prediction.float().clamp(0, 1)) - rgb_to_lab(target.float().clamp(0, 1))).abs()
    return LIGHTNESS_WEIGHT * difference[:, :1].mean() + CHROMA_WEIGHT * difference[:, 1:].mean()


def ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """``1 - SSIM`` (Wang et al., 2004): 11x11 Gaussian window, sigma 1.5, data range 1, mean over all pixels.

    Returns:
        A scalar in 0..2; 0 for equal pictures, which must be at least 6 pixels high and wide.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        return 1 - ssim_map(prediction.float(), target.float(), SSIM_WINDOW).mean()


def laplacian_l1(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """L1 between the responses to a 3x3 Laplacian (eight neighbours, divided by 16), normalised as :func:`masked_l1`.

    Returns:
        A scalar.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        # The Laplacian is linear: one filtering of the difference is the difference of two filterings.
        response = laplacian(prediction.float() - target.float(), 3)
    return masked_l1(response, torch.zeros_like(response), mask)
