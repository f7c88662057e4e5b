from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.mark.conftest import CORNER, SIZE, photograph, put
from wm_lightning.mark.known import KnownMark, Place
from wm_lightning.mark.placing import place_mark


def floats(picture):
    return picture.astype(np.float32) / 255


@pytest.mark.parametrize("strength", [0.7, 1.0, 1.2])
@pytest.mark.parametrize("away", [(0, 0), (1, -2)])
def test_it_is_found_beside_its_place_and_fainter_or_stronger(letters, strength, away):
    corner = CORNER[0] + away[0], CORNER[1] + away[1]
    placed = place_mark(floats(put(photograph(1), letters, corner, strength)), letters)
    assert (placed.rows.start, placed.columns.start) == corner
    assert placed.strength == pytest.approx(strength, abs=0.04)
    np.testing.assert_allclose(placed.alpha[:22, :62], strength * letters.alpha, atol=0.03)


@pytest.mark.parametrize("corner", [(3, 5), (60, 61)])
def test_it_is_found_anywhere(letters, corner):
    placed = place_mark(floats(put(photograph(2), letters, corner)), replace(letters, place=Place()))
    assert (placed.rows.start, placed.columns.start) == corner


@pytest.mark.parametrize("corner", [(30, 41), (40, 0), (0, 60)])
def test_a_plate_of_one_opacity_is_found_anywhere(corner):
    alpha = np.full((30, 50), 0.5, np.float32)
    plate = KnownMark(alpha, np.repeat(alpha[..., None], 3, axis=-1), np.zeros_like(alpha), Place())
    placed = place_mark(floats(put(photograph(2), plate, corner)), plate)
    assert placed is not None
    assert (placed.rows.start, placed.columns.start) == corner


def test_what_is_unseen_around_it_may_lie_outside_the_picture(letters):
    around = [np.pad(part, ((7, 7), (7, 7), *((0, 0),) * (part.ndim - 2))) for part in (letters.alpha, letters.paint)]
    known = replace(letters, alpha=around[0], paint=around[1], place=Place())
    placed = place_mark(floats(put(photograph(2), letters, (2, 1))), known)
    assert placed is not None
    assert (placed.rows.start, placed.columns.start) == (0, 0)
    np.testing.assert_allclose(placed.alpha[2:24, 1:63], letters.alpha, atol=1e-6)


def test_it_is_found_between_pixels(letters):
    moved = [
        cv2.warpAffine(
            np.pad(part, ((0, 1), (0, 1), *((0, 0),) * (part.ndim - 2))), np.array([[1, 0, 0.5], [0, 1, 0.0]]), (63, 23)
        )
        for part in (letters.alpha, letters.paint)
    ]
    between = replace(letters, alpha=moved[0], paint=moved[1])
    placed = place_mark(floats(put(photograph(3), between)), letters)
    np.testing.assert_allclose(placed.alpha[:22, :62], moved[0][:22, :62], atol=0.03)


@pytest.mark.parametrize("seed", range(6))
def test_it_is_not_found_where_it_is_not(letters, seed):
    clean = np.rint(photograph(seed) * 255).astype(np.uint8)
    assert place_mark(floats(clean), letters) is None
    assert place_mark(floats(clean), replace(letters, place=Place())) is None


def test_it_is_not_found_on_white_where_nobody_sees_it(letters):
    assert place_mark(np.ones((*SIZE, 3), np.float32), letters) is None


def test_pictures_smaller_than_the_mark_do_not_have_it(letters):
    small = floats(put(photograph(4), letters))[:10, :10]
    assert place_mark(small, letters) is None
    assert place_mark(small, replace(letters, place=Place())) is None


