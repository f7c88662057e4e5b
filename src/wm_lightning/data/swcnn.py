"""The SWCNN benchmark: photographs times 12 watermarks at a fixed place (arXiv 2403.05807).

Everything follows the published code to the pixel, its quirks included, since the published figures depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from wm_lightning.data.sources import Photograph, decode
from wm_lightning.errors import UserError

OPACITIES = (0.3, 0.5, 0.7, 1.0)
MULTIPLE = 32  # photographs are cropped to it
PLACE = (128, 128)  # left and top of the watermark


class BenchmarkPair(NamedTuple):
    """One pair of the benchmark.

    Attributes:
        watermarked: (H, W, 3) uint8, in the order blue, green, red.
        clean: The photograph, likewise.
        name: ``PHOTOGRAPH-WATERMARK``, without suffixes.
    """

    watermarked: Photograph
    clean: Photograph
    name: str


def swcnn_pairs(
    photographs: str | Path, watermarks: str | Path, opacity: float, scale: float = 1.5
) -> Iterator[BenchmarkPair]:
    """Yields the benchmark's pairs, photographs and watermarks in the order of their names.

    Args:
        photographs: The folder that holds ``*.jpg``.
        watermarks: The folder that holds ``*.png``.
        opacity: 0..1; the published ones are :data:`OPACITIES`.
        scale: Of the watermark's own size; SWCNN's is 1.5, PSLNet's 1.

    Raises:
        UserError: A folder is missing or empty.
    """
    pictures, marks = _files(Path(photographs), "*.jpg"), _files(Path(watermarks), "*.png")
    for photograph in pictures:
        pixels = decode(photograph, profiles=False)  # as OpenCV, with which the published code reads them
        height, width = (side - side % MULTIPLE for side in pixels.shape[:2])
        # The published code reads photographs with OpenCV, in the order blue, green, red, and watermarks with Pillow,
        # in red, green, blue, and puts one on the other as they are.
        clean = np.ascontiguousarray(pixels[:height, :width, ::-1])
        for mark in marks:
            yield BenchmarkPair(stamp(clean, mark, opacity, scale), clean, f"{photograph.stem}-{mark.stem}")


def stamp(photograph: Photograph, mark: Path, opacity: float, scale: float) -> Photograph:
    """Puts a watermark on a photograph as the benchmark does: flat, scaled, at a fixed place.

    Raises:
        UserError: The watermark's file cannot be read.
    """
    try:
        with Image.open(mark) as opened:
            red, green, blue, alpha = opened.convert("RGBA").split()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{mark} cannot be read as a picture ({error}); restore the benchmark's file.") from error
    flat = alpha.point([0] + [int(255 * opacity)] * 255)
    watermark = Image.merge("RGBA", (red, green, blue, flat))
    watermark = watermark.resize((int(watermark.width * scale), int(watermark.height * scale)))
    below = Image.fromarray(photograph)
    layer = Image.new("RGBA", below.size)
    layer.paste(watermark, PLACE)
    return np.array(Image.composite(layer, below.convert("RGBA"), layer).convert("RGB"))


def _files(folder: Path, pattern: str) -> list[Path]:
    # Numbers by value: 2 before 10.
    found = sorted(folder.glob(pattern), key=lambda path: (len(path.stem), path.stem))
    if not found:
        raise UserError(f"{folder} holds no {pattern}; the benchmark needs photographs (*.jpg) and watermarks (*.png).")
    return found
