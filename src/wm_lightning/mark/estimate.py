"""Finds the mark that pictures share (after Dekel et al., "On the effectiveness of visible watermarks", CVPR 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from wm_lightning.errors import UserError
from wm_lightning.images.decoding import size_of
from wm_lightning.mark.anchors import Anchoring, Picture, measured_width, nearest, read_all, reduced
from wm_lightning.mark.finding import AGREEING, LEAST, Found, halves_agree, sought, tell_of_another
from wm_lightning.mark.known import Floats, KnownMark
from wm_lightning.mark.layers import MARGIN, Layers, Mask, first_guess, noise_of, refined, step_left, window
from wm_lightning.mark.moved import Moved, settled
from wm_lightning.mark.shared import Shared, area_of, constant, halo_of, shared_gradients
from wm_lightning.mark.spread import spread_of

MOST = 50  # pictures that are looked at
LONGEST = 1024  # side of pictures that it is sought on
STEP = 0.04  # that an undone mark may leave at its place
HIDES = 0.88  # opacity from which most of a mark hides what is beneath
SAME = 0.1  # share of a mark's pixels that are the same in all pictures, from which it hides what is beneath
NARROW = 0.8  # of the width that a mark is measured in, from which enlarging a picture blurs little
PLENTY = 20  # pictures that a mark is measured on at least, of as many
SEEN = 30  # pixels around a mark from which a first guess is made


def estimate_mark(paths: Sequence[str | Path], told: Callable[[str], None] = lambda _: None) -> KnownMark:
    """Finds the mark that pictures have at one place, relative to a corner, an edge or the middle, or anywhere.

    Pictures may have several sizes, some no mark. Of many, some are looked at, evenly chosen by name; the order of the
    paths does not matter.

    Args:
        paths: Of the pictures, at least five.
        told: Is told what is done, and of broken files, in sentences.

    Raises:
        UserError: There are too few pictures, or they share no mark, or one that hides all beneath it.
    """
    pictures, widths, factor = _read(paths, told)
    told(f"looking for what {len(pictures)} pictures share")
    found = sought(list(pictures.values()), factor, told)
    tell_of_another(found, pictures, told)
    return _measured(found, widths, told)


def _read(paths: Sequence[str | Path], told: Callable[[str], None]) -> tuple[dict[Path, Picture], dict[Path, int], int]:
    """Reads some of the pictures; returns them, reduced, their full widths, and by what factor they are reduced.

    Raises:
        UserError: There are too few.
    """
    chosen = _sampled(sorted(map(Path, paths)))
    if len(chosen) < LEAST:
        count = "one picture" if len(chosen) == 1 else f"{len(chosen)} pictures"
        raise UserError(f"A mark cannot be told from {count}; give at least {LEAST} that share it.")
    longest = max(max(size_of(path)) for path in chosen)
    factor = max(1, -(-longest // LONGEST))
    widths: dict[Path, int] = {}

    def small(path: Path, picture: Picture) -> Picture:
        widths[path] = picture.shape[1]
        return reduced(picture, factor)

    pictures = read_all(chosen, told, small)
    if len(pictures) < LEAST:
        raise UserError(f"Only {len(pictures)} of the pictures can be read; give at least {LEAST} that share a mark.")
    return pictures, widths, factor


def _sampled(paths: list[Path]) -> list[Path]:
    return [paths[at] for at in np.unique(np.linspace(0, len(paths) - 1, MOST).astype(int))] if paths else []


def _hides(opacities: Floats) -> bool:
    """Says whether most of a mark is opaque, by its pixels' opacities, (N,), its rim aside."""
    return float(np.median(opacities[opacities >= np.quantile(opacities, 0.99) / 2])) > HIDES


def _area(shared: Shared) -> Mask:
    """Returns where the mark is that has these gradients, (H, W).

    Raises:
        UserError: It is nowhere visible.
    """
    area = area_of(shared)
    if not area.any():
        raise UserError("What the pictures share is too faint to be measured; give more pictures.")
    return area


