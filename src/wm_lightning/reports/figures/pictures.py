"""A restored picture beside what it was made from, and where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning.metrics.functional import psnr
from wm_lightning.reports.figures.style import (
    GAIN,
    IDENTITY,
    colour_bar,
    error_scale,
    heat,
    percent,
    picture_grid,
    quantiles,
    show,
)

LEVEL = 1 / 255


def side_by_side(watermarked: Tensor, predicted: Tensor, clean: Tensor, amplify: float = 5.0) -> Figure:
    """Draws a photograph, its watermarked and its restored picture, and below what is wrong with each, amplified.

    Args:
        watermarked: (3, H, W) in 0..1.
        predicted: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
        amplify: What differences are multiplied with; grey is no difference, lighter is too light.
    """
    figure, panels = picture_grid(2, 3, clean, "Photograph, watermarked, restored; below, what differs")
    changed = (watermarked != clean).any(dim=0)
    show(panels[0, 0], clean, "clean photograph")
    show(panels[0, 1], watermarked, f"watermarked: {decibels(watermarked, clean)}")
    show(panels[0, 2], predicted, f"predicted: {decibels(predicted, clean)}")
    # White ground, so that a small mark is not lost in black.
    show(panels[1, 0], 1 - 0.75 * changed.float(), f"where the input differs (dark): {percent(changed)}")
    for axes, picture, name in ((panels[1, 1], watermarked, "watermarked"), (panels[1, 2], predicted, "predicted")):
        show(axes, 0.5 + amplify * (picture - clean), f"{name} - clean, x{amplify:g}; grey: none")
    return figure


def watermark_residual(watermarked: Tensor, predicted: Tensor, clean: Tensor, threshold: float = 0.1) -> Figure:
    """Draws what is left wrong, where it is more than a threshold, and what the network changed.

    Args:
        watermarked: (3, H, W) in 0..1.
        predicted: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
        threshold: Of the mean absolute error over the channels of a pixel.
    """
    left, changed = absolute_error(predicted, clean), absolute_error(predicted, watermarked)
    wrong = left > threshold
    figure, panels = picture_grid(1, 3, clean, "Watermark residual: what the network left, and what it changed", bars=1)
    scale = error_scale(left, changed)
    heat(panels[0, 0], left, f"left: |predicted - clean|, mean {left.mean():.4f}", norm=scale)
    _spots(panels[0, 1], clean, wrong, f"left more than {threshold:g}: {percent(wrong)} of the pixels")
    title = f"changed: |predicted - watermarked|, mean {changed.mean():.4f}"
    image = heat(panels[0, 2], changed, title, norm=scale)
    colour_bar(image, panels[0], "mean |difference| of R, G, B (1 = black to white), square-root scale", extend="max")
    return figure


def residual_error(watermarked: Tensor, predicted: Tensor, clean: Tensor) -> Figure:
    """Draws the error before and after restoration on one scale, and their difference.

    Args:
        watermarked: (3, H, W) in 0..1.
        predicted: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
    """
    before, after = absolute_error(watermarked, clean), absolute_error(predicted, clean)
    gain = before - after
    figure, panels = picture_grid(1, 3, clean, "Residual error before and after restoration", bars=1)
    scale = error_scale(before, after)
    heat(panels[0, 0], before, f"before: |watermarked - clean|, mean {before.mean():.4f}", norm=scale)
    image = heat(panels[0, 1], after, f"after: |predicted - clean|, mean {after.mean():.4f}", norm=scale)
    colour_bar(image, panels[0, :2], "mean |error| of R, G, B (1 = black to white), square-root scale", extend="max")
    # A grey level: less is rounding.
    title = f"by over 1/255: {percent(gain > LEVEL)} better, {percent(gain < -LEVEL)} worse"
    end = max(quantiles(gain.abs(), 0.999)[0], LEVEL)
    image = heat(panels[0, 2], gain, title, cmap=GAIN, limits=(-end, end))
    colour_bar(image, panels[0, 2], "error removed (blue) or added (red)", extend="both")
    return figure


def batch_view(
    watermarked: Tensor,
    predicted: Tensor,
    clean: Tensor,
    mask: Tensor,
    reference: Tensor | None = None,
    names: Sequence[str] = (),
    count: int = 4,
) -> Figure:
    """Draws the first pairs of a batch in rows: input, reference where there is one, prediction, clean, mask.

    Args:
        watermarked: (B, 3, H, W) in 0..1.
        predicted: (B, 3, H, W) in 0..1.
        clean: (B, 3, H, W) in 0..1.
        mask: (B, 1, H, W), 1 where the watermark is.
        reference: (B, 3, H, W) in 0..1.
        names: Of the photographs; stand at the left.
        count: Largest number of rows.
    """
    columns = {"input": watermarked, "reference": reference, "predicted": predicted, "clean": clean, "mask": mask}
    shown = {name: pictures for name, pictures in columns.items() if pictures is not None}
    rows = min(count, len(clean))
    figure, panels = picture_grid(rows, len(shown), clean, "Pairs of a batch; PSNR to the clean photograph")
    for row in range(rows):
        for axes, (name, pictures) in zip(panels[row], shown.items(), strict=True):
            title = name
            if name == "mask":
                title += f": {percent(mask[row] != 0)}"
            elif name != "clean":
                title += f": {decibels(pictures[row], clean[row])}"
            show(axes, 1 - 0.75 * pictures[row] if name == "mask" else pictures[row], title)
        if row < len(names):
            panels[row, 0].set_ylabel(names[row], fontsize=8)
    return figure


def absolute_error(picture: Tensor, target: Tensor) -> Tensor:
    """Returns (H, W): the mean over the channels of ``|picture - target|``, both (3, H, W) in 0..1."""
    return (picture.detach().float() - target.detach().float()).abs().mean(dim=0).cpu()


def decibels(picture: Tensor, clean: Tensor) -> str:
    """Returns the PSNR of a picture, (3, H, W), in words."""
    value = float(psnr(picture[None].detach().clamp(0, 1), clean[None].detach()))
    return "exact" if value >= 100 else f"{value:.2f} dB"


def _spots(axes: Axes, picture: Tensor, where: Tensor, title: str) -> None:
    """Marks pixels in one colour on a faded grey picture: where there are none, the picture still shows."""
    grey = 0.5 + 0.5 * picture.detach().float().cpu().mean(dim=0)
    red = torch.tensor(to_rgb(IDENTITY))[:, None, None]
    show(axes, torch.where(where, red, grey), title)
