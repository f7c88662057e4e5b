"""What speaks for a mark: that it is seen again on other copies of the picture.

A network that takes a part of the scene for a mark does so for reasons that are easily disturbed: the same part
mirrored, compressed, reduced or enlarged a little is often no mark to it. A mark is one on every copy but one, since
the largest and smallest marks that a network knows are lost where they are enlarged or reduced further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.correction import Floats
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import Marks
from wm_lightning.inference.search import Search
from wm_lightning.inference.tiles import ALIGN, cut

QUALITY = 75  # of the JPEG copy, as pictures on the web have
REDUCED, ENLARGED = 0.75, 1.3
SPARED = 1  # copies on which a mark may be missed; chosen on synthetic marks, see docs/performance.md

Seen = Callable[[Floats], Floats]  # a picture (h, w, 3) in 0..1 to how sure it is that there is a mark, (h, w)


def certainties(
    engine: Engine, tile: Callable[[slice, slice], Floats], marks: Marks, search: Search
) -> npt.NDArray[np.float64]:
    """Returns how sure it is that each mark is one, (N,) in 0..1.

    That is the mean over its pixels of how sure the network is, on the copy of the picture where that is least but one.

    Args:
        engine: Runs the network.
        tile: Returns a part of the picture, (h, w, 3) in 0..1, for its rows and columns.
        marks: Those that are to be judged, of a map of the picture's size.
        search: Has the tiles' size.
    """
    numbers, count = marks.numbers(), len(marks.areas)
    height, width = numbers.shape
    sums, pixels = np.zeros((len(COPIES), count)), np.zeros(count)
    for rows in cut(height, search.tile, search.overlap, ALIGN):
        for columns in cut(width, search.tile, search.overlap, ALIGN):
            part = numbers[rows, columns]
            if not part.any():
                continue
            pixels += np.bincount(part.ravel(), minlength=count)
            for place, seen in enumerate(on_copies(engine, tile(rows, columns))):
                sums[place] += np.bincount(part.ravel(), weights=seen.ravel(), minlength=count)
    certainty: npt.NDArray[np.float64] = np.sort(sums, axis=0)[min(SPARED, len(sums) - 1)] / np.maximum(pixels, 1)
    certainty[0] = 0
    return certainty


def on_copies(engine: Engine, picture: Floats) -> Iterator[Floats]:
    """Yields how sure it is that there is a mark, (h, w), for each copy of a picture (h, w, 3)."""

    def seen(copy: Floats) -> Floats:
        return engine.correct(np.ascontiguousarray(copy)).mask[..., 0]

    for on_copy in COPIES:
        yield on_copy(seen, picture)


def _itself(seen: Seen, picture: Floats) -> Floats:
    return seen(picture)


def _mirrored(seen: Seen, picture: Floats) -> Floats:
    return seen(picture[:, ::-1])[:, ::-1]


def _compressed(seen: Seen, picture: Floats) -> Floats:
    bytes_ = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    _, file = cv2.imencode(".jpg", bytes_[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    copy = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1]
    return seen(copy.astype(np.float32) / 255)


def _resized(scale: float) -> Callable[[Seen, Floats], Floats]:
    def on_copy(seen: Seen, picture: Floats) -> Floats:
        height, width = picture.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        copy = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        back = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_AREA
        result: Floats = cv2.resize(seen(copy), (width, height), interpolation=back)
        return result

    return on_copy


COPIES: tuple[Callable[[Seen, Floats], Floats], ...] = (
    _itself,
    _mirrored,
    _compressed,
    _resized(REDUCED),
    _resized(ENLARGED),
)
