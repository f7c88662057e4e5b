"""How a training went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wm_lightning.reports.figures.style import BEST, IDENTITY, MODEL, QUIET, TRAINING, new_figure, plain_axes

History = Sequence[Mapping[str, float]]

_NAMES = {"loss": "Loss", "psnr": "PSNR (dB)", "ssim": "SSIM (0..1)"}
_DIGITS = {"psnr": 2, "ssim": 4}
_REGIONS = {"in": "in the mask", "out": "outside the mask", "ref": "to the reference"}


class Phase(NamedTuple):
    """A stretch of a learning-rate curve.

    Attributes:
        name: What the rate does there.
        start: First step.
        end: Last step.
    """

    name: str
    start: float
    end: float


def training_curves(
    history: History, metrics: Sequence[str] = ("loss", "psnr", "ssim"), best_by: str = "val/loss"
) -> Figure:
    """Draws training and validation by epoch, with the line of the identity and a mark at the best epoch.

    Args:
        history: Each epoch's figures by their logged names, with ``epoch``, as the run's summary keeps them.
        metrics: A panel for each: ``loss``, ``psnr``, ``ssim_ref`` or any other logged for training or validation.
        best_by: What the best checkpoint is chosen by; lower is better for a loss, higher for any other.

    Raises:
        ValueError: No epoch has a value of ``best_by``.
    """
    best = _best_epoch(history, best_by)
    figure = new_figure(4.0, f"Training: best of {len(history)} epochs is {best['epoch']:g}, by {best_by}")
    labels: dict[str, Artist] = {}
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        _metric_panel(axes, history, metric, best)
        handles, names = axes.get_legend_handles_labels()
        labels |= dict(zip(names, handles, strict=True))
    figure.legend(list(labels.values()), list(labels), loc="outside lower center", ncols=4, fontsize=9)
    return figure


def learning_rate_points(history: History) -> list[tuple[float, float]]:
    """Returns (step, learning rate) of each epoch's end, of the first parameter group; empty where none was logged."""
    rates = ((figures["step"], [figures[name] for name in figures if name.startswith("lr-")]) for figures in history)
    return [(step, values[0]) for step, values in rates if values]


def learning_rate(points: Sequence[tuple[float, float]], phases: Sequence[Phase] | None = None) -> Figure:
    """Draws the learning rate by optimizer step, with its phases and its highest and last value.

    Args:
        points: (step, learning rate), the steps rising; at least one.
        phases: What the rate does where; found from the points without them.
    """
    steps, rates = zip(*points, strict=True)
    figure = new_figure(3.6)
    axes = figure.subplots()
    axes.plot(steps, rates, color=MODEL, marker="." if len(points) < 60 else "", label="learning rate")
    top = max(rates)
    peak = steps[rates.index(top)]
    title = f"Learning rate: highest {top:.3g} at step {peak:,g}, last {rates[-1]:.3g}"
    plain_axes(axes, title, "optimizer step", "learning rate")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes.set_ylim(0, top * 1.15 or 1.0)
    span = max(steps[-1] - steps[0], 1e-9)
    for number, phase in enumerate(find_phases(points) if phases is None else phases):
        if phase.name.startswith("drop"):
            axes.axvline(phase.end, color=IDENTITY, linestyle=":", label=f"{phase.name} at step {phase.end:,g}")
            continue
        axes.axvspan(phase.start, phase.end, color=QUIET, alpha=0.12 if number % 2 else 0.05, linewidth=0)
        if (phase.end - phase.start) / span > 0.05:  # a narrower one has no room for its name
            middle = (phase.start + phase.end) / 2
            axes.text(middle, top * 1.08, phase.name, ha="center", va="center", fontsize=9, color=QUIET)
    axes.legend(fontsize=8, loc="center right")
    return figure


def find_phases(points: Sequence[tuple[float, float]]) -> list[Phase]:
    """Cuts a learning-rate curve into ``warm-up``, ``constant``, ``rise``, ``decay`` and ``drop``.

    A first stretch at one rate is a warm-up when another rate follows. A drop is a fall to less than a third in one
    step out of a curve that is smooth before and after.
    """
    phases: list[Phase] = []
    ratios = [after / before if before > 0 else math.inf for (_, before), (_, after) in pairwise(points)]
    for number, ratio in enumerate(ratios):
        (start, _), (end, _) = points[number], points[number + 1]
        around = [*ratios[max(number - 1, 0) : number], *ratios[number + 1 : number + 2]]
        if ratio < 1 / 3 and len(around) == 2 and min(around) > 0.7:
            phases.append(Phase(f"drop to {ratio:.1g} times", start, end))
            continue
        name = "constant" if abs(ratio - 1) < 1e-6 else "rise" if ratio > 1 else "decay"
        if phases and phases[-1].name == name:
            start = phases.pop().start
        phases.append(Phase(name, start, end))
    if len(phases) > 1 and phases[0].name == "constant":
        phases[0] = phases[0]._replace(name="warm-up")
    return phases


def _best_epoch(history: History, best_by: str) -> Mapping[str, float]:
    known = [figures for figures in history if math.isfinite(figures.get(best_by, math.nan))]
    if not known:
        raise ValueError(f"no epoch has a value of {best_by}")
    sign = 1 if "loss" in best_by else -1
    return min(known, key=lambda figures: sign * figures[best_by])


def _metric_panel(axes: Axes, history: History, metric: str, best: Mapping[str, float]) -> None:
    kind, _, region = metric.partition("_")
    identity = "_".join([kind, "input", *filter(None, [region])])
    lines = (
        (f"train/{metric}", "training", TRAINING, "-"),
        (f"val/{metric}", "validation", MODEL, "-"),
        (f"val/{identity}", "identity (validation)", IDENTITY, "--"),
    )
    for name, label, colour, style in lines:
        points = [(figures["epoch"], figures[name]) for figures in history if name in figures]
        marker = "." if len(points) < 10 and colour != IDENTITY else ""
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=style, marker=marker, label=label)
    digits = _DIGITS.get(kind, 3)
    said = []
    if f"val/{metric}" in best:
        value = best[f"val/{metric}"]
        said.append(f"best epoch {value:.{digits}f}")
        axes.axvline(best["epoch"], color=BEST, linestyle=":", linewidth=1)
        axes.plot([best["epoch"]], [value], color=BEST, marker="o", linestyle="", label="best epoch")
    if f"val/{identity}" in best:
        said.append(f"identity {best[f'val/{identity}']:.{digits}f}")
    unit = _NAMES.get(kind, kind)
    where = f" {_REGIONS.get(region, region)}" if region else ""
    plain_axes(axes, f"{unit}{where}\n{', '.join(said)}", "epoch", unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    shown = [figures[name] for name, *_ in lines for figures in history if name in figures]
    if kind == "loss" and min(shown, default=0.0) > 0 and max(shown) > 5 * min(shown):
        axes.set_yscale("log")
