"""Other copies of a picture, on which a network looks again.

A network that takes a part of the scene for a mark does so for reasons that are easily disturbed: the same part
mirrored, compressed, reduced or enlarged a little is often no mark to it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from wm_lightning.inference.correction import Floats
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.pixels import as_map

QUALITY = 75  # of the JPEG copy, as pictures on the web have
REDUCED, ENLARGED = 0.75, 1.3

Seen = Callable[[Floats], Floats]  # a picture (h, w, 3) in 0..1 to how sure it is that there is a mark, (h, w)
OnCopy = Callable[[Seen, Floats], Floats]  # the same for one of its copies


def seen_again(engine: Engine, on_copy: OnCopy, picture: Floats) -> Floats:
    """Returns how sure it is that there is a mark, (h, w), on one of ``COPIES`` of a picture (h, w, 3)."""

    def seen(copy: Floats) -> Floats:
        return engine.correct(np.ascontiguousarray(copy)).mask[..., 0]

    return on_copy(seen, picture)


def _mirrored(seen: Seen, picture: Floats) -> Floats:
    return seen(picture[:, ::-1])[:, ::-1]


def _compressed(seen: Seen, picture: Floats) -> Floats:
    _, file = cv2.imencode(".jpg", as_map(np.clip(picture, 0, 1))[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    copy = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1]
    return seen(copy.astype(np.float32) / 255)


def _resized(scale: float) -> OnCopy:
    def on_copy(seen: Seen, picture: Floats) -> Floats:
        height, width = picture.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        copy = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        back = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_AREA
        result: Floats = cv2.resize(seen(copy), (width, height), interpolation=back)
        return result

    return on_copy


# From the one that costs least: what is no mark is mostly not seen on the first.
COPIES: tuple[OnCopy, ...] = (_resized(REDUCED), _compressed, _mirrored, _resized(ENLARGED))
