"""Watermarked views of several photographs as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture: TypeAlias = npt.NDArray[np.uint8]

GAP = 6
HEADER = 24
SMALLEST = 8  # of the titles' letters


def contact_sheet(titles: Sequence[str], rows: Sequence[Sequence[Picture]]) -> Image.Image:
    """Puts pictures of one size in rows below their titles.

    Args:
        titles: One for each column.
        rows: Pictures, (H, W, 3), or (H, W) for grey ones, uint8.

    Raises:
        ValueError: A row has more or fewer pictures than there are titles.
    """
    height, width = rows[0][0].shape[:2]
    sheet = Image.new("RGB", (len(titles) * (width + GAP) + GAP, HEADER + len(rows) * (height + GAP) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = _fitting(titles, width)
    for column, title in enumerate(titles):
        draw.text((GAP + column * (width + GAP), GAP), title, fill="black", font=font)
    for number, row in enumerate(rows):
        for column, (_, picture) in enumerate(zip(titles, row, strict=True)):
            corner = GAP + column * (width + GAP), HEADER + GAP + number * (height + GAP)
            sheet.paste(Image.fromarray(picture).convert("RGB"), corner)
    return sheet


def _fitting(titles: Sequence[str], width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Returns a font in which every title fits into its column, or the smallest that can be read."""
    fonts = (ImageFont.load_default(size) for size in range(14, SMALLEST, -1))
    fitting = (font for font in fonts if max(map(font.getlength, titles), default=0) <= width)
    return next(fitting, ImageFont.load_default(SMALLEST))
