"""Marks that are repeated: where one of a tiling is sure to be a mark, those that look like it are marks too."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.correction import Floats
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import Marks
from wm_lightning.inference.search import Search
from wm_lightning.inference.tiles import ALIGN
from wm_lightning.inference.traits import SIGHT, Tile, in_sight

DOUBTFUL = 0.5  # certainty from which a mark may be the repetition of a surer one
ALIKE = 0.7  # correlation from which two marks are one that is repeated
PART = 0.2  # of the larger mark's pixels that the smaller one has at least, since the picture's edge may cut it
LEAST = 60  # pixels; what is smaller looks like anything
THIN = 8  # pixels of the shorter side; a thinner strip looks like any other
MOST = 64  # marks that are compared
LONGEST = 192  # pixels that the longest of them is reduced to
SMOOTH = 1.5  # standard deviation, in pixels, by which a change is blurred: it is rough where the scene is
SLACK = 8  # pixels by which boxes may differ


def with_repeats(
    engine: Engine,
    tile: Tile,
    marks: Marks,
    certainty: npt.NDArray[np.float64],
    least: npt.NDArray[np.float64],
    search: Search,
) -> npt.NDArray[np.float64]:
    """Makes doubtful marks as sure as the surest one whose repetition they are; returns all certainties, (N,).

    What is compared is what the network would change at each: its gradients say what a mark looks like, whatever lies
    beneath. What repeats a repetition is one, too.

    Args:
        engine: Runs the network.
        tile: Returns a part of the picture, (h, w, 3) in 0..1, for its rows and columns.
        marks: Those that were judged.
        certainty: How sure each is, (N,) in 0..1.
        least: How sure each must be, likewise.
        search: Has the longest side of what the network is shown.
    """
    compared = (marks.areas >= LEAST) & (marks.boxes[:, 2:].min(axis=1) >= THIN)
    compared &= marks.sides + 2 * SIGHT + ALIGN <= search.tile
    sure = compared & (certainty >= least)
    if not sure.any():
        return certainty
    least_area, most_area = PART * marks.areas[sure].min(), marks.areas[sure].max() / PART
    doubtful = compared & ~sure & (certainty >= DOUBTFUL) & (marks.areas >= least_area) & (marks.areas <= most_area)
    if not doubtful.any():
        return certainty
    numbers = _surest(certainty, sure | doubtful)
    factor = max(1.0, float(marks.sides[numbers].max()) / LONGEST)
    looks = {number: _look(engine, tile, marks, number, factor) for number in numbers}
    raised: npt.NDArray[np.float64] = certainty.copy()
    known = [number for number in numbers if sure[number]]
    for model in known:  # which grows
        for other in numbers:
            if other not in known and _alike(marks, looks, model, other):
                raised[other] = max(raised[other], raised[model])
                known.append(other)
    return raised


def _surest(certainty: npt.NDArray[np.float64], among: npt.NDArray[np.bool_]) -> list[int]:
    numbers = np.flatnonzero(among)
    return [int(number) for number in numbers[np.argsort(-certainty[numbers], kind="stable")][:MOST]]


def _look(engine: Engine, tile: Tile, marks: Marks, number: int, factor: float) -> Floats:
    """Returns the gradients of what the network changes at a mark, reduced by a factor, (h, w, 2)."""
    box = [int(value) for value in marks.boxes[number]]
    places = [slice(start, start + length) for start, length in zip(box[1::-1], box[:1:-1], strict=True)]
    near = [in_sight(slice(0, whole), place) for place, whole in zip(places, marks.labels.shape, strict=True)]
    picture = tile(near[0], near[1])
    change = engine.correct(np.ascontiguousarray(picture)).apply(picture) - picture
    own = change.mean(axis=-1) * (marks.labels[near[0], near[1]] == number)
    inner = tuple(slice(one.start - part.start, one.stop - part.start) for one, part in zip(places, near, strict=True))
    framed = cv2.copyMakeBorder(own[inner].astype(np.float32), *4 * (SLACK,), cv2.BORDER_CONSTANT)
    grey = cv2.GaussianBlur(framed, (0, 0), SMOOTH)
    size = (max(1, round(grey.shape[1] / factor)), max(1, round(grey.shape[0] / factor)))
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.stack([cv2.Sobel(grey, cv2.CV_32F, *way, ksize=3) for way in ((1, 0), (0, 1))], axis=-1)


def _alike(marks: Marks, looks: dict[int, Floats], one: int, other: int) -> bool:
    """Says whether two marks look alike, where one lies best upon the other."""
    areas = sorted((int(marks.areas[one]), int(marks.areas[other])))
    small, large = sorted((looks[one], looks[other]), key=lambda look: look.shape[0] * look.shape[1])
    if areas[0] < PART * areas[1] or not small.any() or not large.any():
        return False
    down, across = (SLACK + max(0, have - there) for have, there in zip(small.shape[:2], large.shape[:2], strict=True))
    around = cv2.copyMakeBorder(large, down, down, across, across, cv2.BORDER_CONSTANT)
    return float(cv2.matchTemplate(around, small, cv2.TM_CCORR_NORMED).max()) >= ALIKE
