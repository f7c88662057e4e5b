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
    font = ImageFont.load_default(14)
    for column, title in enumerate(titles):
        draw.text((GAP + column * (width + GAP), GAP), title, fill="black", font=font)
    for number, row in enumerate(rows):
        for column, (_, picture) in enumerate(zip(titles, row, strict=True)):
            corner = GAP + column * (width + GAP), HEADER + GAP + number * (height + GAP)
            sheet.paste(Image.fromarray(picture).convert("RGB"), corner)
    return sheet
