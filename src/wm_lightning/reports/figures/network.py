"""What goes on inside a network for one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning.reports.figures.style import (
    QUALITY,
    QUIET,
    WIDTH,
    colour_bar,
    heat,
    new_figure,
    overlay,
    picture_grid,
    quantiles,
    reduced,
    show,
)

COLUMNS = 8  # tiles in a row of many
TILE = 160  # pixels: longest side of a tile
_GATE_WORDS = """above: one scale for all gates

below: over the picture, each gate
from its lowest (clear) to its
highest 1 % (covered)"""


def attention_maps(picture: Tensor, gates: Mapping[str, Tensor]) -> Figure:
    """Draws what each attention gate lets through: its map on a scale of all gates, and stretched over the picture.

    Args:
        picture: (3, H, W) in 0..1.
        gates: For each gate (H, W) in 0..1, from the deepest to the shallowest.
    """
    figure, panels = picture_grid(2, 1 + len(gates), picture, "Attention gates: 0 blocks, 1 lets through", bars=1)
    show(panels[0, 0], picture, "input")
    panels[1, 0].axis("off")
    panels[1, 0].text(0, 1, _GATE_WORDS, va="top", fontsize=9, color=QUIET, transform=panels[1, 0].transAxes)
    low, high = quantiles(torch.cat([gate.flatten() for gate in gates.values()]), 0.001, 0.999)
    for column, (name, gate) in enumerate(gates.items(), start=1):
        title = f"{name}: mean {gate.mean():.2f}"
        image = heat(panels[0, column], gate, title, cmap=QUALITY, limits=(low, high))
        closed, open_ = quantiles(gate, 0.01, 0.99)
        stretched = (gate - closed) / max(open_ - closed, 1e-6)
        overlay(panels[1, column], picture, stretched, f"{name}: {closed:.2f} to {open_:.2f}")
    # Below the input too, so that the row stays level.
    colour_bar(image, panels[0], "gate (0..1)", extend="both")
    return figure


def activation_maps(picture: Tensor, activations: Mapping[str, Tensor], channels: int = 4) -> Figure:
    """Draws for each layer the mean absolute activation and the channels that vary most over the picture.

    Each panel has a colour scale of its own, stated in its title.

    Args:
        picture: (3, H, W) in 0..1.
        activations: For each layer (C, h, w).
        channels: How many single channels to show.
    """
    figure, panels = picture_grid(
        len(activations),
        2 + channels,
        picture,
        "Activations a: each panel from its lowest (dark) to its highest value (bright)",
    )
    size = picture.shape[-2:]
    for row, (name, features) in enumerate(activations.items()):
        if row == 0:
            show(panels[0, 0], picture, "input")
        else:
            panels[row, 0].axis("off")
        shape = " x ".join(str(length) for length in features.shape)
        _scaled(panels[row, 1], features.abs().mean(dim=0), "mean |a|", size)
        panels[row, 1].set_ylabel(f"{name}\n{shape}", fontsize=8)
        # The most varying ones: a dead channel says nothing.
        strongest = (
            reduced(features, TILE).flatten(1).std(dim=1, correction=0).argsort(descending=True)[:channels].tolist()
        )
        for axes, channel in zip(panels[row, 2:], strongest, strict=False):
            _scaled(axes, features[channel], f"#{channel}", size)
        for axes in panels[row, 2 + len(strongest) :]:
            axes.axis("off")
    return figure


def feature_grid(features: Tensor, layer: str, count: int = 48) -> Figure:
    """Draws channels of a layer as tiles, each from its own lowest (dark) to its highest (bright) 1 %.

    Args:
        features: (C, h, w).
        layer: The layer's name.
        count: Largest number of channels.
    """
    shown = features[:count]
    low, high = torch.tensor([quantiles(channel, 0.01, 0.99) for channel in shown]).T
    shown = reduced(shown, TILE)
    span = (high - low)[:, None, None]
    tiles = torch.where(span > 0, (shown - low[:, None, None]) / span.clamp(min=1e-12), 0.0).clamp(0, 1)
    silent = int((features.flatten(1).amax(dim=1) <= features.flatten(1).amin(dim=1)).sum())
    title = f"{layer}: {len(shown)} of {len(features)} channels, {silent} silent (the same everywhere)"
    labels = [
        f"#{number}: {a:.2g} to {b:.2g}" for number, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True))
    ]
    return _tiled(tiles, labels, title)


def first_kernels(weights: Tensor, layer: str) -> Figure:
    """Draws the kernels that see the picture itself as colour tiles, and beside them what frequencies they pass.

    Args:
        weights: (C, 3, k, k).
        layer: The layer's name.
    """
    figure = new_figure(WIDTH * 0.42 * _rows(len(weights)) / COLUMNS + 1.3, f"{layer}: {len(weights)} kernels of "
                        f"{weights.shape[-2]}x{weights.shape[-1]}")  # fmt: skip
    left, right = figure.subplots(1, 2)
    largest = float(weights.abs().max()) or 1.0
    mosaic = _mosaic(0.5 + weights / (2 * largest), gap=1, ground=1.0)
    show(left, mosaic, f"weights as colours, grey 0, black to white ±{largest:.2f}")
    left.images[0].set_interpolation("nearest")
    # Zeros around a kernel only make its spectrum finer.
    spectra = torch.fft.fftshift(torch.fft.fft2(weights, s=(32, 32)).abs().mean(dim=1), dim=(-2, -1))
    mosaic = _mosaic(spectra[:, None], gap=3, ground=math.nan)[0]
    words = "spectra, mean over R, G, B; middle 0, edges ±0.5 cycles per pixel"
    image = heat(right, mosaic, words, cmap=QUALITY, limits=(0.0, float(spectra.max()) or 1.0))
    colour_bar(image, right, "gain (output per input)")
    return figure


def _scaled(axes: Axes, values: Tensor, name: str, size: torch.Size) -> None:
    low, high = quantiles(values, 0.005, 0.995)
    heat(axes, values, f"{name}: {low:.2g} to {high:.2g}", cmap=QUALITY, limits=(low, high), size=size)


def _rows(count: int) -> int:
    return -(-count // COLUMNS)


def _mosaic(tiles: Tensor, gap: int, ground: float) -> Tensor:
    """Puts (N, C, h, w) in rows of eight; returns (C, H, W)."""
    missing = _rows(len(tiles)) * COLUMNS - len(tiles)
    framed = F.pad(F.pad(tiles, (gap, gap, gap, gap), value=ground), (0,) * 6 + (0, missing), value=ground)
    rows = framed.view(-1, COLUMNS, *framed.shape[1:]).permute(2, 0, 3, 1, 4)
    return rows.flatten(3, 4).flatten(1, 2)


def _tiled(tiles: Tensor, labels: list[str], title: str) -> Figure:
    """Draws (N, h, w) in 0..1 in rows of eight under their labels."""
    columns = min(COLUMNS, len(tiles))
    figure, panels = picture_grid(-(-len(tiles) // columns), columns, tiles, title)
    for axes in panels.flat:
        axes.axis("off")
    for axes, tile, label in zip(panels.flat, tiles, labels, strict=False):
        heat(axes, tile, cmap=QUALITY, norm=Normalize(0, 1))
        axes.set_title(label, fontsize=7)
    return figure
