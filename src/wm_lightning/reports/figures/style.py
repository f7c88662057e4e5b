"""One look for all figures: a page's width, colours that colour-blind readers tell apart, pictures in true pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import matplotlib
import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

Grid: TypeAlias = npt.NDArray[Any]  # of Axes

WIDTH = 10.0  # inches: 1000 pixels
DPI = 100
LIMIT = 512  # pixels: longest side a picture is drawn with; a panel has fewer

# Okabe and Ito's colours.
MODEL = "#0072B2"
IDENTITY = "#D55E00"
TRAINING = "#56B4E9"
BEST = "#009E73"
QUIET = "#666666"

QUALITY = "viridis"  # bright is good
# Bright is wrong; starts at purple, since a faint error would not show in black.
ERROR = ListedColormap(matplotlib.colormaps["magma"](np.linspace(0.12, 1, 256)), "magma from purple")
GAIN = "RdBu"  # blue is better, red is worse, white is no change


def new_figure(height: float, title: str = "") -> Figure:
    """Returns an empty figure as wide as a page.

    Args:
        height: In inches of 100 pixels.
        title: Stands above everything; says what is seen.
    """
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white", layout="constrained")
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    return figure


def picture_grid(rows: int, columns: int, like: Tensor, title: str = "", bars: int = 0) -> tuple[Figure, Grid]:
    """Returns a figure and its (rows, columns) panels, as high as pictures of a size need.

    Args:
        rows: Number of rows.
        columns: Number of columns.
        like: (..., H, W), a picture of that size.
        title: Stands above everything.
        bars: Number of rows that get a colour bar below.
    """
    height, width = like.shape[-2:]
    # Very high and very low pictures leave a panel's sides free rather than make an endless or a flat page.
    panel = min(max(WIDTH / columns * height / width, 1.2), 5.0) + 0.28
    figure = new_figure(rows * panel + bars * 0.55 + (0.35 if title else 0.0), title)
    return figure, figure.subplots(rows, columns, squeeze=False)


def for_display(picture: Tensor) -> npt.NDArray[np.float32]:
    """Returns (H, W) or (H, W, 3) for ``imshow``, large pictures reduced to at most 512 pixels by averaging.

    Args:
        picture: (H, W), any range, or (3, H, W) in 0..1, which is clamped.
    """
    values = picture.detach().float().cpu()
    channels = reduced(values if values.ndim == 3 else values[None])
    shown = channels.clamp(0, 1).permute(1, 2, 0) if values.ndim == 3 else channels[0]
    return np.asarray(shown.numpy(), dtype=np.float32)


def reduced(channels: Tensor, limit: int = LIMIT) -> Tensor:
    """Averages (C, H, W) to at most ``limit`` pixels in height and width; smaller ones stay as they are."""
    longest = max(channels.shape[-2:])
    if longest <= limit:
        return channels
    height, width = (max(1, round(length * limit / longest)) for length in channels.shape[-2:])
    return F.adaptive_avg_pool2d(channels, (height, width))


def show(axes: Axes, picture: Tensor, title: str = "") -> AxesImage:
    """Draws a colour picture, (3, H, W) in 0..1, or a mask, (1, H, W) or (H, W) in 0..1, in grey."""
    if picture.ndim == 2 or picture.shape[0] == 1:
        picture = picture.reshape(1, *picture.shape[-2:]).expand(3, -1, -1)
    return _draw(axes, picture, title)


def heat(
    axes: Axes,
    values: Tensor,
    title: str = "",
    *,
    cmap: str | Colormap = ERROR,
    limits: tuple[float, float] | None = None,
    norm: Normalize | None = None,
    alpha: Any = None,  # noqa: ANN401 - a number or an array of them, as imshow takes
    size: Sequence[int] | None = None,
) -> AxesImage:
    """Draws a map, (H, W), in colours.

    Args:
        axes: Where.
        values: The map.
        title: What is seen.
        cmap: The colours.
        limits: Values of the first and the last colour; the map's own without them.
        norm: A scale that is not linear, in place of ``limits``.
        alpha: Opacity, where something lies below.
        size: Height and width in pixels of the picture that the map covers, where it is coarser.
    """
    if norm is None:
        low, high = limits or (float(values.min()), float(values.max()))
        norm = Normalize(low, high if high > low else low + 1.0)  # a constant map has a scale too
    return _draw(axes, values, title, size, cmap=cmap, norm=norm, alpha=alpha)


def overlay(axes: Axes, picture: Tensor, values: Tensor, title: str = "", cmap: str = QUALITY) -> AxesImage:
    """Lays a map, (H, W) in 0..1, over a picture in grey; a higher value covers more, 0 nothing.

    Returns:
        The map, the second image of the axes.
    """
    grey = picture.detach().float().cpu().mean(dim=0)
    show(axes, 0.25 + 0.75 * grey)
    covered = 0.85 * for_display(values).clip(0, 1)
    return heat(axes, values, title, cmap=cmap, limits=(0.0, 1.0), alpha=covered)


def colour_bar(image: AxesImage, axes: Any, label: str, **how: Any) -> None:  # noqa: ANN401 - one or many axes
    """Puts the scale of a map below its axes."""
    figure = image.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, location="bottom", pad=0.02, fraction=0.06, aspect=40, **how)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)


def quantiles(values: Tensor, *shares: float) -> tuple[float, ...]:
    """Returns for each share, 0..1, the value below which that share of all values lies.

    Of many values, only every n-th is looked at, which changes nothing that shows on a scale.
    """
    some = values.detach().float().flatten()[:: max(1, values.numel() // LIMIT**2)]
    return tuple(np.quantile(some.cpu().numpy(), shares).tolist())


def error_scale(*maps: Tensor) -> PowerNorm:
    """Returns one scale for several error maps, from 0 to where nearly all values lie below.

    Its colours follow the square root of an error: beside what a network missed, what it nearly removed still shows.
    """
    return PowerNorm(0.5, 0.0, max(1e-6, *(quantiles(values, 0.999)[0] for values in maps)))


def percent(mask: Tensor) -> str:
    """Returns the share of a mask that is not 0 in words."""
    return f"{100 * float((mask != 0).double().mean()):.3g} %"


def plain_axes(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    """Gives a diagram its words and a light grid."""
    axes.set_title(title, fontsize=9.5)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw(
    axes: Axes,
    picture: Tensor,
    title: str,
    size: Sequence[int] | None = None,
    **how: Any,  # noqa: ANN401 - imshow's arguments
) -> AxesImage:
    height, width = size or picture.shape[-2:]
    image = axes.imshow(for_display(picture), extent=(0, width, height, 0), **how)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#bbbbbb")
    return image
