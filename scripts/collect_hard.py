"""Collects what a network takes for marks: ``python scripts/collect_hard.py PHOTOS -o FOLDER --weights FILE``.

PHOTOS are those that it is trained on, and carry no marks: look through what was collected, and leave out those that
do. Each is looked at at several sizes; around what the network finds, a crop is written as PNG. In a folder of
photographs to train on, beside the others, they are what there is most to learn from.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fit_evidence import sizes
from PIL import Image

from wm_lightning.files import pictures_below
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import find_marks
from wm_lightning.inference.pictures import read_picture
from wm_lightning.inference.pixels import Pixels, as_bytes
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.scales import View, seen
from wm_lightning.inference.search import AS_USUAL

log = logging.getLogger("collect_hard")
SIDE = 192  # pixels of a crop, at most
SMALLEST_SIDE = 96
LEAST = 60  # pixels of what is found
MOST = 4  # crops of a picture, from the largest mark on
APART = SIDE // 2  # pixels between the middles of two crops


def crops(engine: Engine, pixels: Pixels) -> Iterator[Pixels]:
    """Yields crops of a picture (H, W, 3) around the largest marks that a network finds."""
    height, width = pixels.shape[:2]
    marks = find_marks(seen(engine, View(pixels), AS_USUAL))
    middles: list[tuple[int, int]] = []
    for number in np.argsort(-marks.areas)[:MOST]:
        left, top, across, down = (int(value) for value in marks.boxes[number])
        middle = left + across // 2, top + down // 2
        if marks.areas[number] < LEAST or any(
            max(abs(a - b) for a, b in zip(middle, m, strict=True)) < APART for m in middles
        ):
            continue
        middles.append(middle)
        x, y = (
            min(max(at - SIDE // 2, 0), max(side - SIDE, 0)) for at, side in zip(middle, (width, height), strict=True)
        )
        yield pixels[y : y + SIDE, x : x + SIDE]


def main() -> None:
    """Looks and writes."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--weights", default="general")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    engine, written = open_engine(options.weights), 0
    options.output.mkdir(parents=True, exist_ok=True)
    paths = sorted(pictures_below(options.photographs))
    for count, path in enumerate(paths, start=1):
        for size, pixels in enumerate(sizes(as_bytes(read_picture(path).pixels))):
            if min(pixels.shape[:2]) < SMALLEST_SIDE:
                continue
            for number, crop in enumerate(crops(engine, np.ascontiguousarray(pixels))):
                Image.fromarray(np.ascontiguousarray(crop)).save(options.output / f"{path.stem}_{size}_{number}.png")
                written += 1
        if count % 50 == 0 or count == len(paths):
            log.info("%d of %d photographs, %d crops", count, len(paths), written)


if __name__ == "__main__":
    main()
