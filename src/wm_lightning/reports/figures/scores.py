"""Scores of many pictures, the model's beside those of the identity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wm_lightning.reports.figures.style import IDENTITY, MODEL, QUIET, new_figure, plain_axes


class Bar(NamedTuple):
    """The mean score of a group of pictures.

    Attributes:
        label: What they have in common.
        n: How many pictures.
        mean: Their mean score; NaN where there are none.
        low: Lower end of its confidence interval.
        high: Upper end.
    """

    label: str
    n: int
    mean: float
    low: float
    high: float


class Score(NamedTuple):
    """A line of the summary card.

    Attributes:
        name: What is measured, with its unit.
        model: The model's mean.
        identity: That of the identity.
        digits: How many decimals are shown.
        sign: 1 where higher is better, -1 where lower is; a gain above 0 is for the better.
    """

    name: str
    model: float
    identity: float
    digits: int = 2
    sign: int = 1


def opacity_curve(
    opacity: Sequence[float],
    model: Sequence[float],
    identity: Sequence[float],
    bins: int = 8,
    label: str = "PSNR (dB)",
) -> Figure:
    """Draws the mean score by opacity in equally wide bins, with the quartiles as bands and the numbers of pictures.

    Args:
        opacity: Of each picture's mark, in 0..1.
        model: Each picture's score.
        identity: Each picture's score untouched.
        bins: How many.
        label: The score and its unit.
    """
    figure = new_figure(4.4, f"{label} by opacity of the watermark")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    edges = np.linspace(0, 1, bins + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    where = np.clip(np.digitize(opacity, edges) - 1, 0, bins - 1)
    for scores, colour, name in ((identity, IDENTITY, "identity"), (model, MODEL, "model")):
        values = np.asarray(scores, dtype=float)
        groups = [values[(where == number) & np.isfinite(values)] for number in range(bins)]
        known = [number for number, group in enumerate(groups) if group.size]
        means = [groups[number].mean() for number in known]
        low, high = (([np.quantile(groups[number], share) for number in known]) for share in (0.25, 0.75))
        axes.plot(centres[known], means, color=colour, marker="o", markersize=4, label=f"{name}, mean")
        axes.fill_between(
            centres[known], low, high, facecolor=(colour, 0.1), edgecolor=(colour, 0.6), label="middle half"
        )
    counts = np.bincount(where, minlength=bins)
    below.bar(centres, counts, width=0.9 / bins, color=QUIET)
    for centre, count in zip(centres, counts, strict=True):
        below.text(centre, count, f"{count}", ha="center", va="bottom", fontsize=8)
    below.set_ylim(0, max(counts.max(), 1) * 1.4)
    plain_axes(axes, "", "", label)
    plain_axes(below, "", "opacity (0..1)", "pictures")
    axes.legend(fontsize=8, ncols=2)
    return figure


def score_distribution(model: Sequence[float], identity: Sequence[float], label: str = "PSNR (dB)") -> Figure:
    """Draws each picture's gain in order, and its score after against its score before.

    Pictures without a score of their own are left out.

    Args:
        model: Each picture's score.
        identity: Each picture's score untouched, in the same order.
        label: The score and its unit.

    Raises:
        ValueError: No picture has both scores.
    """
    before, after = np.asarray(identity, dtype=float), np.asarray(model, dtype=float)
    known = np.isfinite(before) & np.isfinite(after)
    if not known.any():
        raise ValueError("no picture has both scores")
    before, after = before[known], after[known]
    gain = np.sort(after - before)
    better = int((gain > 0).sum())
    figure = new_figure(4.4, f"{label}: {better} of {len(gain)} pictures are better than untouched")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    left.bar(range(1, len(gain) + 1), gain, width=1.0, color=np.where(gain > 0, MODEL, IDENTITY))
    # The outermost hundredth is in the title: one of them would flatten all others.
    low, high = np.quantile(gain, (0.01, 0.99))
    room = 0.1 * max(high, 0) - 0.1 * min(low, 0) or 1.0
    left.set_ylim(min(low, 0) - room, max(high, 0) + room)
    left.axhline(0, color="black", linewidth=0.8)
    words = f"Gain of each picture: median {np.median(gain):+.3g}, {gain[0]:+.3g} to {gain[-1]:+.3g}"
    plain_axes(left, words, "pictures, by gain", f"gain in {label}")
    _scatter(right, before, after, label)
    return figure


def group_bars(
    model: Sequence[Bar], identity: Sequence[Bar], title: str, label: str = "PSNR (dB)", digits: int = 2
) -> Figure:
    """Draws mean and confidence interval of each group, the model's and those of the identity, and the gain.

    Args:
        model: One for each group.
        identity: The same groups in the same order.
        title: What the groups are.
        label: The score and its unit.
        digits: How many decimals the gain is shown with.

    Raises:
        ValueError: The groups are not the same.
    """
    if [group.label for group in model] != [group.label for group in identity]:
        raise ValueError("model and identity have different groups")
    figure = new_figure(1.5 + 0.42 * len(model), title)
    axes = figure.subplots()
    for groups, shift, colour, name in ((identity, 0.17, IDENTITY, "identity"), (model, -0.17, MODEL, "model")):
        positions = [row + shift for row in range(len(groups))]
        means = [group.mean for group in groups]
        reach = [[group.mean - group.low for group in groups], [group.high - group.mean for group in groups]]
        axes.errorbar(means, positions, xerr=reach, fmt="o", color=colour, capsize=3, markersize=5, label=name)
    for row, (ours, theirs) in enumerate(zip(model, identity, strict=True)):
        gain = ours.mean - theirs.mean
        words = f"{gain:+.{digits}f}" if math.isfinite(gain) else "no pictures"
        axes.text(1.01, row, words, transform=axes.get_yaxis_transform(), va="center", fontsize=9)
    axes.text(1.01, -0.9, "gain", transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=QUIET)
    plain_axes(axes, "Mean and its confidence interval", label, "")
    axes.set_yticks(range(len(model)), [f"{group.label} (n={group.n})" for group in model], fontsize=9)
    axes.set_ylim(len(model) - 0.4, -0.6)
    axes.legend(fontsize=8, loc="best")
    return figure


def summary_card(facts: Mapping[str, str], scores: Sequence[Score], title: str) -> Figure:
    """Draws what a network is and costs beside what it achieves.

    Args:
        facts: Names and values with their units, such as parameters, FLOPs, peak memory, seconds per megapixel.
        scores: Lines of the table.
        title: The network and the pictures.
    """
    figure = new_figure(0.75 + 0.34 * max(len(facts), len(scores) + 1), title)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    _table(left, [[name, value] for name, value in facts.items()], ["network", ""])
    rows = [
        [score.name, *(f"{value:.{score.digits}f}" for value in (score.model, score.identity)),
         f"{score.sign * (score.model - score.identity):+.{score.digits}f}"]
        for score in scores
    ]  # fmt: skip
    _table(right, rows, ["score", "model", "identity", "gain"])
    return figure


def _scatter(axes: Axes, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], label: str) -> None:
    ends = min(before.min(), after.min()), max(before.max(), after.max())
    axes.plot(ends, ends, color=QUIET, linestyle="--", linewidth=1, label="no change")
    axes.scatter(before, after, s=14, c=np.where(after > before, MODEL, IDENTITY), alpha=0.7, linewidths=0)
    words = f"Means: {before.mean():.4g} untouched, {after.mean():.4g} by the model"
    plain_axes(axes, words, f"untouched, {label}", f"model, {label}")
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(fontsize=8)


def _table(axes: Axes, rows: list[list[str]], heads: list[str]) -> None:
    axes.axis("off")
    widths = [0.46, *[0.54 / (len(heads) - 1)] * (len(heads) - 1)]
    table = axes.table(rows, colLabels=heads, colWidths=widths, loc="upper center", cellLoc="right")
    table.auto_set_font_size(False)
    table.set_fontsize(9.5)
    table.scale(1, 1.7)
    for (row, column), cell in table.get_celld().items():
        cell.visible_edges = "B"
        cell.set_edgecolor("#cccccc")
        if column == 0:
            cell.set_text_props(ha="left")
        if row == 0:
            cell.set_text_props(fontweight="bold")
        elif heads[column] == "gain":
            cell.set_text_props(color=IDENTITY if rows[row - 1][column].startswith("-") else MODEL)
