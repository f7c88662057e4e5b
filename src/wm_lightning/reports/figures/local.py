"""How well each place of a picture was restored."""

from __future__ import annotations

import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning.metrics.functional import decibels, ssim_map
from wm_lightning.reports.figures.style import GAIN, QUALITY, colour_bar, heat, picture_grid, quantiles, show

# Above it nobody sees a difference: an error of a third of a grey level. It also keeps exact patches on the scale.
CEILING = 50.0  # dB


def local_psnr(picture: Tensor, clean: Tensor, patch: int = 16) -> Tensor:
    """Returns the PSNR of each patch, at most 50 dB.

    Args:
        picture: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
        patch: Height and width of a patch in pixels; those at the right and the bottom may be smaller.

    Returns:
        (ceil(H / patch), ceil(W / patch)) in dB, on the CPU.
    """
    error = (picture.detach().float() - clean.detach().float()).square().mean(dim=0, keepdim=True).cpu()
    mse = F.avg_pool2d(error, patch, ceil_mode=True, count_include_pad=False)[0]
    return decibels(mse).clamp(max=CEILING)


def local_ssim(picture: Tensor, clean: Tensor) -> Tensor:
    """Returns the structural similarity around each pixel; its mean is the SSIM of the project's metrics.

    Args:
        picture: (3, H, W) in 0..1, at least 6 pixels high and wide.
        clean: (3, H, W) in 0..1.

    Returns:
        (H, W) in -1..1, on the CPU.
    """
    return ssim_map(picture.detach()[None], clean.detach()[None])[0].cpu()


def local_psnr_map(watermarked: Tensor, predicted: Tensor, clean: Tensor, patch: int = 16) -> Figure:
    """Draws the PSNR of each patch of the input and of the prediction on one scale, and the gain.

    Args:
        watermarked: (3, H, W) in 0..1.
        predicted: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
        patch: In pixels.
    """
    before, after = local_psnr(watermarked, clean, patch), local_psnr(predicted, clean, patch)
    title = f"Local PSNR in patches of {patch}x{patch} pixels, capped at {CEILING:g} dB"
    return _maps((watermarked, predicted, clean), before, after, title, "PSNR (dB)", 1, CEILING)


def local_ssim_map(watermarked: Tensor, predicted: Tensor, clean: Tensor) -> Figure:
    """Draws the SSIM around each pixel of the input and of the prediction on one scale, and the gain.

    Args:
        watermarked: (3, H, W) in 0..1, at least 6 pixels high and wide.
        predicted: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
    """
    before, after = local_ssim(watermarked, clean), local_ssim(predicted, clean)
    title = "Local SSIM, 11x11 Gaussian window around each pixel"
    return _maps((watermarked, predicted, clean), before, after, title, "SSIM (-1..1)", 3, 1.0)


def _maps(
    pictures: tuple[Tensor, Tensor, Tensor],
    before: Tensor,
    after: Tensor,
    title: str,
    label: str,
    digits: int,
    top: float,
) -> Figure:
    """Draws watermarked, predicted and clean picture; below, the map of the first two and its gain."""
    figure, panels = picture_grid(2, 3, pictures[0], title, bars=1)
    for axes, picture, name in zip(panels[0], pictures, ("watermarked", "predicted", "clean"), strict=True):
        show(axes, picture, name)
    size = pictures[0].shape[-2:]
    low = min(quantiles(before, 0.002) + quantiles(after, 0.002))
    for axes, values, name in ((panels[1, 0], before, "identity"), (panels[1, 1], after, "model")):
        words = f"{name}: mean {values.mean():.{digits}f}, lowest {values.min():.{digits}f}"
        image = heat(axes, values, words, cmap=QUALITY, limits=(low, top), size=size)
    colour_bar(image, panels[1, :2], label, extend="min")
    gain = after - before
    end = max(quantiles(gain.abs(), 0.998)[0], 1e-6)
    words = f"gain: mean {gain.mean():+.{digits}f}"
    image = heat(panels[1, 2], gain, words, cmap=GAIN, limits=(-end, end), size=size)
    colour_bar(image, panels[1, 2], f"gain in {label}: blue is better, red is worse", extend="both")
    return figure
