"""What pictures share: gradients that are the same in most of them (Dekel et al., CVPR 2017, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy.fft import dctn, idctn

Stack = npt.NDArray[np.uint8]  # (N, H, W, C)
Floats = npt.NDArray[np.float32]

SURE = 2.5  # standard errors from which a median is surely not 0
LIKELY = 1.5  # and from which it likely is not, near to where it surely is not
REACH = 30  # pixels that count as near
GROUP = 40  # pixels; smaller groups of sure gradients are chance
NOISE = 0.006  # standard deviation that gradients have at least, 1.5 of 255
VISIBLE = 0.03  # what a mark changes a value by at least
ROWS = 64  # that medians are taken of at once
CONSTANT = 2.0  # standard deviation over pictures, of 255, up to which a pixel is the same in all
NEAR = 4  # pixels around sure gradients that a mark may cover
FAR = 5  # pixels around what is visible, beyond which sure gradients may be a halo's
HALO = 0.1  # of as many pixels as its rim has, from which they are no chance
RIM = 1.5  # distance from what is visible, up to which pixels are its rim
POINTING = 0.75  # share of gradients that point away from a mark or to it, from which it has a halo; JPEG: up to 0.7


class Shared(NamedTuple):
    """What pictures share.

    Attributes:
        across: Median of the gradients to the right, (H, W, C), in units of 0..1 pictures; 0 where it is not sure.
        down: Likewise.
        sure: Where they are sure, (H, W).
        support: Sum of how many standard errors these are, so how much speaks for it.
    """

    across: Floats
    down: Floats
    sure: npt.NDArray[np.bool_]
    support: float


def shared_gradients(stack: Stack) -> Shared:
    """Takes the median over pictures of each gradient, and keeps those that are surely not 0.

    Args:
        stack: Pictures (N, H, W, C), with the mark at one place.
    """
    across, down, errors = (np.concatenate(parts) for parts in zip(*_medians(stack), strict=True))
    # Pixels that are the same in all pictures out to the edge are a border, and their end is no mark's.
    off_border = ~cv2.dilate(border_of(stack).astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    surely, _ = _groups((errors > SURE) & off_border)
    # Of few pictures a part of the mark is less sure: letters are told from chance by what lies beside them, as Canny's
    # edges are by hysteresis.
    near = cv2.dilate(surely.astype(np.uint8), np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)).astype(bool)
    likely, labels = _groups((errors > LIKELY) & off_border)
    kept = surely | (likely & np.isin(labels, np.unique(labels[likely & near])))
    return Shared(across * kept[..., None], down * kept[..., None], kept, float(errors[kept].sum()))


def _groups(where: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Returns where pixels form large groups, with one pixel around them, and each pixel's group."""
    _, labels, groups, _ = cv2.connectedComponentsWithStats(
        cv2.dilate(where.astype(np.uint8), np.ones((3, 3), np.uint8))
    )
    large = groups[:, cv2.CC_STAT_AREA] > GROUP
    large[0] = False
    return large[labels], np.asarray(labels, np.int32)


