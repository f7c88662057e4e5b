"""What a loss asks of a network, and what an output goes back to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from wm_lightning.models.inspect import Box
from wm_lightning.reports.figures.style import (
    IDENTITY,
    MODEL,
    colour_bar,
    new_figure,
    overlay,
    picture_grid,
    plain_axes,
    quantiles,
    show,
)


def gradient_norms(norms: Mapping[str, float], loss: str = "loss") -> Figure:
    """Draws the L2 norm of each layer's gradient as bars on a logarithmic axis.

    Args:
        norms: By layer, in the network's order.
        loss: What was differentiated.
    """
    figure = new_figure(1.0 + 0.21 * len(norms))
    axes = figure.subplots()
    values = np.array(list(norms.values()))
    positive = values[values > 0]
    floor = float(positive.min()) / 3 if positive.size else 0.1
    axes.barh(range(len(norms)), np.where(values > 0, values, np.nan), left=0, color=MODEL, height=0.7)
    axes.set_xscale("log")
    axes.set_xlim(floor, (float(positive.max()) if positive.size else 1.0) * 6)
    for position, value in enumerate(values):
        axes.text(max(value, floor) * 1.08, position, f"{value:.2g}" if value else "none", va="center", fontsize=7)
    plain_axes(
        axes,
        f"Gradient of the {loss} by each layer, from input to output",
        f"L2 norm of the gradient ({loss} per unit of weight)",
        "",
    )
    axes.set_yticks(range(len(norms)), list(norms), fontsize=7)
    axes.set_ylim(len(norms) - 0.4, -0.6)  # the first layer on top
    return figure


def saliency_overlay(picture: Tensor, saliency: Tensor, loss: str = "loss") -> Figure:
    """Draws where a small change of the input changes a loss most, over the picture.

    Args:
        picture: (3, H, W) in 0..1.
        saliency: (H, W), at least 0.
        loss: What was differentiated.
    """
    figure, panels = picture_grid(1, 2, picture, f"Saliency: which input pixels the {loss} depends on", bars=1)
    show(panels[0, 0], picture, "input")
    top = quantiles(saliency, 0.995)[0] or float(saliency.max()) or 1.0
    image = overlay(panels[0, 1], picture, saliency / top, "over the input")
    colour_bar(image, panels[0], f"|d {loss} / d pixel|, 1 being {top:.2g} (of the {loss} for black to white)")
    return figure


def grad_cam_overlay(picture: Tensor, cams: Mapping[str, Tensor], box: Box) -> Figure:
    """Draws where the features of layers speak for what the network changes in a box.

    Args:
        picture: (3, H, W) in 0..1.
        cams: For each layer, by what it is called, (H, W) in 0..1.
        box: The region in pixels.
    """
    columns = 1 + len(cams)
    figure, panels = picture_grid(1, columns, picture, "Grad-CAM: what speaks for the change inside the box", bars=1)
    show(panels[0, 0], picture, f"input; box of {box.bottom - box.top}x{box.right - box.left} pixels")
    for axes, (name, cam) in zip(panels[0, 1:], cams.items(), strict=True):
        top = quantiles(cam, 0.995)[0] or float(cam.max()) or 1.0  # a few pixels at a border would hide the rest
        image = overlay(axes, picture, cam / top, name if cam.any() else f"{name}: nothing does")
    for axes in panels[0]:
        for colour, width in (("white", 3.5), (IDENTITY, 1.8)):  # seen on any ground
            axes.add_patch(_frame(box, colour, width))
    colour_bar(image, panels[0], "relative to what half a percent of each layer's pixels reach")
    return figure


def _frame(box: Box, colour: str, width: float) -> Rectangle:
    size = box.right - box.left, box.bottom - box.top
    return Rectangle((box.left, box.top), *size, fill=False, edgecolor=colour, linewidth=width)
