"""Which residuals occur how often, counted picture by picture over a whole test set."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning.reports.figures.style import IDENTITY, MODEL, new_figure, plain_axes

# One bin for each difference of two 8-bit values, so that the identity makes no comb of full and empty bins.
LEVELS = 255
BINS = 2 * LEVELS + 1
CENTRES = torch.arange(-LEVELS, LEVELS + 1) / LEVELS


def residual_counts(prediction: Tensor, clean: Tensor, region: Tensor | None = None) -> Tensor:
    """Counts values of ``prediction - clean``; counts of several batches add up with ``+``.

    Args:
        prediction: (B, 3, H, W) in 0..1; residuals beyond -1..1 fall into the outer bins.
        clean: (B, 3, H, W) in 0..1.
        region: (B, 1, H, W); only pixels where it is not 0 count.

    Returns:
        (511,) int64 on the CPU, a bin for each multiple of 1/255 from -1 to 1.
    """
    residual = prediction.detach().float() - clean.detach().float()
    if region is not None:
        residual = residual[(region != 0).expand_as(residual)]
    bins = (residual.clamp(-1, 1) * LEVELS).round().long() + LEVELS
    return torch.bincount(bins.flatten(), minlength=BINS).cpu()


def residual_histogram(model: Tensor, identity: Tensor, where: str = "all pixels") -> Figure:
    """Draws how often residuals occur, linear and zoomed in beside logarithmic and whole.

    Args:
        model: (511,) counts of the network's residuals.
        identity: (511,) counts of the untouched input's.
        where: Which pixels were counted.
    """
    figure = new_figure(3.9, f"Residuals, prediction minus clean photograph, {where}")
    linear, logarithmic = figure.subplots(1, 2)
    reach = max(4 / LEVELS, _reach(model, 0.98), _reach(identity, 0.98))
    for counts, colour, name in ((identity, IDENTITY, "identity"), (model, MODEL, "model")):
        shares = 100 * counts.double() / counts.sum().clamp(min=1)
        mean = float((shares * CENTRES.abs()).sum()) / 100
        far = float(shares[CENTRES.abs() > 0.1].sum())
        label = f"{name}: mean |residual| {mean:.4f}, {far:.2f} % beyond 0.1"
        for axes in (linear, logarithmic):
            # A share of nothing has no place on a logarithmic axis.
            heights = shares if axes is linear else torch.where(shares > 0, shares, torch.nan)
            axes.plot(CENTRES, heights, drawstyle="steps-mid", color=colour, label=label, linewidth=1.2)
        linear.fill_between(CENTRES, shares, step="mid", color=colour, alpha=0.15)
    linear.set_xlim(-reach, reach)
    logarithmic.set_xlim(-1, 1)
    if model.any() or identity.any():  # nothing has no logarithm
        logarithmic.set_yscale("log")
    words = "residual (1 = black to white)", "share of values (%)"
    plain_axes(linear, f"Linear, within ±{reach:.2f}", *words)
    plain_axes(logarithmic, "Logarithmic, all", *words)
    figure.legend(*linear.get_legend_handles_labels(), loc="outside lower center", fontsize=9, ncols=2)
    return figure


def _reach(counts: Tensor, share: float) -> float:
    """Returns the smallest distance from 0 within which a share of the residuals lies."""
    distances = (counts + counts.flip(0))[LEVELS:].double()
    distances[0] /= 2  # 0 is its own mirror image
    below = distances.cumsum(0) / distances.sum().clamp(min=1)
    return int((below < share).sum()) / LEVELS
