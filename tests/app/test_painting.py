import numpy as np
import pytest

from wm_lightning.app.painting import Painting, from_layers


def layer(height, width, alpha):
    return np.dstack((np.zeros((height, width, 3), np.uint8), np.asarray(alpha, np.uint8)))


def test_nothing_painted_allows_everything():
    for protects in (False, True):
        assert Painting(np.zeros((4, 6), np.uint8), protects).allowed((40, 60)) is None
        assert from_layers([], protects) is None


def test_paint_is_enlarged_to_the_picture():
    paint = np.zeros((4, 6), np.uint8)
    paint[:2] = 255
    allowed = Painting(paint).allowed((40, 60))
    assert allowed.shape == (40, 60)
    assert allowed.dtype == np.float32
    assert (allowed[:15] == 1).all()
    assert (allowed[25:] == 0).all()
    assert allowed[19:21].mean() == pytest.approx(0.5, abs=0.02)
    kept = Painting(paint, protects=True).allowed((40, 60))
    assert kept + allowed == pytest.approx(np.ones((40, 60)), abs=1e-6)


def test_everything_painted_and_protected_allows_nothing():
    assert not Painting(np.full((3, 3), 255, np.uint8), protects=True).allowed((9, 9)).any()


def test_half_opaque_paint_counts_in_full_and_layers_add_up():
    first, second = np.zeros((2, 3)), np.zeros((2, 3))
    first[0, 0], first[0, 1], first[1, 1], second[1, 2] = 127, 128, 64, 255
    painting = from_layers([layer(2, 3, first), layer(2, 3, second)], protects=True)
    assert painting.protects
    assert painting.paint.tolist() == [[255, 255, 0], [0, 129, 255]]
