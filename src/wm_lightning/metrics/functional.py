"""Scores per picture, so that a mean over a data set does not depend on how it was cut into batches."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

MSE_FLOOR = 1e-10  # equal pictures score 100 dB instead of infinity, which no mean survives


def psnr(prediction: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio, ``10 * log10(1 / MSE)``, the MSE over all channels and pixels.

    Args:
        prediction: (B, 3, H, W) in 0..1.
        target: (B, 3, H, W) in 0..1.
        region: (B, 1, H, W); only pixels where it is not 0 count.

    Returns:
        (B,) in dB, at most 100; NaN for a picture whose region is empty.
    """
    error = (prediction.float() - target.float()).square()
    if region is None:
        mse = error.mean(dim=(1, 2, 3))
    else:
        inside = (region != 0).float()
        mse = (error * inside).sum(dim=(1, 2, 3)) / (inside.sum(dim=(1, 2, 3)) * error.shape[1])  # 0/0 is NaN
    return -10 * torch.log10(mse.clamp(min=MSE_FLOOR))


def ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al., 2004): 11x11 Gaussian window, sigma 1.5, data range 1, mirrored borders.

    The mean is over all pixels up to the border; scikit-image leaves out the outer five.

    Args:
        prediction: (B, 3, H, W) in 0..1, at least 6 pixels high and wide.
        target: (B, 3, H, W) in 0..1.

    Returns:
        (B,) in -1..1.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        value = structural_similarity_index_measure(
            prediction.float(), target.float(), data_range=1.0, reduction="none"
        )
    assert isinstance(value, Tensor)  # a tuple only where more was asked for
    return value.reshape(-1)
