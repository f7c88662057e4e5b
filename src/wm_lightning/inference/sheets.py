"""A sheet of small pictures: before, after, and where marks were found, one picture a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.inference.files import write_png
from wm_lightning.inference.pixels import Pixels, as_bytes

SIDE = 320  # pixels, the longer side of a picture on a sheet
ROWS = 24  # pictures on a sheet
GAP = 4  # pixels between them


def panels(before: Pixels, after: Pixels, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Puts a picture before, after, and its mask, (H, W) in 0..255, beside each other: (H, 3 W, 3)."""
    return np.concatenate((as_bytes(before), as_bytes(after), np.repeat(mask[..., None], 3, axis=-1)), axis=1)


def row(before: Pixels, after: Pixels, mask: npt.NDArray[np.uint8], side: int = SIDE) -> npt.NDArray[np.uint8]:
    """Returns the same for a sheet, reduced until the longer side of a picture has at most ``side`` pixels."""
    scale = min(1.0, side / max(mask.shape))
    # What is found is small on a reduced picture: its most certain pixel stands for those around it.
    spread = np.asarray(cv2.dilate(mask, np.ones((max(1, round(1 / scale)),) * 2, np.uint8)), np.uint8)
    width, height = (max(1, round(length * scale)) for length in mask.shape[::-1])
    small = [
        as_bytes(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)) for part in (before, after, spread)
    ]
    return panels(small[0], small[1], small[2])


class Sheets:
    """Writes sheets into a folder as they fill: ``compare-1.png``, ``compare-2.png``, ...

    Args:
        folder: Where they go.
        first: Number of the first.
    """

    def __init__(self, folder: Path, first: int = 1) -> None:
        self.folder, self.rows, self.number = folder, list[npt.NDArray[np.uint8]](), first

    @staticmethod
    def paths(folder: Path, pictures: int, first: int = 1) -> list[Path]:
        """Returns the files that so many pictures fill."""
        return [_path(folder, number) for number in range(first, first - (-pictures // ROWS))]

    def add(self, small: npt.NDArray[np.uint8]) -> None:
        """Adds a picture's row."""
        self.rows.append(small)
        if len(self.rows) == ROWS:
            self.finish()

    def finish(self) -> None:
        """Writes what is left.

        Raises:
            UserError: It cannot be written.
        """
        if self.rows:
            write_png(Image.fromarray(_stacked(self.rows)), _path(self.folder, self.number))
            self.rows, self.number = [], self.number + 1


def _path(folder: Path, number: int) -> Path:
    return folder / f"compare-{number}.png"


def _stacked(rows: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    height = sum(one.shape[0] + GAP for one in rows)
    sheet = np.full((height, max(one.shape[1] for one in rows), 3), 255, np.uint8)
    top = 0
    for one in rows:
        sheet[top : top + one.shape[0], : one.shape[1]] = one
        top += one.shape[0] + GAP
    return sheet
