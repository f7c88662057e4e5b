"""One mark on many pictures, estimated and undone: ``python benchmarks/same_mark.py PHOTOS``.

Photographs share a mark, words or a logo of a chosen opacity, as PNG and as JPEG; from these
:func:`wm_lightning.estimate_mark` measures the mark, which is then taken away. It is at one place, jittered by a few
pixels or anywhere, tiled over the picture, with a soft halo, or grows with pictures of two sizes. Beside it: *the
limit*, the true mark undone on the same 8-bit or JPEG pictures, and the network that knows nothing of it, on a few of
them. PSNR in dB inside the mark, means over pictures; of the opacity, its correlation with the true one and mean error
inside the mark.
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from scales import psnr

from wm_lightning.data.sources import decode
from wm_lightning.errors import UserError
from wm_lightning.files import pictures_below
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.known import without_known
from wm_lightning.inference.remover import open_engine
from wm_lightning.mark.estimate import estimate_mark
from wm_lightning.mark.known import KnownMark, Place

log = logging.getLogger("same_mark")
SIZE = 240, 320  # of the photographs, reduced and cropped
SEEN = 0.004  # opacity from which a pixel is inside the mark
KINDS = "same", "jittered", "anywhere", "scaled", "tiled", "halo"
JITTER = 5  # pixels that a jittered mark is off its place by, at most
LARGER = 1.5  # how much larger every other picture is whose mark grows with it
HALO = 8  # standard deviation of a halo, in pixels

Picture = npt.NDArray[np.uint8]


def photographs(root: Path, count: int) -> list[Picture]:
    """Returns so many photographs, evenly chosen by name, reduced and cropped to SIZE."""
    paths = sorted(pictures_below(root))
    chosen = [paths[at] for at in np.linspace(0, len(paths) - 1, count).astype(int)]
    found = []
    for path in chosen:
        picture = decode(path)
        factor = max(side / own for side, own in zip(SIZE, picture.shape[:2], strict=True))
        size = max(SIZE[1], round(picture.shape[1] * factor)), max(SIZE[0], round(picture.shape[0] * factor))
        found.append(
            np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)[: SIZE[0], : SIZE[1]]
        )
    return found


def true_mark(logo: Path | None, opacity: float, kind: str) -> KnownMark:
    """Returns white words, or a logo, in the middle of a picture of SIZE."""
    if kind == "tiled":
        drawn = np.zeros(SIZE, np.uint8)
        for number, row in enumerate(range(20, SIZE[0], 40)):
            for column in range(10 + 60 * (number % 2), SIZE[1], 120):
                cv2.putText(drawn, "Studio", (column, row), cv2.FONT_HERSHEY_DUPLEX, 0.6, 255, 1, cv2.LINE_AA)
        rgba = np.dstack((np.full((*SIZE, 3), 255, np.uint8), drawn))
    elif logo is None:
        drawn = np.zeros(SIZE, np.uint8)
        cv2.putText(drawn, "Sample Studio", (60, 130), cv2.FONT_HERSHEY_DUPLEX, 0.9, 255, 2, cv2.LINE_AA)
        rgba = np.dstack((np.full((*SIZE, 3), 255, np.uint8), drawn))
    else:
        with Image.open(logo) as opened:
            shown = opened.convert("RGBA")
        factor = SIZE[0] / 2 / max(shown.size)
        shown = shown.resize((round(shown.width * factor), round(shown.height * factor)), Image.Resampling.BOX)
        canvas = Image.new("RGBA", SIZE[::-1])
        canvas.paste(shown, ((SIZE[1] - shown.width) // 2, (SIZE[0] - shown.height) // 2))
        rgba = np.asarray(canvas)
    floats = rgba.astype(np.float32) / np.float32(255)
    alpha = floats[..., 3] * np.float32(opacity)
    if kind == "halo":
        alpha = np.maximum(alpha, cv2.GaussianBlur(alpha, (0, 0), HALO))
        floats[..., :3][floats[..., 3] == 0] = 1
    return KnownMark(alpha, alpha[..., None] * floats[..., :3], np.zeros_like(alpha), Place((0.0, 0.0)))


def on_each(clean: Sequence[Picture], mark: KnownMark, kind: str) -> tuple[list[Picture], list[KnownMark]]:
    """Returns photographs, and of each the mark as it has it, on the whole of it."""
    if kind in ("jittered", "anywhere"):
        rng = np.random.default_rng(0)
        rows, columns = (np.flatnonzero(mark.alpha.any(axis=axis)) for axis in (1, 0))
        least = -JITTER if kind == "jittered" else (-rows[0], -columns[0])
        most = JITTER if kind == "jittered" else (SIZE[0] - 1 - rows[-1], SIZE[1] - 1 - columns[-1])
        shifts = [rng.integers(least, most, 2, endpoint=True) for _ in clean]
        return list(clean), [
            replace(mark, alpha=np.roll(mark.alpha, shift, (0, 1)), paint=np.roll(mark.paint, shift, (0, 1)))
            for shift in shifts
        ]
    if kind == "scaled":
        marks = [mark, replace(mark, alpha=enlarged(mark.alpha), paint=enlarged(mark.paint))]
        return [enlarged(one) if at % 2 else one for at, one in enumerate(clean)], [
            marks[at % 2] for at in range(len(clean))
        ]
    return list(clean), [mark] * len(clean)


def enlarged(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns a picture or map LARGER times as large."""
    return cv2.resize(values, None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_LINEAR)


