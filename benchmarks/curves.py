"""Draws how far trainings were after so many minutes: ``python benchmarks/curves.py NAME=RUN ... -o FILE.png``.

A run is its folder, whose TensorBoard files say when each validation was; time counts from the run's first record, and
a run that was stopped and went on shows the gap.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from wm_lightning.errors import UserError
from wm_lightning.reports.figures.style import BEST, IDENTITY, MODEL, QUIET, TRAINING, new_figure, plain_axes

log = logging.getLogger("curves")
COLOURS = (MODEL, TRAINING, BEST, "#CC79A7", "#E69F00", QUIET)
PANELS = {"val/gain": "the whole picture", "val/gain_in": "inside the mark"}


class Curve(NamedTuple):
    """What a run's validations measured.

    Attributes:
        name: As given.
        points: Of each metric of ``PANELS``, minutes and decibels.
    """

    name: str
    points: dict[str, list[tuple[float, float]]]


def read_curve(name: str, run: Path) -> Curve:
    """Reads a run's TensorBoard files.

    Raises:
        UserError: There are none, or no validation is in them.
    """
    found: dict[str, list[tuple[float, float]]] = {metric: [] for metric in PANELS}
    began = []
    for folder in {file.parent for file in run.rglob("events.out.tfevents.*")}:
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        began.append(events.FirstEventTimestamp())
        for metric in set(PANELS) & set(events.Tags()["scalars"]):
            found[metric] += [(event.wall_time, event.value) for event in events.Scalars(metric)]
    if not found["val/gain"]:
        raise UserError(f"{run} has no validation in TensorBoard's files; give a training's folder.")
    start = min(began)
    return Curve(name, {metric: [((t - start) / 60, value) for t, value in sorted(found[metric])] for metric in found})


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Draws a panel for each metric, the identity being 0."""
    figure = new_figure(4.2, "Validation over the time of training")
    for axes, (metric, where) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        axes.axhline(0, color=IDENTITY, linestyle="--", linewidth=1, label="identity")
        for curve, colour in zip(curves, COLOURS, strict=False):
            axes.plot(*zip(*curve.points[metric], strict=True), color=colour, marker=".", label=curve.name)
        plain_axes(axes, f"Decibels over the identity, {where}", "minutes", "dB")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    """Reads, draws, and prints the last validation of each."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN", help=f"at most {len(COLOURS)}")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    pairs = [text.partition("=")[::2] for text in options.runs]
    if len(pairs) > len(COLOURS) or not all(name and run for name, run in pairs):
        parser.error(f"give at most {len(COLOURS)} runs as NAME=RUN")
    try:
        curves = [read_curve(name, Path(run)) for name, run in pairs]
    except UserError as error:
        sys.exit(f"error: {error}")
    draw(curves, options.output)
    log.info("| | minutes | gain | gain inside |\n|---|---:|---:|---:|")
    for curve in curves:
        (minutes, gain), (_, inside) = (curve.points[metric][-1] for metric in PANELS)
        log.info("| %s | %.0f | %+.2f | %+.2f |", curve.name, minutes, gain, inside)


if __name__ == "__main__":
    main()