def test_it_grows_with_the_picture(letters):
    growing = replace(letters, place=replace(letters.place, width=SIZE[1]))
    clean = photograph(5, (2 * SIZE[0], 2 * SIZE[1]))
    size = 2 * letters.alpha.shape[1], 2 * letters.alpha.shape[0]
    large = replace(letters, alpha=cv2.resize(letters.alpha, size), paint=cv2.resize(letters.paint, size))
    placed = place_mark(floats(put(clean, large, (2 * CORNER[0], 2 * CORNER[1]))), growing)
    assert (placed.rows.start, placed.columns.start) == (2 * CORNER[0], 2 * CORNER[1])
    assert placed.alpha.shape == (45, 125)


@pytest.mark.parametrize("shape", [(64, 86), (83, 111), (150, 200)])
def test_in_another_size_it_lies_at_its_place_to_a_part_of_a_pixel(shape):
    """A plate's middle and area say where it lies."""
    alpha = np.full((20, 40), 0.5, np.float32)
    plate = KnownMark(alpha, np.repeat(alpha[..., None], 3, -1), np.zeros_like(alpha), Place((0, 0), (30, 50), 128))
    scale = shape[1] / 128
    # Drawn 16 times as large as it is, and reduced by area
    fine = np.zeros((shape[0] * 16, shape[1] * 16), np.float32)
    top, left = round(30 * scale * 16), round(50 * scale * 16)
    fine[top : top + round(20 * scale * 16), left : left + round(40 * scale * 16)] = 0.5
    true = cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA)
    drawn = KnownMark(true, np.repeat(true[..., None], 3, -1), np.zeros_like(true))
    placed = place_mark(floats(put(photograph(1, shape), drawn, (0, 0))), plate)
    found = np.zeros(shape, np.float32)
    found[placed.rows, placed.columns] = placed.alpha
    assert placed.strength == 1
    assert np.abs(found - true).mean() < 0.02 * true.mean()
    for axis, side in enumerate(shape):
        middles = [(one.sum(axis=1 - axis) * np.arange(side)).sum() / one.sum() for one in (found, true)]
        assert middles[0] == pytest.approx(middles[1], abs=0.1)


def test_a_sharper_mark_is_not_more_opaque(letters):
    """Or it would be painted over where it can be undone."""
    strong = replace(letters, alpha=letters.alpha * 1.5, paint=letters.paint * 1.5, place=Place((0, 0), (38, 34), 128))
    clean = photograph(6, (144, 192))
    large = cv2.resize(np.pad(strong.alpha, ((38, 36), (34, 32))), (192, 144), interpolation=cv2.INTER_CUBIC)
    large = np.clip(large + 1.2 * (large - cv2.GaussianBlur(large, (0, 0), 0.6)), 0, 0.9)
    drawn = KnownMark(large, np.repeat(large[..., None], 3, -1), np.zeros_like(large))
    placed = place_mark(floats(put(clean, drawn, (0, 0), 1.1)), strong)
    assert placed is not None
    assert placed.alpha.max() <= placed.strength * strong.alpha.max() + 1e-6
    assert np.all(placed.paint <= placed.alpha[..., None] + 1e-6)


@pytest.mark.parametrize(("amount", "error"), [(0.0, 0.025), (0.6, 0.014), (1.2, 0.016)])
def test_in_another_size_it_is_as_sharp_as_the_picture_has_it(letters, amount, error):
    growing = replace(letters, place=replace(letters.place, width=SIZE[1]))
    size = 96, 72
    canvas = np.zeros(SIZE, np.float32)
    canvas[CORNER[0] : CORNER[0] + 22, CORNER[1] : CORNER[1] + 62] = letters.alpha
    true = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    true = np.clip(true + amount * (true - cv2.GaussianBlur(true, (0, 0), 0.6)), 0, letters.alpha.max())
    drawn = KnownMark(true, np.repeat(true[..., None], 3, -1), np.zeros_like(true))
    placed = place_mark(floats(put(photograph(3, size[::-1]), drawn, (0, 0))), growing)
    found = np.zeros(size[::-1], np.float32)
    found[placed.rows, placed.columns] = placed.alpha
    assert np.abs(found - true)[true > 0].mean() < error
