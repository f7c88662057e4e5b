"""What a sensitivity takes away and what it spares: ``python benchmarks/sensitivity.py UNMARKED PHOTOS -o FILE.png``.

Two kinds of pictures go through the whole inference, at their own size, at each sensitivity. Of UNMARKED, false alarms
are counted: pictures of which more than a thousandth of the pixels changed by more than 8 levels. On PHOTOS, which
carry no mark either, marks of ``synthesis=real`` are drawn, once a small one and once wide ones, and hits are counted:
pictures in which half of the marked pixels, or more, were found. Equal seeds, equal marks.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import hydra
import numpy as np
from harm import FEW, changed, chosen
from hydra.utils import instantiate
from scales import psnr

from wm_lightning.commands import override
from wm_lightning.data.synthesis import Synthesizer, View
from wm_lightning.files import CONF
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pictures import read_picture
from wm_lightning.inference.pixels import as_bytes
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import SENSITIVITIES, Search
from wm_lightning.reports.figures.style import IDENTITY, MODEL, new_figure, plain_axes

log = logging.getLogger("sensitivity")
HALF = 0.5  # of the marked pixels
# What is drawn: a corner's logo, a date or a name, and what lies across a picture or all over it
MARKS = {
    "small": ("size=[0.02,0.2]", "tiled_size=[0.05,0.2]", "count=[1,1]"),
    "wide": ("size=[0.15,0.9]", "tiled_size=[0.08,0.4]", "count=[1,2]"),
}


class Point(NamedTuple):
    """What a sensitivity does.

    Attributes:
        sensitivity: 0..1.
        alarms: Share of unmarked pictures that were changed.
        hits: Share of marked pictures whose marks were found, by kind of marks (:data:`MARKS`).
        gains: Mean over marked pictures of the PSNR above that of the identity, in dB, by the same.
    """

    sensitivity: float
    alarms: float
    hits: dict[str, float]
    gains: dict[str, float]


def drawer(changes: Sequence[str], logos: Path | None) -> Synthesizer:
    """Returns what draws marks, of overrides that say which, and a folder of logos; None for no folder."""
    of_logos = [override("synthesis.logos", str(logos.resolve()))] if logos else []
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[*changes, *of_logos])
    synthesizer: Synthesizer = instantiate(config.synthesis)
    return synthesizer


def marked(paths: Sequence[Path], logos: Path | None, kind: str) -> Iterator[View]:
    """Draws marks of a kind of :data:`MARKS`."""
    ranges = [f"synthesis.sampler.{change}" for change in MARKS[kind]]
    synthesizer = drawer(("synthesis=real", "synthesis.unmarked=0", *ranges), logos)
    for number, path in enumerate(paths):
        yield synthesizer(as_bytes(read_picture(path).pixels), np.random.default_rng(number))


def false_alarms(engine: Engine, unmarked: Path, searches: Sequence[Search]) -> list[bool]:
    """Says of each search whether it changes a picture that carries no mark."""
    pixels = as_bytes(read_picture(unmarked).pixels)
    return [changed(pixels, clean_pixels(engine, pixels, search=search).pixels) > FEW for search in searches]


def finds(engine: Engine, view: View, searches: Sequence[Search]) -> list[tuple[bool, float]]:
    """Says of each search whether it finds the marks, and the PSNR in dB above that of the identity."""
    found = [clean_pixels(engine, view.image, search=search) for search in searches]
    before = psnr(view.image, view.clean)
    return [
        (float((cleaned.mask[view.mask] > 0).mean()) >= HALF, psnr(cleaned.pixels, view.clean) - before)
        for cleaned in found
    ]


def draw(points: Sequence[Point], path: Path) -> None:
    """Draws both shares over the sensitivity."""
    figure = new_figure(4.2, "What a sensitivity finds, and what it finds where nothing is")
    axes = figure.subplots()
    at = [point.sensitivity for point in points]
    for kind, line in zip(MARKS, ("-", "--"), strict=True):
        shares = [100 * point.hits[kind] for point in points]
        axes.plot(at, shares, color=MODEL, linestyle=line, marker=".", label=f"hits: {kind} marks")
    axes.plot(at, [100 * point.alarms for point in points], color=IDENTITY, marker=".", label="alarms")
    plain_axes(axes, "Marked pictures whose marks are found; unmarked pictures that are changed", "sensitivity", "%")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    """Measures, prints and draws."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("unmarked", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--weights", default="general")
    parser.add_argument("--pictures", type=int, default=60, help="of each kind, at most")
    parser.add_argument("--logos", type=Path, help="a folder of logos that the weights were not trained on")
    every = sorted({0.1, 0.35, 0.65, 0.9, *SENSITIVITIES.values()})
    parser.add_argument("--sensitivities", type=float, nargs="+", default=every)
    parser.add_argument("-o", "--output", type=Path, help="picture of the curve")
    options = parser.parse_args()
    engine, searches = open_engine(options.weights), [Search(value) for value in sorted(options.sensitivities)]
    # A picture at a time: a folder of them may be larger than the memory.
    alarms = [false_alarms(engine, path, searches) for path in chosen(options.unmarked, options.pictures)]
    found = {}
    for kind in MARKS:
        views = marked(chosen(options.photographs, options.pictures), options.logos, kind)
        found[kind] = np.array([finds(engine, view, searches) for view in views if view.mask.any()])
    shares = {kind: of.mean(axis=0) for kind, of in found.items()}
    points = [
        Point(
            search.sensitivity,
            float(alarm),
            *({kind: float(share[number, column]) for kind, share in shares.items()} for column in (0, 1)),
        )
        for number, (search, alarm) in enumerate(zip(searches, np.mean(alarms, axis=0), strict=True))
    ]
    counts = ", ".join(f"{len(of)} with {kind} marks" for kind, of in found.items())
    log.info("%d unmarked pictures, %s", len(alarms), counts)
    log.info("| sensitivity | false alarms | %s |", " | ".join(f"hits, {kind} | gain in dB" for kind in MARKS))
    log.info("|---:|---:|%s", len(MARKS) * "---:|---:|")
    for point in points:
        cells = [f"{100 * point.hits[kind]:.1f} % | {point.gains[kind]:+.2f}" for kind in MARKS]
        log.info("| %g | %.1f %% | %s |", point.sensitivity, 100 * point.alarms, " | ".join(cells))
    if options.output:
        draw(points, options.output)


if __name__ == "__main__":
    main()