def encoded(clean: Picture, mark: KnownMark, quality: int | None) -> bytes:
    """Returns a picture's file with the mark: JPEG of a quality, or PNG."""
    marked = (1 - mark.alpha[..., None]) * (clean / 255) + mark.paint
    buffer = io.BytesIO()
    image = Image.fromarray(np.rint(np.clip(marked, 0, 1) * 255).astype(np.uint8))
    image.save(buffer, "PNG") if quality is None else image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def undone(picture: Picture, mark: KnownMark) -> Picture:
    """Returns a picture without a mark that is exactly there."""
    beneath = (picture / 255 - mark.paint) / (1 - mark.alpha[..., None])
    return np.rint(np.clip(beneath, 0, 1) * 255).astype(np.uint8)


def whole(found: KnownMark, truth: KnownMark) -> npt.NDArray[np.float32]:
    """Returns an estimated opacity on a picture of SIZE: at its place, or where it is most like the true one."""
    scale = found.place.scale_on(SIZE)
    own = found.alpha if scale == 1 else cv2.resize(found.alpha, None, fx=scale, fy=scale)
    likeness = cv2.matchTemplate(truth.alpha, own, cv2.TM_CCORR)
    most_like = np.unravel_index(int(likeness.argmax()), likeness.shape)
    row, column = (round(value) for value in found.place.corner_on(SIZE) or most_like)
    alpha = np.zeros(SIZE, np.float32)
    there = alpha[row : row + own.shape[0], column : column + own.shape[1]]
    there[:] = own[: there.shape[0], : there.shape[1]]
    return alpha


def row_of(
    photographs: Sequence[Picture], mark: KnownMark, kind: str, quality: int | None, engine: Engine, blind: int
) -> list[str]:
    """Measures one case; returns its cells.

    Args:
        photographs: Without it.
        mark: That is put on them.
        kind: How, one of KINDS.
        quality: Of JPEG; None for PNG.
        engine: Runs the network.
        blind: On how many of the pictures it is run without knowing the mark.
    """
    clean, marks = on_each(photographs, mark, kind)
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number:04}{'.png' if quality is None else '.jpg'}") for number in range(len(clean))]
        for path, picture, own in zip(paths, clean, marks, strict=True):
            path.write_bytes(encoded(picture, own, quality))
        marked = [decode(path) for path in paths]
        try:
            found = estimate_mark(paths)
        except UserError as error:
            log.debug("%s", error)
            found = None

    def score(pictures: Sequence[Picture]) -> str:
        if not pictures:
            return "-"
        each = zip(pictures, clean, [own.alpha > SEEN for own in marks], strict=False)
        return f"{np.mean([psnr(one[inside], true[inside]) for one, true, inside in each]):.1f}"

    cells = [score(marked), score([clean_pixels(engine, one).pixels for one in marked[:blind]])]
    if found is None:
        cells += ["refused"] * 3
    else:
        estimated = whole(found, mark)
        cells += [
            score([without_known(engine, one, found).pixels for one in marked]),
            f"{np.corrcoef(estimated.ravel(), mark.alpha.ravel())[0, 1]:.2f}",
            f"{np.abs(estimated - mark.alpha)[mark.alpha > SEEN].mean():.3f}",
        ]
    return [*cells, score([undone(one, own) for one, own in zip(marked, marks, strict=True)])]


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--logo", type=Path, help="RGBA; without it, white words")
    parser.add_argument("--opacities", type=float, nargs="+", default=[0.2, 0.4, 0.7])
    parser.add_argument("--qualities", type=int, nargs="+", default=[0, 95], help="of JPEG; 0: PNG")
    parser.add_argument("--pictures", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=["same"], help="how the pictures have the mark")
    parser.add_argument(
        "--blind", type=int, default=10, help="pictures that the network is run on without knowing it; 0: none"
    )
    options = parser.parse_args()
    engine = open_engine("general")
    log.info("| mark | pictures | input | network alone | this | correlation | error of opacity | limit |")
    log.info("|---|---:|---:|---:|---:|---:|---:|---:|")
    cases = product(options.kinds, options.opacities, options.qualities, options.pictures)
    for kind, opacity, quality, count in cases:
        mark = true_mark(options.logo, opacity, kind)
        clean = photographs(options.photographs, count)
        cells = row_of(clean, mark, kind, quality or None, engine, options.blind)
        what = "words" if options.logo is None else options.logo.stem
        name = [what, *([] if kind == "same" else [kind]), f"{opacity:g}", f"JPEG {quality}" if quality else "PNG"]
        log.info("| %s |", " | ".join([", ".join(name), str(count), *cells]))


if __name__ == "__main__":
    main()
