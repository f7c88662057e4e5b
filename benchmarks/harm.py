"""What inference does to pictures that carry no mark: ``python benchmarks/harm.py FOLDER``.

Each picture goes through the whole inference, at its own size and at others, and is compared with itself: PSNR in dB
(100 where nothing changed), and the share of its pixels of which a channel changed by more than 8 levels. Pictures are
told by kind, which is the first word of a file's name. The worst are written beside each other: before, after, and
where they changed.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from scales import psnr

from wm_lightning.files import pictures_below
from wm_lightning.inference import sheets
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pictures import read_picture
from wm_lightning.inference.pixels import Pixels, as_bytes
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import Search, as_sensitivity

log = logging.getLogger("harm")
LEVELS = 8  # a change by more is seen
FEW, MANY = 0.001, 0.01  # shares of a picture's pixels
WHOLE_DB = 50.0  # from which a picture counts as untouched
SHOWN_SIDE = 700  # pixels of the pictures that are written


class Harmed(NamedTuple):
    """A picture that was looked for marks in.

    Attributes:
        name: Of its file, with the size it was brought to.
        kind: The first word of that name.
        megapixels: Its size.
        psnr: Against itself, in dB.
        changed: Share of its pixels that changed by more than ``LEVELS``.
        seconds: That it took.
    """

    name: str
    kind: str
    megapixels: float
    psnr: float
    changed: float
    seconds: float


def chosen(folder: Path, count: int | None) -> list[Path]:
    """Returns the pictures of a folder; of many, every so manieth."""
    paths = sorted(pictures_below(folder))
    if not paths:
        sys.exit(f"error: {folder} holds no picture; give another folder.")
    return paths[:: max(1, len(paths) // count)][:count] if count else paths


def where_changed(before: Pixels, after: Pixels) -> npt.NDArray[np.bool_]:
    """Returns of which pixels a channel changed by more than ``LEVELS``, (H, W)."""
    return np.asarray(cv2.absdiff(before, after).max(axis=-1) > LEVELS)


def changed(before: Pixels, after: Pixels) -> float:
    """Returns the share of these pixels."""
    return float(where_changed(before, after).mean())


def resized(pixels: Pixels, scale: float) -> Pixels:
    """Returns a picture at another size, as a good program makes it."""
    if scale == 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(pixels, (width, height), interpolation=how))


def look(engine: Engine, path: Path, scale: float, search: Search) -> tuple[Harmed, Pixels, Pixels]:
    """Cleans a picture; returns how it fared, and the picture before and after in 8 bits."""
    pixels = resized(read_picture(path).pixels, scale)
    began = time.perf_counter()
    cleaned = as_bytes(clean_pixels(engine, pixels, search=search).pixels)
    seconds, before = time.perf_counter() - began, as_bytes(pixels)
    kind = re.split(r"[^A-Za-z]", path.stem, maxsplit=1)[0] or "other"
    name = path.name if scale == 1 else f"{path.name} x{scale:g}"
    megapixels = before.shape[0] * before.shape[1] / 1e6
    return Harmed(name, kind, megapixels, psnr(cleaned, before), changed(before, cleaned), seconds), before, cleaned


def write_sheet(before: Pixels, after: Pixels, path: Path) -> None:
    """Writes a picture before, after, and where it changed, beside each other."""
    where = where_changed(before, after) * np.uint8(255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheets.row(before, after, where, SHOWN_SIDE)).save(path)


def row(name: str, found: Sequence[Harmed]) -> str:
    """Returns a row of the table."""
    scores = sorted(one.psnr for one in found)
    below = sum(score < WHOLE_DB for score in scores)
    few, many = (sum(one.changed > share for one in found) for share in (FEW, MANY))
    speed = sum(one.seconds for one in found) / sum(one.megapixels for one in found)
    return (
        f"| {name} | {len(found)} | {below} | {few} | {many} | {scores[0]:.1f} | {scores[len(scores) // 2]:.1f} | "
        f"{speed:.2f} |"
    )


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="general")
    parser.add_argument("--sensitivity", default="normal")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0], help="sizes that each picture is brought to")
    parser.add_argument("--pictures", type=int, help="take every so manieth, for this many")
    parser.add_argument("--worst", type=int, default=10, help="how many to name")
    parser.add_argument("--output", type=Path, help="folder for those below 50 dB, as PNG")
    options = parser.parse_args()
    paths, search = chosen(options.folder, options.pictures), Search(as_sensitivity(options.sensitivity))
    engine = open_engine(options.weights)
    found = []
    for scale in options.scales:
        for path in paths:
            harmed, before, after = look(engine, path, scale, search)
            found.append(harmed)
            if options.output and harmed.psnr < WHOLE_DB:
                write_sheet(before, after, options.output / f"{harmed.psnr:05.1f}_{path.stem}_{scale:g}.png")
    counts = f"below {WHOLE_DB:g} dB | over {FEW:.1%} changed | over {MANY:.0%}"
    log.info("| | pictures | %s | least dB | median | seconds a megapixel |\n|---%s|", counts, "|---:" * 7)
    for kind in sorted({one.kind for one in found}):
        log.info(row(kind, [one for one in found if one.kind == kind]))
    log.info(row("all", found))
    log.info("\n| the worst | megapixels | dB | changed |\n|---|---:|---:|---:|")
    for one in sorted(found, key=lambda one: one.psnr)[: options.worst]:
        log.info("| %s | %.1f | %.1f | %.2f %% |", one.name, one.megapixels, one.psnr, 100 * one.changed)


if __name__ == "__main__":
    main()
