"""What a sensitivity takes away and what it spares: ``python benchmarks/sensitivity.py UNMARKED PHOTOS -o FILE.png``.

Two kinds of pictures go through the whole inference, at their own size, at each sensitivity. Of UNMARKED, false alarms
are counted: pictures of which more than a thousandth of the pixels changed by more than 8 levels. On PHOTOS, which
carry no mark either, marks of ``synthesis=real`` are drawn, and hits are counted: pictures in which half of the marked
pixels, or more, were found. Equal seeds, equal marks.
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


class Point(NamedTuple):
    """What a sensitivity does.

    Attributes:
        sensitivity: 0..1.
        alarms: Share of unmarked pictures that were changed.
        hits: Share of marked pictures whose marks were found.
        gain: Mean over marked pictures of the PSNR above that of the identity, in dB.
    """

    sensitivity: float
    alarms: float
    hits: float
    gain: float


def drawer(changes: Sequence[str], logos: Path | None) -> Synthesizer:
    """Returns what draws marks, of overrides that say which, and a folder of logos; None for no folder."""
    of_logos = [override("synthesis.logos", str(logos.resolve()))] if logos else []
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[*changes, *of_logos])
    synthesizer: Synthesizer = instantiate(config.synthesis)
    return synthesizer


def marked(paths: Sequence[Path], logos: Path | None) -> Iterator[View]:
    """Draws marks of a tenth to seven tenths of the shorter side."""
    sizes = ("synthesis.sampler.size=[0.1,0.7]", "synthesis.sampler.tiled_size=[0.1,0.4]")
    synthesizer = drawer(("synthesis=real", "synthesis.unmarked=0", *sizes), logos)
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
    for name, colour in (("hits", MODEL), ("alarms", IDENTITY)):
        shares = [100 * getattr(point, name) for point in points]
        axes.plot([point.sensitivity for point in points], shares, color=colour, marker=".", label=name)
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
    views = marked(chosen(options.photographs, options.pictures), options.logos)
    found = np.array([finds(engine, view, searches) for view in views if view.mask.any()])
    points = [
        Point(search.sensitivity, *(float(share) for share in (alarm, *hits_and_gain)))
        for search, alarm, hits_and_gain in zip(searches, np.mean(alarms, axis=0), found.mean(axis=0), strict=True)
    ]
    log.info("%d unmarked pictures, %d marked ones", len(alarms), len(found))
    log.info("| sensitivity | false alarms | hits | gain in dB |\n|---:|---:|---:|---:|")
    for point in points:
        shares = 100 * point.alarms, 100 * point.hits
        log.info("| %g | %.1f %% | %.1f %% | %+.2f |", point.sensitivity, *shares, point.gain)
    if options.output:
        draw(points, options.output)


if __name__ == "__main__":
    main()
