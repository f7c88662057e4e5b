"""What compression and sharpening leave of the gain: ``python benchmarks/compressed.py PHOTOS --logos LOGOS``.

Whole photographs of the test split, each with a mark of ``synthesis=held_out_real`` (fonts, phrases, plates and, of
LOGOS, files that nothing was trained on), go through the whole inference: as they are, as JPEG of several qualities
(4:2:0), and sharpened, beside their clean photographs treated alike. Equal seeds, equal marks. In dB, means over
pictures: the gain over the identity, of the whole picture and inside the mark; ``found`` are pictures in which half of
the marked pixels or more were.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scales import psnr
from sensitivity import HALF, drawer

from wm_lightning.data.sources import FolderSource, split_names
from wm_lightning.data.synthesis.degradation import degrade
from wm_lightning.data.synthesis.spec import DegradationSpec
from wm_lightning.data.synthesis.traits import traits_of
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pixels import Pixels
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import NORMAL, Search

log = logging.getLogger("compressed")
SHARPENED = DegradationSpec(sharpen=(1.0, 0.8))  # twice as far from a blurred copy as it was
# What people call them, of what recipes
KINDS = {
    "logos": ("logo",),
    "boxes": ("icon", "app"),
    "texts": ("text", "letters", "label", "address", "date", "sparkle"),
    "tiled": ("tiled", "repeated", "dense", "lines"),
    "bands": ("band", "code", "shape"),
}


class Marked(NamedTuple):
    """A photograph with a mark.

    Attributes:
        kind: A key of ``KINDS``.
        image: (H, W, 3).
        clean: (H, W, 3).
        mask: Where the mark is, (H, W).
    """

    kind: str
    image: Pixels
    clean: Pixels
    mask: npt.NDArray[np.bool_]


class Score(NamedTuple):
    """How a picture fared.

    Attributes:
        gain: Over the identity, in dB.
        inside: The same inside the mark.
        found: Whether half of the marked pixels were.
    """

    gain: float
    inside: float
    found: bool


def marked(
    photographs: Path, logos: Path | None, count: int | None, changes: Sequence[str] = ("synthesis=held_out_real",)
) -> Iterator[Marked]:
    """Draws a mark on each photograph of the test split, which is not compressed.

    Args:
        photographs: A folder.
        logos: Another; None for none.
        count: How many of the photographs, at most.
        changes: Overrides that say which marks.
    """
    plain = ("synthesis.unmarked=0", "synthesis.sampler.count=[1,1]", "synthesis.degradation=null")
    synthesizer, source = drawer((*changes, *plain), logos), FolderSource(photographs)
    for number, name in enumerate(split_names(source.names, seed=0).test[:count]):
        view = synthesizer(source.load(name), np.random.default_rng(number))
        kind = traits_of(view).kinds[-1]
        group = next((group for group, kinds in KINDS.items() if kind in kinds), "logos")
        yield Marked(group, view.image, view.clean, view.mask)


def treated(one: Marked, spec: DegradationSpec) -> Marked:
    """Compresses or sharpens a picture and its clean photograph alike."""
    return one._replace(image=degrade(one.image, spec), clean=degrade(one.clean, spec))


def score(engine: Engine, one: Marked, search: Search) -> Score:
    """Cleans a picture and compares it with its clean photograph."""
    cleaned, inside = clean_pixels(engine, one.image, search=search), one.mask
    before, after = psnr(one.image, one.clean), psnr(cleaned.pixels, one.clean)
    before_in, after_in = (psnr(pixels[inside], one.clean[inside]) for pixels in (one.image, cleaned.pixels))
    return Score(after - before, after_in - before_in, float((cleaned.mask[inside] > 0).mean()) >= HALF)


def table(scores: Sequence[Sequence[Score]], kinds: Sequence[str], ways: Sequence[str]) -> Iterator[str]:
    """Yields the rows of a table: a column for each way of treating pictures, (ways, pictures) scores."""
    yield "| | pictures | " + " | ".join(ways) + " |"
    yield "|---|" + "---:|" * (len(ways) + 1)
    for kind in ("all", *KINDS):
        chosen = [number for number, one in enumerate(kinds) if kind in ("all", one)]
        if chosen:
            yield (
                f"| {kind} | {len(chosen)} | " + " | ".join(_cell([of[one] for one in chosen]) for of in scores) + " |"
            )


def _cell(scores: Sequence[Score]) -> str:
    gain, inside, found = (np.mean(column) for column in zip(*scores, strict=True))
    return f"{gain:+.2f}, inside {inside:+.2f}, found {100 * found:.0f} %"


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--logos", type=Path, help="the folder of logos that training takes nine tenths of")
    parser.add_argument("--weights", default="general")
    parser.add_argument("--pictures", type=int, help="at most")
    parser.add_argument("--qualities", type=int, nargs="+", default=[95, 85, 70])
    parser.add_argument("--sensitivities", type=float, nargs="+", default=[NORMAL, 1.0])
    options = parser.parse_args()
    engine, pictures = open_engine(options.weights), list(marked(options.photographs, options.logos, options.pictures))
    ways = {"as it is": DegradationSpec()} | {f"JPEG {one}": DegradationSpec(jpeg=one) for one in options.qualities}
    ways |= {"sharpened": SHARPENED, "sharpened, JPEG 85": replace(SHARPENED, jpeg=85)}
    for sensitivity in options.sensitivities:
        search = Search(sensitivity)
        scores = [[score(engine, treated(one, spec), search) for one in pictures] for spec in ways.values()]
        log.info("\nsensitivity %g:\n", sensitivity)
        for line in table(scores, [one.kind for one in pictures], list(ways)):
            log.info(line)


if __name__ == "__main__":
    main()
