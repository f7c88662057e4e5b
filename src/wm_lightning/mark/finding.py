"""Finds which pictures share a mark, and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from wm_lightning.errors import UserError
from wm_lightning.mark.anchors import Anchoring, Picture, anchorings, reduced
from wm_lightning.mark.layers import window
from wm_lightning.mark.likelihood import differences
from wm_lightning.mark.moved import Moved, moved
from wm_lightning.mark.shared import Shared, agreement, median_of, shared_gradients

LEAST = 5  # pictures that a mark can be found on
LONGEST_MOVED = 512  # side of pictures that are moved
CARRIES = 0.15  # agreement of a picture's gradients from which it carries the mark
AGREEING = 0.5  # correlation of what two halves of the pictures share, from which they share a mark
NAMED = 3  # files of pictures that share another mark


class Found(NamedTuple):
    """Where pictures share something.

    Attributes:
        way: How they are put upon each other.
        shared: What they share then.
        carriers: Which of them, in their order.
        factor: How many times as large the pictures are of which they were made.
        alike: All pictures are of one size, so that every anchor is the same.
    """

    way: Anchoring | Moved
    shared: Shared
    carriers: list[int]
    factor: int
    alike: bool = False


def sought(pictures: list[Picture], factor: int, told: Callable[[str], None]) -> Found:
    """Finds what pictures share at one place, or else at changing places.

    Raises:
        UserError: They share no mark.
    """
    found = _at_one_place(pictures, factor)
    if found is None:
        told("they share nothing at one place; looking for it at changing places")
        found = _at_changing_places(pictures, factor)
    if found is None:
        raise UserError(
            "The pictures share no mark that can be measured; frames, borders and parts of a page are none. If there "
            "are two marks, or several sizes of one, give a folder of pictures that have one alike; or let wm-predict "
            "seek marks (without --mark and --same-mark), or train on a picture of the mark (experiment=own_mark)."
        )
    return found


def tell_of_another(found: Found, pictures: dict[Path, Picture], told: Callable[[str], None]) -> None:
    """Tells which of the pictures that do not carry the mark share another one."""
    others = [path for at, path in enumerate(pictures) if at not in found.carriers]
    more = _at_one_place([pictures[path] for path in others], found.factor) if len(others) >= LEAST else None
    if more is None:
        return
    names = ", ".join(others[at].name for at in more.carriers[:NAMED])
    left = len(more.carriers) - NAMED
    told(
        f"{len(more.carriers)} of the {len(others)} other pictures share another mark, or this one elsewhere or in "
        f"another size: {names}{f' and {left} more' if left > 0 else ''}; to have it measured too, give them as a "
        "folder of their own"
    )


def _at_one_place(pictures: list[Picture], factor: int) -> Found | None:
    """Chooses the way to put pictures upon each other, by an anchor, in which they share most."""
    ways = anchorings([one.shape[:2] for one in pictures])
    grey = [_grey(one) for one in pictures] if len(ways) > 1 else []
    best = max(ways, key=lambda way: shared_gradients(way.stacked(grey)).support) if grey else ways[0]
    found = Found(best, shared_gradients(stack := best.stacked(pictures)), list(range(len(pictures))), factor)
    return _carried(found._replace(alike=len(ways) == 1), stack)


def _at_changing_places(pictures: list[Picture], factor: int) -> Found | None:
    """Moves pictures upon each other, each by itself."""
    smaller = -(-max(max(one.shape[:2]) for one in pictures) // LONGEST_MOVED)
    pictures = [reduced(one, smaller) for one in pictures]
    grey, widths = [_grey(one) for one in pictures], {one.shape[1] for one in pictures}
    ways = [moved(grey)]
    if len(widths) > 1:
        ways.append(moved(grey, int(np.median([one.shape[1] for one in pictures]))))
    way = max((one for one in ways if one is not None), key=lambda one: len(one.shifts), default=None)
    if way is None or len(way.shifts) < LEAST:
        return None
    stack = way.stacked(pictures)
    return _carried(Found(way, shared_gradients(stack), list(way.shifts), factor * smaller), stack)


def _carried(found: Found, stack: Picture) -> Found | None:
    """Returns what those pictures of a stack share that carry it; None where it is no mark."""
    carriers, shared = list(range(len(stack))), found.shared
    for _ in range(2):  # once more without those that do not carry it
        carriers = [at for at, one in enumerate(stack) if agreement(one, shared) > CARRIES]
        if len(carriers) < LEAST:
            return None
        shared = shared_gradients(stack[carriers])
    if halves_agree(stack[carriers], shared) < AGREEING:
        return None
    return found._replace(shared=shared, carriers=[found.carriers[at] for at in carriers])


def _grey(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]


def halves_agree(stack: Picture, shared: Shared) -> float:
    """Returns the correlation of the gradients' medians of two halves of a stack, where its own are sure."""
    rows, columns = window(shared.sure, 1) if shared.sure.any() else (slice(0), slice(0))
    medians = []
    for half in (stack[::2], stack[1::2]):
        across, down = differences(half[:, rows, columns].astype(np.float32))
        sure = shared.sure[rows, columns]
        values = median_of(across)[sure[:, 1:]], median_of(down)[sure[1:]]
        medians.append(np.concatenate(values).ravel())
    if not medians[0].size or not all(one.any() for one in medians):
        return 0.0
    one, other = medians
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))
