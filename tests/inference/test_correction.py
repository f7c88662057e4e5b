"""Corrections: applied, chained, limited, enlarged."""

import cv2
import numpy as np
import pytest

from wm_lightning.inference.correction import Correction


def drawn(height, width, seed=0):
    generator = np.random.default_rng(seed)
    return Correction(
        generator.uniform(-0.3, 0.3, (height, width, 3)).astype(np.float32),
        generator.uniform(-0.05, 0.05, (height, width, 3)).astype(np.float32),
        generator.random((height, width, 1)).astype(np.float32),
    )


PLANES = ("gain", "offset", "mask")
PICTURE = np.random.default_rng(5).uniform(0.3, 0.6, (4, 5, 3)).astype(np.float32)


def test_none_changes_nothing_to_the_bit():
    assert np.array_equal(Correction.none(4, 5).apply(PICTURE), PICTURE)
    assert not Correction.none(4, 5).mask.any()


def test_it_takes_a_blended_mark_away_and_stays_in_range():
    alpha, colour = 0.4, 0.9
    blended = (1 - alpha) * PICTURE + alpha * colour
    full = np.ones_like(PICTURE)
    correction = Correction(full * (1 / (1 - alpha) - 1), -full * alpha * colour / (1 - alpha), full[..., :1])
    assert correction.apply(blended) == pytest.approx(PICTURE, abs=1e-6)
    assert correction.apply(np.zeros_like(PICTURE)).min() == 0
    assert Correction(full, full, full[..., :1]).apply(PICTURE).max() == 1


def test_one_after_another_is_one():
    first, second = drawn(4, 5, 1), drawn(4, 5, 2)
    chained = first.then(second)
    step = PICTURE + first.gain * PICTURE + first.offset
    step = step + second.gain * step + second.offset
    assert PICTURE + chained.gain * PICTURE + chained.offset == pytest.approx(step, abs=1e-6)
    assert np.array_equal(chained.mask, np.maximum(first.mask, second.mask))


def test_a_share_of_none_changes_nothing_and_of_half_goes_half_the_way():
    correction = drawn(4, 5)
    assert np.array_equal(correction.limited(np.float32(0)).apply(PICTURE), PICTURE)
    half = correction.limited(np.float32(0.5)).apply(PICTURE)
    assert half == pytest.approx((PICTURE + correction.apply(PICTURE)) / 2, abs=1e-6)


def test_a_part_enlarged_is_that_part_of_the_whole_enlarged():
    correction = drawn(6, 9)
    whole = correction.enlarged((13, 18), slice(0, 13), slice(0, 18))
    part = correction.enlarged((13, 18), slice(4, 11), slice(3, 17))
    for name in PLANES:
        assert getattr(part, name) == pytest.approx(getattr(whole, name)[4:11, 3:17], abs=1e-3)
    # As a library enlarges it, whose pixels have their centres at halves too.
    resized = cv2.resize(correction.gain, (18, 13), interpolation=cv2.INTER_LINEAR)
    assert whole.gain == pytest.approx(resized, abs=0.02)
    assert whole.mask.shape == (13, 18, 1)


@pytest.mark.parametrize("place", [slice(0, 40), slice(50, 110), slice(81, 121)])
def test_a_small_part_of_a_large_whole(place):
    correction = drawn(60, 61)
    whole = correction.enlarged((121, 121), slice(0, 121), slice(0, 121))
    part = correction.enlarged((121, 121), place, place)
    for name in PLANES:
        assert getattr(part, name) == pytest.approx(getattr(whole, name)[place, place], abs=1e-2)


def test_enlarging_leaves_alone_what_was_left_alone():
    correction = Correction.none(3, 4)
    correction.mask[0, 0] = 0
    enlarged = correction.enlarged((6, 8), slice(0, 6), slice(0, 8))
    assert not any(part.any() for part in enlarged.planes)
