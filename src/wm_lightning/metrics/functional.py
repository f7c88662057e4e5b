"""Scores per picture, so that a mean over a data set does not depend on how it was cut into batches."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

MSE_FLOOR = 1e-10  # equal pictures score 100 dB instead of infinity, which no mean survives
GREY_LEVELS = 256  # what the literature multiplies an RMSE with, although 255 is white
C1, C2 = 0.01**2, 0.03**2  # SSIM's stabilisers, for values in 0..1


def mse(prediction: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Mean squared error over all channels and pixels.

    Args:
        prediction: (B, 3, H, W).
        target: (B, 3, H, W).
        region: (B, 1, H, W); only pixels where it is not 0 count.

    Returns:
        (B,), 0 and above; NaN for a picture whose region is empty.
    """
    error = (prediction.float() - target.float()).square()
    if region is None:
        return error.mean(dim=(1, 2, 3))
    inside = (region != 0).float()
    return (error * inside).sum(dim=(1, 2, 3)) / (inside.sum(dim=(1, 2, 3)) * error.shape[1])  # 0/0 is NaN


def decibels(error: Tensor) -> Tensor:
    """Turns an MSE of values in 0..1 into a PSNR, ``10 * log10(1 / MSE)``, at most 100 dB; NaN stays NaN."""
    return -10 * torch.log10(error.clamp(min=MSE_FLOOR))


def grey_levels(error: Tensor) -> Tensor:
    """Turns an MSE of values in 0..1 into an RMSE in grey levels, ``256 * sqrt(MSE)``; NaN stays NaN."""
    return GREY_LEVELS * error.sqrt()


def psnr(prediction: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio, ``10 * log10(1 / MSE)``, the MSE over all channels and pixels.

    Nothing is clamped here: values outside 0..1 count as they are.

    Args:
        prediction: (B, 3, H, W) in 0..1.
        target: (B, 3, H, W) in 0..1.
        region: (B, 1, H, W); only pixels where it is not 0 count.

    Returns:
        (B,) in dB, at most 100; NaN for a picture whose region is empty.
    """
    return decibels(mse(prediction, target, region))


def rmse(prediction: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Root of the mean squared error in grey levels, as SLBR's evaluation has it (Liang et al., 2021).

    ``256 * sqrt(MSE)``; with the watermark's mask m as region it is their RMSEw,
    ``256 * sqrt(sum(m * d^2) / (3 * sum(m)))``.

    Args:
        prediction: (B, 3, H, W) in 0..1; values outside count as they are.
        target: (B, 3, H, W) in 0..1.
        region: (B, 1, H, W); only pixels where it is not 0 count.

    Returns:
        (B,) in grey levels, 0 and above; NaN for a picture whose region is empty.
    """
    return grey_levels(mse(prediction, target, region))


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


def ssim_map(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity around each pixel, the mean of the channels; the mean of the map is :func:`ssim`.

    Args:
        prediction: (B, 3, H, W) in 0..1, at least 6 pixels high and wide.
        target: (B, 3, H, W) in 0..1.

    Returns:
        (B, H, W) in -1..1.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        _, similarity = structural_similarity_index_measure(
            prediction.float(), target.float(), data_range=1.0, reduction="none", return_full_image=True
        )
    return similarity.mean(dim=1)


def ssim_uniform(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity as scikit-image computes it by default, and with it the SWCNN benchmark.

    7x7 uniform window, unbiased variances (49/48 of the biased ones), data range 1, the mean of the channels; only
    pixels whose window lies within the picture count.

    Args:
        prediction: (B, 3, H, W) in 0..1, at least 7 pixels high and wide.
        target: (B, 3, H, W) in 0..1.

    Returns:
        (B,) in -1..1.
    """
    return _similarity(prediction, target, lambda picture: F.avg_pool2d(picture, 7, stride=1), unbiased=49 / 48)


def ssim_zero_padded(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity as SLBR's evaluation has it: 11x11 Gaussian window, sigma 1.5, black around the picture.

    Args:
        prediction: (B, 3, H, W) in 0..1; values outside count as they are.
        target: (B, 3, H, W) in 0..1.

    Returns:
        (B,) in -1..1.
    """
    return _similarity(prediction, target, _gaussian)


def _similarity(first: Tensor, second: Tensor, blur: Callable[[Tensor], Tensor], unbiased: float = 1) -> Tensor:
    """Wang et al.'s equation 13 on windows that ``blur`` averages over; the mean over pixels and channels."""
    # Variances are differences of nearly equal squares. Apple's GPUs have no doubles.
    wide = torch.float32 if first.device.type == "mps" else torch.float64
    x, y = first.to(wide), second.to(wide)
    mean_x, mean_y, xx, yy, xy = map(blur, (x, y, x * x, y * y, x * y))
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    covariance = unbiased * (xy - mean_x * mean_y)
    variances = unbiased * (xx - mean_x**2 + yy - mean_y**2)
    return (luminance * (2 * covariance + C2) / (variances + C2)).mean(dim=(1, 2, 3)).float()


def _gaussian(picture: Tensor, radius: int = 5, sigma: float = 1.5) -> Tensor:
    """Blurs, with zeros around the picture."""
    offsets = torch.arange(-radius, radius + 1, device=picture.device).to(picture.dtype)
    line = (-((offsets / sigma) ** 2) / 2).exp()
    across = (line / line.sum()).expand(picture.shape[1], 1, 1, -1)
    blurred = F.conv2d(picture, across, padding=(0, radius), groups=picture.shape[1])
    return F.conv2d(blurred, across.mT, padding=(radius, 0), groups=picture.shape[1])
