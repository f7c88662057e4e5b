"""What evidence costs where there are marks: ``python benchmarks/held_out.py PHOTOS``.

The test pairs of ``docs/results.md``, 256x256 pixels with one held-out mark each, through the whole inference at
several sensitivities. 1 takes away whatever the network sees, as ``evaluate.py`` does, which scores the network alone.
PSNR in dB, means over pictures; found are pictures in which half of the marked pixels or more were. The last column is
of these photographs without a mark: how many are below 50 dB against themselves.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import hydra
import numpy as np
from harm import WHOLE_DB
from scales import psnr
from sensitivity import HALF

from wm_lightning.commands import override
from wm_lightning.data.sources import BrokenPictureError
from wm_lightning.data.synthesis import View
from wm_lightning.data.synthesis.traits import traits_of
from wm_lightning.files import CONF
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import SENSITIVITIES, Search
from wm_lightning.runner.build import build_data

log = logging.getLogger("held_out")
KINDS = ("logo", "text", "tiled")


class Marked(NamedTuple):
    """A picture with a mark.

    Attributes:
        kind: One of ``KINDS``.
        view: The picture, its clean photograph and the mask.
    """

    kind: str
    view: View


def pairs(photographs: Path, stage: str, count: int | None) -> list[Marked]:
    """Draws the pairs of one split."""
    changes = ["data=folder", override("data.root", str(photographs.resolve())), "synthesis=held_out"]
    changes += ["data.short_side=full", "data.size=256", "data.split_dir=null", "data.cache=none", "seed=0"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=changes)
    of_stage = build_data(config).pairs(stage)  # type: ignore[arg-type]  # argparse offers stages alone
    found = []
    for index in range(min(count or len(of_stage), len(of_stage))):
        with suppress(BrokenPictureError):
            view, _ = of_stage.views((0, index))  # type: ignore[attr-defined]  # of made pairs
            found.append(Marked(traits_of(view).kinds[-1], view))
    return found


def row(engine: Engine, marked: Sequence[Marked], sensitivity: float) -> str:
    """Cleans everything at one sensitivity and returns a row of the table."""
    search = Search(sensitivity)
    cleaned = [clean_pixels(engine, one.view.image, search=search) for one in marked]
    scores = [psnr(result.pixels, one.view.clean) for result, one in zip(cleaned, marked, strict=True)]
    found = [(result.mask[one.view.mask] > 0).mean() >= HALF for result, one in zip(cleaned, marked, strict=True)]
    harmed = [
        psnr(clean_pixels(engine, one.view.clean, search=search).pixels, one.view.clean) < WHOLE_DB for one in marked
    ]
    return f"| {sensitivity:g} | {_means(marked, scores)} | {100 * np.mean(found):.0f} % | {sum(harmed)} |"


def _means(marked: Sequence[Marked], scores: Sequence[float]) -> str:
    kinds = [[score for one, score in zip(marked, scores, strict=True) if one.kind == kind] for kind in KINDS]
    return " | ".join(f"{np.mean(group):.2f}" if group else "" for group in (scores, *kinds))


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--weights", default="general")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--pictures", type=int, help="at most")
    parser.add_argument("--sensitivities", type=float, nargs="+", default=[*sorted(SENSITIVITIES.values()), 1.0])
    options = parser.parse_args()
    marked = pairs(options.photographs, options.split, options.pictures)
    engine = open_engine(options.weights)
    log.info("| sensitivity | all | %s | found | unmarked below 50 dB |\n|---:|%s", " | ".join(KINDS), "---:|" * 6)
    log.info("| identity | %s | | |", _means(marked, [psnr(one.view.image, one.view.clean) for one in marked]))
    for sensitivity in options.sensitivities:
        log.info(row(engine, marked, sensitivity))


if __name__ == "__main__":
    main()