def _measured(found: Found, widths: Mapping[Path, int], told: Callable[[str], None]) -> KnownMark:
    """Takes the mark's opacity and paint from the full pictures.

    Args:
        found: Where pictures share it.
        widths: Of all pictures, full.
        told: Is told of broken ones.

    Raises:
        UserError: It hides all that is beneath it, or is too faint.
    """
    names = list(widths)
    paths = {names[one]: one for one in found.carriers}
    way, times = found.way, float(found.factor)
    if way.width is not None:
        times = measured_width([widths[path] for path in paths]) / way.width
    way = way.enlarged(times)
    found = found._replace(way=way)
    wide = _measurable(paths, widths, way.width)
    on = f" on the {len(wide)} largest" if len(wide) < len(paths) else ""
    told(f"{len(paths)} of {len(names)} pictures carry a mark; measuring its opacity and colour{on}")
    stack, parts, whole = _cropped(found, times, wide, told)
    shared = shared_gradients(stack)
    agree = halves_agree(stack, shared)
    if len(wide) < len(paths) and agree < AGREEING:  # too faint for so few
        stack, parts, whole = _cropped(found, times, paths, told)
        shared = shared_gradients(stack)
        agree = halves_agree(stack, shared)
    area = _area(shared)
    halo = halo_of(shared, area)
    hole = cv2.dilate((area | halo).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    layers = _layers(stack, area, halo, hole)
    inner = window(hole, MARGIN)
    corner = parts[0].start + inner[0].start, parts[1].start + inner[1].start
    if found.alike and isinstance(way, Anchoring):
        way = way._replace(anchor=nearest(corner, layers.alpha.shape, whole))
    noise = noise_of(layers, len(stack))
    place = way.place(corner, whole)
    mark = KnownMark(layers.alpha, layers.paint, noise, place, len(names), len(paths), agree)
    return replace(mark, spread=spread_of(mark, list(paths)))


def _measurable(paths: Mapping[Path, int], widths: Mapping[Path, int], width: int | None) -> dict[Path, int]:
    """Returns those pictures that a mark is measured on in a width: much narrower ones are enlarged, so blurred.

    Where few are as wide, the widest others are taken too: a mark that is measured on ten is found less surely.
    """
    if width is None:
        return dict(paths)
    ordered = sorted(paths, key=lambda path: -widths[path])
    wide = {path for at, path in enumerate(ordered) if at < PLENTY or widths[path] >= NARROW * width}
    return {path: one for path, one in paths.items() if path in wide}


def _cropped(
    found: Found, times: float, paths: Mapping[Path, int], told: Callable[[str], None]
) -> tuple[Picture, tuple[slice, slice], tuple[int, int]]:
    """Reads full pictures around what they share.

    Args:
        found: With the way for the full pictures.
        times: How many times as large these are as those on which it was found.
        paths: Of the pictures, and their numbers.
        told: Is told of broken ones.

    Returns:
        Their parts upon each other, (N, h, w, 3); of which rows and columns of the whole; the whole's height and width.
    """
    height, width = (round(side * times) for side in found.shared.sure.shape)
    area = _area(found.shared)
    area |= halo_of(found.shared, area)
    # At full size, of which the reduced pictures' sides are no exact parts.
    rows, columns = (
        slice(round(one.start * times), min(round(one.stop * times), side))
        for one, side in zip(window(area, SEEN), (height, width), strict=True)
    )

    def part(path: Path, picture: Picture) -> Picture:
        # A view would keep the whole picture in memory.
        return np.array(found.way.framed(picture, paths[path], (height, width))[rows, columns])

    stack = np.stack(list(read_all(list(paths), told, part).values()))
    if isinstance(found.way, Moved) and times != 1:
        stack = settled(stack, 2 * max(1, round(times)))
    return stack, (rows, columns), (height, width)


def _layers(stack: Picture, area: Mask, halo: Mask, hole: Mask) -> Layers:
    """Measures a mark's opacity and paint.

    Args:
        stack: Pictures (N, h, w, 3).
        area: Where it is visible, (h, w).
        halo: Where it fades out.
        hole: Both, and a rim.

    Raises:
        UserError: It covers or hides all that is beneath it, or fades out too softly.
    """
    if hole.all():
        raise UserError("What the pictures share covers them wholly, so nothing beside it tells what is beneath.")
    guess = first_guess(stack, hole)
    if _hides(guess.alpha[area]) or constant(stack)[area].mean() > SAME:
        raise UserError(
            "What the pictures share hides all beneath it, as a frame, a part of the page or an opaque mark does, so "
            "nothing can be recovered from it; wm-predict without --mark paints over what it takes for a mark."
        )
    layers = refined(stack, hole, guess, halo)
    step, error = step_left(stack, hole, layers)
    if abs(step) > max(STEP, 4 * error):
        raise UserError(
            "The mark that the pictures share fades out too softly to be measured: undone, its place would be "
            f"{'lighter' if step > 0 else 'darker'} than around it by {255 * abs(step):.0f} of 255."
        )
    return layers
