"""How pictures differ in how they have a mark: in its size, its opacity, and how they are compressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from wm_lightning.data.sources import BrokenPictureError, decode
from wm_lightning.mark.known import KnownMark, Spread
from wm_lightning.mark.placing import place_mark

MOST = 10  # pictures that the opacity is measured on
# Sum of the 64 quantisation steps of brightness at quality 50 (ITU-T T.81, table K.1), which others are multiples of
STEPS_AT_50 = 3688


def spread_of(mark: KnownMark, paths: Sequence[Path]) -> Spread:
    """Measures how pictures that carry a mark differ.

    Args:
        mark: With its place.
        paths: Of the pictures, evenly chosen ones of which are looked at.
    """
    qualities, scales, strengths = [], [], []
    for path in paths:
        with Image.open(path) as picture:
            scales.append(mark.place.scale_on(picture.size[::-1]))
            quantization = getattr(picture, "quantization", None)
            if quantization:
                qualities.append(quality_of(quantization[0]))
    for at in np.unique(np.linspace(0, len(paths) - 1, MOST).astype(int)):
        try:
            placed = place_mark(decode(paths[at]).astype(np.float32) / np.float32(255), mark)
        except BrokenPictureError:  # which was told of when it was read
            continue
        if placed is not None:
            strengths.append(placed.strength)
    found = Spread(scale=(min(scales), max(scales)), jpeg=len(qualities) / len(paths))
    if qualities:
        found = replace(found, jpeg_quality=(min(qualities), max(qualities)))
    if strengths:
        # Of ten pictures the second and the ninth: one that is judged wrongly changes nothing.
        low, high = np.quantile(strengths, (0.1, 0.9))
        found = replace(found, strength=(float(low), float(high)))
    return found


def quality_of(steps: Sequence[int]) -> int:
    """Returns the quality, 1..100, at which libjpeg quantises brightness so finely: its tables are a standard one's.

    Args:
        steps: The 64 steps of the file's table.
    """
    share = sum(steps) / STEPS_AT_50
    quality = 50 / share if share > 1 else 100 - 50 * share
    return int(np.clip(round(quality), 1, 100))
