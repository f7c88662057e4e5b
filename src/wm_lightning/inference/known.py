"""Takes away a known mark, undoing its blend and painting what it hid, or those that are sought."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.inference.cleaning import Cleaned, clean_pixels
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.marks import SURE, Mark
from wm_lightning.inference.pixels import Pixels, as_floats, as_map, largest
from wm_lightning.inference.search import AS_USUAL, Search
from wm_lightning.mark.known import OPAQUE, KnownMark
from wm_lightning.mark.placing import MOST_STRENGTH, Placed, place_mark

AROUND = 96  # pixels around a mark that the network sees with it
RADIUS = 3  # pixels around a point that inpainting looks at
VISIBLE = 0.5 / 255  # what is less changes no value of 8 bits


class NoEngine:
    """Stands for a network where a mark hides nothing, so that none is asked."""

    knows_layers = True

    def correct(self, picture: npt.NDArray[np.float32]) -> Correction:
        """Raises AssertionError: a picture was expected to shine through its mark everywhere."""
        raise AssertionError("the mark hides nothing, so that no network was opened")


def needs_network(mark: KnownMark | None) -> bool:
    """Says whether a network may be asked: to seek marks, or to paint what a known one hides."""
    return mark is None or bool((mark.alpha * MOST_STRENGTH >= OPAQUE).any())


def clean(
    engine: Engine,
    pixels: Pixels,
    mark: KnownMark | None = None,
    allowed: npt.NDArray[np.floating] | None = None,
    strength: float = 1.0,
    search: Search = AS_USUAL,
) -> Cleaned:
    """Takes a known mark from a picture, or those that are sought where none is known.

    Args:
        engine: Runs the network; :class:`NoEngine` where it is not needed, see :func:`needs_network`.
        pixels: (H, W, 3) sRGB, uint8, uint16, or float32 in 0..1.
        mark: The mark; None to seek marks.
        allowed: As for both.
        strength: Likewise.
        search: How marks are sought; of no effect on a known one.
    """
    if mark is None:
        return clean_pixels(engine, pixels, allowed, strength, search)
    return without_known(engine, pixels, mark, allowed, strength)


def without_known(
    engine: Engine,
    pixels: Pixels,
    mark: KnownMark,
    allowed: npt.NDArray[np.floating] | None = None,
    strength: float = 1.0,
) -> Cleaned:
    """Takes a known mark from a picture: ``c = (x - b) / (1 - a)``.

    Where the mark hides the picture (:data:`~wm_lightning.mark.known.OPAQUE`), the network paints; and where that does
    not see the mark, Navier-Stokes inpainting (Bertalmio et al., CVPR 2001).

    Args:
        engine: Runs the network; is asked only where the mark hides something.
        pixels: (H, W, 3) sRGB, uint8, uint16, or float32 in 0..1; without the mark they stay as they are, to the bit.
        mark: Where it is told, or anywhere.
        allowed: Where, and how far, pixels may change, (H, W) in 0..1; None allows it everywhere.
        strength: How much of the mark is taken away, 0..1.
    """
    cleaned, mask = pixels.copy(), np.zeros(pixels.shape[:2], np.uint8)
    picture = as_floats(pixels)
    placed = None if strength == 0 else place_mark(picture, mark)
    if placed is None:
        return Cleaned(cleaned, mask)
    here = placed.rows, placed.columns
    area = (placed.alpha > VISIBLE) | (np.abs(placed.paint) > VISIBLE).any(axis=-1)
    beneath = np.clip((picture[here] - placed.paint) / (1 - placed.alpha[..., None]), 0, 1)
    if (placed.alpha > OPAQUE).any():
        beneath = _painted(engine, picture, placed, beneath)
    share = np.full(area.shape, strength, np.float32) * area
    if allowed is not None:
        share *= allowed[here]
    changed = picture[here] + share[..., None] * (beneath - picture[here])
    scale = largest(pixels)
    values = (np.rint(changed * scale) if scale > 1 else changed).astype(pixels.dtype)
    cleaned[here] = np.where(share[..., None] > 0, values, pixels[here])
    mask[here] = as_map((share > 0).astype(np.float32))
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return Cleaned(cleaned, mask)
    box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    return Cleaned(cleaned, mask, (Mark(box, _certainty(placed), int(rows.size), known=True),))


def _certainty(placed: Placed) -> float:
    """Returns how sure it is that the mark is there: the evidence is a likelihood ratio."""
    return float(1 - np.exp(-6 * placed.evidence * int((placed.alpha > VISIBLE).sum())))


def _painted(
    engine: Engine, picture: npt.NDArray[np.float32], placed: Placed, beneath: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Returns what is beneath a mark, (h, w, 3), with what it hides painted."""
    hidden = placed.alpha > OPAQUE
    filled = cv2.inpaint(as_map(beneath), hidden.astype(np.uint8), RADIUS, cv2.INPAINT_NS).astype(np.float32) / 255
    top, left = max(placed.rows.start - AROUND, 0), max(placed.columns.start - AROUND, 0)
    near = np.ascontiguousarray(picture[top : placed.rows.stop + AROUND, left : placed.columns.stop + AROUND])
    correction = engine.correct(near)
    inner = (
        slice(placed.rows.start - top, placed.rows.stop - top),
        slice(placed.columns.start - left, placed.columns.stop - left),
    )
    seen = correction.mask[inner] * 255 >= SURE
    painted = np.where(seen, correction.apply(near)[inner], filled)
    return np.where(hidden[..., None], painted, beneath)
