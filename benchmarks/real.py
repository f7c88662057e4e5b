"""What inference does to pictures with real marks: ``python benchmarks/real.py FOLDER -o OUT``.

There is no truth to compare with, so each picture is written before, after and with what was found, and judged by eye:
``OUT/judge.html`` shows them one by one, a key each (g: gone, t: traces, l: left, d: damaged), and saves
``verdicts.tsv``. With that file in OUT, or given as ``--verdicts``, the same command sums it up by kind. Beside that,
of each picture: how many marks were found, the share of its pixels that changed, and what is left of the edges around
what was found, 1 being all. Kinds are the first word of a file's name, or the column ``kind`` of a table ``real.tsv``
beside FOLDER.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from harm import changed, chosen
from PIL import Image

from wm_lightning.files import write_csv
from wm_lightning.inference import sheets
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pictures import read_picture
from wm_lightning.inference.pixels import Pixels, as_bytes
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import Search, as_sensitivity

log = logging.getLogger("real")
VERDICTS = ("gone", "traces", "left", "damaged")
SHOWN_SIDE = 900  # pixels of the pictures that are written
PAGE = Path(__file__).with_suffix(".html")


class Looked(NamedTuple):
    """A picture that was cleaned.

    Attributes:
        file: Its name.
        kind: Of its mark.
        marks: How many were taken away.
        changed: Share of its pixels that changed by more than eight levels.
        edges: Of the edges around what was found how much is left; NaN where nothing was.
    """

    file: str
    kind: str
    marks: int
    changed: float
    edges: float


def kinds_of(folder: Path) -> dict[str, str]:
    """Returns the kinds that a table beside the folder, or in it, gives its pictures, by the file's name."""
    for table in (folder / "real.tsv", folder.parent / "real.tsv"):
        if table.is_file():
            with table.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            return {Path(row["file"]).name: row["kind"] for row in rows}
    return {}


def edges_left(before: Pixels, after: Pixels, mask: npt.NDArray[np.uint8]) -> float:
    """Returns the mean slope around what was found, after as a share of before; NaN where nothing was found.

    Args:
        before: (H, W, 3) uint8.
        after: Likewise.
        mask: (H, W), above 0 where a mark was found.
    """
    found = (mask > 0).astype(np.uint8)
    rim = cv2.morphologyEx(found, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    if not rim.any():
        return float("nan")
    slopes = [_slope(picture)[rim].mean() for picture in (before, after)]
    return float(slopes[1] / max(slopes[0], 1e-6))


def _slope(picture: Pixels) -> npt.NDArray[np.float32]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).astype(np.float32)


def look(engine: Engine, path: Path, kinds: Mapping[str, str], search: Search, output: Path) -> Looked:
    """Cleans a picture and writes it before, after and with what was found."""
    pixels = read_picture(path).pixels
    cleaned = clean_pixels(engine, pixels, search=search)
    before, after = as_bytes(pixels), as_bytes(cleaned.pixels)
    target = output / "pictures" / f"{path.name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheets.row(before, after, cleaned.mask, SHOWN_SIDE)).save(target)
    kind = kinds.get(path.name) or re.split(r"[^A-Za-z]", path.stem, maxsplit=1)[0] or "other"
    edges = edges_left(before, after, cleaned.mask)
    return Looked(path.name, kind, len(cleaned.marks), changed(before, after), edges)


def read_verdicts(path: Path) -> dict[str, str]:
    """Returns each picture's verdict, by the file's name.

    Args:
        path: Of a table with the columns ``file`` and ``verdict``, tab-separated.
    """
    with path.open(encoding="utf-8", newline="") as file:
        found = {row["file"]: row["verdict"] for row in csv.DictReader(file, delimiter="\t") if row["verdict"]}
    if unknown := sorted(set(found.values()) - set(VERDICTS)):
        sys.exit(f"error: {path} has the verdict {unknown[0]}; it must be one of {', '.join(VERDICTS)}.")
    return found


def table(pictures: Iterable[Looked], verdicts: Mapping[str, str]) -> list[str]:
    """Returns the rows of the table by kind, and of all."""
    judged = [one for one in pictures if one.file in verdicts]
    rows = ["| | pictures | " + " | ".join(VERDICTS) + " |", "|---" + "|---:" * (len(VERDICTS) + 1) + "|"]
    for kind in [*sorted({one.kind for one in judged}), None]:
        given = [verdicts[one.file] for one in judged if kind in (None, one.kind)]
        counts = " | ".join(str(given.count(verdict)) for verdict in VERDICTS)
        rows.append(f"| {kind or 'all'} | {len(given)} | {counts} |")
    return rows


def write_page(pictures: Iterable[Looked], output: Path) -> Path:
    """Writes the page that pictures are judged on."""
    listed = json.dumps([{"file": one.file, "kind": one.kind} for one in pictures]).replace("<", "\\u003c")
    path = output / "judge.html"
    path.write_text(PAGE.read_text(encoding="utf-8").replace("{{ pictures }}", listed), encoding="utf-8")
    return path


def main() -> None:
    """Measures, writes and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the pictures, the table and page")
    parser.add_argument("--weights", default="general")
    parser.add_argument("--sensitivity", default="normal")
    parser.add_argument("--pictures", type=int, help="take every so manieth, for this many")
    parser.add_argument("--verdicts", type=Path, help="by eye; default: verdicts.tsv in the output's folder")
    options = parser.parse_args()
    paths, search = chosen(options.folder, options.pictures), Search(as_sensitivity(options.sensitivity))
    engine, kinds = open_engine(options.weights), kinds_of(options.folder)
    found = [look(engine, path, kinds, search, options.output) for path in paths]
    write_csv(options.output / "real.csv", Looked._fields, found)
    log.info("| | marks | changed | edges left |\n|---|---:|---:|---:|")
    for one in found:
        log.info("| %s | %d | %.2f %% | %.2f |", one.file, one.marks, 100 * one.changed, one.edges)
    log.info("\njudge them: %s", write_page(found, options.output))
    verdicts = options.verdicts or options.output / "verdicts.tsv"
    if options.verdicts or verdicts.is_file():
        log.info("\n%s", "\n".join(table(found, read_verdicts(verdicts))))


if __name__ == "__main__":
    main()
