"""Where a known mark is on a picture, how opaque, and whether it is there at all."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.mark.known import VISIBLE, KnownMark
from wm_lightning.mark.likelihood import AROUND, differences, energy, scale_around

Floats = npt.NDArray[np.float32]
Found = tuple[float, tuple[float, float], float]  # evidence, for which corner and strength

REACH = 2  # pixels that a mark may lie beside its place
STRENGTHS = (0.4, 0.55, 0.7, 0.85, 1.0, 1.15, 1.3)  # opacities that are tried, as shares of the mark's own
NEAR = 0.1  # that an opacity may be beside one of these
MOST_STRENGTH = STRENGTHS[-1] + NEAR
FINER = (0.5, 0.25)  # steps of a place, in pixels
AMOUNTS = (0.0, -0.5, 0.25, 0.5, 0.75, 1.0, 1.5)  # of unsharp masking of a mark in another size than its own
SOFT = 0.6  # standard deviation of its blur, in pixels
PEAKS = 3  # places that are looked at closely where it may be anywhere
MOST_ALPHA = 0.98
CLEARLY = 0.02  # more evidence for another opacity, from which the mark has it
FEWEST = 100  # gradients; a mark of which so few are seen has less evidence
UNSEEN = 1 / 255  # change of a value that nobody sees
EVIDENCE = 0.05  # nats for each gradient of the mark, from which it is there


class Placed(NamedTuple):
    """A mark on a picture: ``x = (1 - a) c + b`` in a part of it.

    Attributes:
        rows: Of the part.
        columns: Likewise.
        alpha: Opacity there, (h, w).
        paint: (h, w, 3).
        strength: Its opacity as a share of the mark's own.
        evidence: How much likelier the picture is beneath it than without it, in nats for each gradient.
    """

    rows: slice
    columns: slice
    alpha: Floats
    paint: Floats
    strength: float
    evidence: float


class _View(NamedTuple):
    """What one place is judged on.

    Attributes:
        mark: Alpha and paint, (h, w, 4), in the picture's size.
        picture: (H, W, 3) in 0..1.
    """

    mark: Floats
    picture: Floats

    def at(self, row: float, column: float, strength: float) -> tuple[tuple[slice, slice], Floats] | None:
        """Returns the part of the picture that a mark with its corner there is on, and what of the mark is there."""
        top, left = int(np.floor(row)), int(np.floor(column))
        moved = np.pad(self.mark, ((0, 1), (0, 1), (0, 0)))
        if (row, column) != (top, left):
            matrix = np.array([[1, 0, column - left], [0, 1, row - top]], np.float64)
            size = moved.shape[1], moved.shape[0]
            moved = np.asarray(
                cv2.warpAffine(moved, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32
            )
        height, width = self.picture.shape[:2]
        rows = slice(max(top, 0), min(top + moved.shape[0], height))
        columns = slice(max(left, 0), min(left + moved.shape[1], width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        layers = moved[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] * strength
        layers[..., 0] = np.clip(layers[..., 0], 0, MOST_ALPHA)
        return (rows, columns), layers

    def gain(self, row: float, column: float, strength: float, scale: float) -> float:
        """Returns how many nats likelier the picture is with a mark there than without, for each of its gradients."""
        there = self.at(row, column, strength)
        if there is None:
            return -np.inf
        (rows, columns), layers = there
        with_it, without, count = energy(self.picture[rows, columns], layers[..., 0], layers[..., 1:], scale)
        return (without - with_it) / max(count, FEWEST)


def place_mark(picture: Floats, mark: KnownMark) -> Placed | None:
    """Finds a mark on a picture, to a quarter of a pixel.

    Args:
        picture: (H, W, 3) sRGB in 0..1.
        mark: With its place, or anywhere, where the whole picture is searched.

    Returns:
        None where nothing speaks for it, as where it cannot be seen.
    """
    scale, corner = mark.place.scale_on(picture.shape[:2]), mark.place.corner_on(picture.shape[:2])
    layers = np.concatenate((mark.alpha[..., None], mark.paint), axis=-1)
    view = _View(_sized(layers, scale, corner or (0.0, 0.0)), picture)
    down, across = map(np.floor if scale != 1 else np.round, corner or (0.0, 0.0))
    starts = _peaks(view) if corner is None else [(float(down), float(across))]
    best = max((_climbed(view, start) for start in starts), key=lambda one: one[0], default=None)
    if best is not None and scale != 1:
        view, best = _sharpened(view, best)
    if best is None or best[0] < EVIDENCE:
        return None
    evidence, (row, column), strength = best
    there = view.at(row, column, strength)
    assert there is not None
    (rows, columns), layers = there
    # On white nobody sees a white mark, and it need not be taken away.
    unseen = np.abs(layers[..., 1:] - layers[..., :1] * picture[rows, columns]).max() < UNSEEN
    if unseen:
        return None
    return Placed(rows, columns, layers[..., 0], layers[..., 1:], strength, evidence)


def _sized(layers: Floats, scale: float, corner: tuple[float, float]) -> Floats:
    """Returns a mark so many times as large, whose corner lies at a part of a pixel, from the pixel's corner on.

    Args:
        layers: (h, w, C).
        scale: 1 changes nothing.
        corner: Row and column, of which the part behind the point counts.
    """
    if scale == 1:
        return layers
    around = int(np.ceil(1 / scale)) + 1
    padded = np.pad(layers, ((around, around), (around, around), (0, 0)))
    parts = [value % 1 for value in corner]
    height, width = (int(np.ceil(side * scale + part)) for side, part in zip(layers.shape[:2], parts, strict=True))
    top, left = (around - part / scale for part in parts)
    box = left, top, left + width / scale, top + height / scale
    way = Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BILINEAR
    channels = [Image.fromarray(one).resize((width, height), way, box) for one in np.moveaxis(padded, -1, 0)]
    return np.dstack([np.asarray(one, np.float32) for one in channels])


def _sharpened(view: _View, best: Found) -> tuple[_View, Found]:
    """Returns a resized mark as sharp as a picture has it, and how well it fits.

    How a mark was resized with a picture, or drawn on it in this size, nobody tells.
    """
    _, corner, strength = best
    scale, own = _scale(view, corner), view.mark
    finer = own - cv2.GaussianBlur(own, (0, 0), SOFT, borderType=cv2.BORDER_CONSTANT)
    least, most = own.min(axis=(0, 1)), own.max(axis=(0, 1))  # a mark is not more opaque for being sharp

    def sharper(amount: float) -> _View:
        return view._replace(mark=np.clip(own + amount * finer, least, most))

    # A mark too soft or too sharp seems to have another opacity than its own.
    tried = [
        (one.gain(*corner, share, scale), amount, share)
        for amount in AMOUNTS
        for one in (sharper(amount),)
        for share in {strength, 1.0}
    ]
    found, amount, strength = max(tried, key=lambda one: one[0] + CLEARLY * (one[2] == 1))
    return sharper(amount), (found, corner, strength)


def _peaks(view: _View) -> list[tuple[float, float]]:
    """Returns the corners at which a picture's gradients are most like the mark's."""
    height, width = view.picture.shape[:2]
    # What an estimated mark has around it, of which nothing is seen, may lie outside a picture.
    rows, columns = (np.flatnonzero((np.abs(view.mark) > VISIBLE).any(axis=(axis, 2))) for axis in (1, 0))
    if not rows.size or rows[-1] - rows[0] >= height or columns[-1] - columns[0] >= width:
        return []
    # One pixel around both: a plate of one opacity has gradients at its rim alone.
    mark = np.pad(view.mark, ((1, 1), (1, 1), (0, 0)))[rows[0] : rows[-1] + 3, columns[0] : columns[-1] + 3]
    mean = view.picture.mean(axis=(0, 1))
    expected = (mark[..., 1:] - mark[..., :1] * mean).mean(axis=-1, keepdims=True)
    grey = np.pad(view.picture.mean(axis=-1, keepdims=True), ((1, 1), (1, 1), (0, 0)), mode="edge")
    total = np.zeros(
        [own - theirs + 1 for own, theirs in zip(grey.shape[:2], expected.shape[:2], strict=True)], np.float32
    )
    for own, theirs in zip(differences(grey), differences(expected), strict=True):
        # A photograph's own edges are far stronger than the mark's.
        limited = np.clip(own[..., 0], -np.abs(theirs).max(), np.abs(theirs).max())
        found = cv2.matchTemplate(limited, np.ascontiguousarray(theirs[..., 0]), cv2.TM_CCORR)
        total += found[: total.shape[0], : total.shape[1]]
    peaks = list[tuple[float, float]]()
    for _ in range(PEAKS):
        row, column = np.unravel_index(int(total.argmax()), total.shape)
        peaks.append((float(row - rows[0]), float(column - columns[0])))
        total[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] = -np.inf
    return peaks


def _climbed(view: _View, start: tuple[float, float]) -> Found:
    """Returns the most evidence near a corner, and for which corner and strength."""
    scale = _scale(view, start)

    @cache
    def gain(row: float, column: float, strength: float = 1.0) -> float:
        return view.gain(row, column, strength, scale)

    steps = range(-REACH, REACH + 1)
    at = max(((start[0] + down, start[1] + across) for down in steps for across in steps), key=lambda one: gain(*one))
    row, column = at
    rough = max(STRENGTHS, key=lambda share: gain(row, column, share))
    for step in FINER:
        moves = [(row + down * step, column + across * step) for down in (0, -1, 1) for across in (0, -1, 1)]
        # An opacity measured beside the place is too low. Of equals the first: nothing moves without gain.
        row, column, rough = max(
            ((*move, share) for share in (rough, 1.0) for move in moves), key=lambda one: gain(*one)
        )
    near = map(float, np.linspace(rough - NEAR, rough + NEAR, 9))
    strength = max((rough, *near), key=lambda share: gain(row, column, share))
    # Most marks have one opacity, which is known better from many pictures than from this one.
    if gain(row, column, strength) < gain(row, column, 1.0) + CLEARLY:
        strength = 1.0
    return gain(row, column, strength), (row, column), strength


def _scale(view: _View, corner: tuple[float, float]) -> float:
    """Returns the scale of the gradients around a mark."""
    there = view.at(*corner, 1.0)
    if there is None:
        return 1.0  # of a mark that lies outside, which has no gain whatever it is
    (rows, columns), layers = there
    top, left = max(rows.start - AROUND, 0), max(columns.start - AROUND, 0)
    part = view.picture[top : rows.stop + AROUND, left : columns.stop + AROUND]
    area = np.zeros(part.shape[:2], bool)
    area[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
        np.abs(layers) > 1 / 255
    ).any(axis=-1)
    return scale_around(np.ascontiguousarray(part), area)