def _medians(stack: Stack) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yields, for some rows at a time, medians to the right and down, and how many standard errors they are."""
    count, height = stack.shape[:2]
    for top in range(0, height, ROWS):
        rows = stack[:, top : top + ROWS + 1].astype(np.float32) / np.float32(255)
        own = min(ROWS, height - top)
        gradients = (
            np.pad(np.diff(rows[:, :own], axis=2), ((0, 0), (0, 0), (0, 1), (0, 0))),
            np.pad(np.diff(rows, axis=1), ((0, 0), (0, own + 1 - rows.shape[1]), (0, 0), (0, 0)))[:, :own],
        )
        medians, squares = [], np.zeros(rows[0, :own].shape, np.float32)
        for gradient in gradients:
            median = median_of(gradient)
            spread = 1.4826 * median_of(np.abs(gradient - median)) + NOISE
            # The standard error of a median is 1.25 times that of a mean.
            squares += np.square(median / (1.25 * spread / np.sqrt(count)))
            medians.append(median)
        yield medians[0], medians[1], np.sqrt(squares.mean(axis=-1) / 2)


def median_of(values: Floats) -> Floats:
    """Returns the median along the first axis; of a few values, sorting them is several times as fast as np.median."""
    ordered = np.sort(values, axis=0)
    middle = len(values) // 2
    return np.asarray(ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2, values.dtype)


def border_of(stack: Stack) -> npt.NDArray[np.bool_]:
    """Returns where pictures are the same from the edge on: a frame, or bars above and below, (H, W)."""
    same = constant(stack).astype(np.uint8)
    count, labels = cv2.connectedComponents(same)
    edge = np.unique(np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1])))
    outer = np.isin(np.arange(count), edge[edge > 0])
    border: npt.NDArray[np.bool_] = outer[labels]
    return border


def constant(stack: Stack) -> npt.NDArray[np.bool_]:
    """Returns where a stack of pictures is the same in all, (H, W)."""
    rows = range(0, stack.shape[1], ROWS)
    spreads = [stack[:, top : top + ROWS].std(axis=0, dtype=np.float32).max(axis=-1) for top in rows]
    same: npt.NDArray[np.bool_] = np.concatenate(spreads) <= CONSTANT
    return same


def area_of(shared: Shared) -> npt.NDArray[np.bool_]:
    """Returns where the mark is that has these gradients, (H, W)."""
    mark = integrated(shared)
    rows, columns = np.nonzero(shared.sure)
    if not rows.size:
        return np.zeros(shared.sure.shape, bool)
    near = np.zeros(shared.sure.shape, bool)
    near[max(rows.min() - NEAR, 0) : rows.max() + NEAR + 1, max(columns.min() - NEAR, 0) : columns.max() + NEAR + 1] = 1
    if not near.all():
        mark -= np.median(mark[~near], axis=0).astype(np.float32)
    visible: npt.NDArray[np.bool_] = (np.abs(mark).max(axis=-1) > VISIBLE) & near
    return visible


def halo_of(shared: Shared, visible: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Returns where a mark fades out softly, (H, W), nowhere where it does not.

    A halo's outer parts are fainter than what counts as visible. Where gradients are sure beyond what is visible, and
    all point away from it or all to it, as JPEG's waves do not, it goes on for about as far again.

    Args:
        shared: The mark's gradients.
        visible: Where it is visible, see :func:`area_of`.
    """
    away = cv2.distanceTransform((~visible).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    beyond, rim = shared.sure & (away > FAR) & (away <= REACH), int(((away > 0) & (away <= RIM)).sum())
    if beyond.sum() <= HALO * rim:
        return np.zeros_like(visible)
    down, across = np.gradient(cv2.GaussianBlur(away, (0, 0), FAR / 2))
    outward = (shared.across * across[..., None] + shared.down * down[..., None])[beyond]
    sizes = np.hypot(shared.across, shared.down)[beyond]
    if np.abs(outward.sum(axis=0)).sum() < POINTING * sizes.sum():
        return np.zeros_like(visible)
    fades: npt.NDArray[np.bool_] = (away > 0) & (away <= min(2 * np.quantile(away[beyond], 0.98), REACH))
    return fades


def integrated(shared: Shared) -> Floats:
    """Returns the picture, (H, W, C) of mean 0, whose gradients are nearest: Poisson's equation, solved by cosines."""
    height, width = shared.sure.shape
    divergence = np.diff(shared.across, axis=1, prepend=0) + np.diff(shared.down, axis=0, prepend=0)
    waves = dctn(divergence, axes=(0, 1), norm="ortho")
    rows, columns = (2 * np.cos(np.pi * np.arange(side) / side) - 2 for side in (height, width))
    factors = rows[:, None] + columns
    factors[0, 0] = 1
    waves /= factors[..., None]
    waves[0, 0] = 0
    return np.asarray(idctn(waves, axes=(0, 1), norm="ortho"), np.float32)


def agreement(picture: npt.NDArray[np.uint8], shared: Shared) -> float:
    """Returns how far a picture's gradients go the way of shared ones, -1..1; 0 by chance.

    Signs are compared, weighted by how strong the shared ones are, since a photograph's own gradients are far stronger.
    """
    floats = picture.astype(np.float32)
    own = np.diff(floats, axis=1), np.diff(floats, axis=0)
    theirs = shared.across[:, :-1], shared.down[:-1]
    same = sum(float((np.sign(one) * other).sum()) for one, other in zip(own, theirs, strict=True))
    most = sum(float(np.abs(other).sum()) for other in theirs)
    return same / most if most else 0.0
