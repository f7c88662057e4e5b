import cv2
import numpy as np
import pytest

from tests.mark.conftest import SIZE, photograph, put
from wm_lightning.mark.known import Place
from wm_lightning.mark.moved import Moved, moved, settled


def grey(picture):
    return picture.mean(axis=-1, keepdims=True).astype(np.uint8)


def anywhere(count, letters):
    rng = np.random.default_rng(0)
    room = np.array(SIZE) - letters.alpha.shape
    return [tuple(int(one) for one in rng.integers(0, room)) for _ in range(count)]


def test_a_mark_anywhere_is_put_upon_itself(letters):
    corners = anywhere(16, letters)
    way = moved([grey(put(photograph(seed), letters, corner)) for seed, corner in enumerate(corners)])
    assert way is not None
    assert len(way.shifts) >= 12
    origins = {tuple(np.subtract(corners[number], shift)) for number, shift in way.shifts.items()}
    assert len(origins) == 1


def test_pictures_that_share_nothing_stay_apart():
    assert moved([grey(np.rint(photograph(seed) * 255)) for seed in range(16)]) is None


@pytest.mark.parametrize("value", [0, 255])
def test_blank_pictures_share_nothing(value):
    assert moved([np.full((48, 64, 1), value, np.uint8)] * 6) is None


def test_blank_pictures_stay():
    stack = np.full((6, 48, 64, 3), 200, np.uint8)
    np.testing.assert_array_equal(settled(stack, 4), stack)


@pytest.mark.filterwarnings("error")
def test_thin_pictures_are_left_out(letters):
    corners = anywhere(14, letters)
    marked = [grey(put(photograph(seed), letters, corner)) for seed, corner in enumerate(corners)]
    thin = [np.zeros((*size, 1), np.uint8) for size in ((1, 90), (90, 1), (1, 1), (7, 200))]
    way = moved([*thin, *marked])
    assert way is not None
    assert way.shifts == {number + len(thin): shift for number, shift in moved(marked).shifts.items()}
    assert moved(thin) is None


def test_what_settles_stays_within_reach(letters):
    stack = np.stack([put(photograph(seed), letters, (38, 34 + 9 * (seed == 5))) for seed in range(12)])
    result = settled(stack, 4)
    np.testing.assert_array_equal(result[5], stack[5])


def test_a_picture_is_framed_by_its_shift():
    picture = np.arange(20, dtype=np.uint8).reshape(4, 5, 1)
    framed = Moved({7: (1, -2)}, (4, 5)).framed(picture, 7, (4, 5))
    assert framed.shape == (4, 5, 1)
    np.testing.assert_array_equal(framed[:3, 2:], picture[1:, :3])
    np.testing.assert_array_equal(framed[3, 2:], picture[3, :3])  # its edge goes on
    np.testing.assert_array_equal(framed[:3, :2], picture[1:, :1].repeat(2, axis=1))
    larger = Moved({7: (1, -2)}, (4, 5)).framed(picture, 7, (6, 9))
    np.testing.assert_array_equal(larger[3:, :, 0], [[15, 15, 15, 16, 17, 18, 19, 19, 19]] * 3)
    assert Moved({7: (1, -2)}, (4, 5)).enlarged(3) == Moved({7: (3, -6)}, (12, 15))


def test_a_long_picture_is_framed():
    picture = np.arange(33000, dtype=np.uint16).astype(np.uint8)[None, :, None]
    framed = Moved({0: (0, 3)}, (1, 33000)).framed(picture, 0, (1, 33000))
    np.testing.assert_array_equal(framed[:, :-3], picture[:, 3:])


def test_pictures_that_lie_nearly_upon_each_other_settle(letters):
    off = 2
    rng = np.random.default_rng(0)
    corners = [(38 + int(down), 34 + int(across)) for down, across in rng.integers(-off, off, (12, 2), endpoint=True)]
    stack = np.stack([put(photograph(seed), letters, corner) for seed, corner in enumerate(corners)])
    gradients = [np.median(np.diff(one.astype(float), axis=2), axis=0) for one in (stack, settled(stack, 2 * off))]
    exact = np.stack([put(photograph(seed), letters) for seed in range(12)])
    best = np.abs(np.median(np.diff(exact.astype(float), axis=2), axis=0)).sum()
    before, after = (np.abs(one).sum() / best for one in gradients)
    assert before < 0.8 < 0.9 < after


def test_a_mark_in_any_corner_that_grows_with_the_picture(letters):
    corners = [((4, 4), (4, 60), (70, 4), (70, 60))[seed % 4] for seed in range(16)]
    pictures = [put(photograph(seed), letters, corner) for seed, corner in enumerate(corners)]
    larger = [
        cv2.resize(one, (192, 144), interpolation=cv2.INTER_CUBIC) if at % 2 else one for at, one in enumerate(pictures)
    ]
    way = moved([grey(one) for one in larger], 128)
    assert way is not None
    assert len(way.shifts) >= 12
    assert way.place((0, 0), way.size) == Place(width=128)
    off = {
        tuple(np.subtract(corners[number], shift) - np.subtract(corners[0], way.shifts[0]))
        for number, shift in way.shifts.items()
    }
    assert np.abs(list(off)).max() <= 1
