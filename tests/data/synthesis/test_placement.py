import numpy as np
import pytest

from wm_lightning.data.synthesis.placement import PLACES, draw_place
from wm_lightning.data.synthesis.render import render
from wm_lightning.data.synthesis.spec import MarkSpec, Shape


def places(name, count=400, **options):
    generator = np.random.default_rng(0)
    return [draw_place({name: 1.0}, generator, **options) for _ in range(count)]


def box(height, width, **options):
    layer = render(MarkSpec(Shape("rectangle", aspect=0.5), **options), height, width)
    return layer.top, layer.left, height - layer.top - layer.alpha.shape[0], width - layer.left - layer.alpha.shape[1]


def test_corners_are_the_four_with_a_margin_and_more_often_the_lower_ones():
    drawn = places("corner", margins=(0.02, 0.05))
    assert {place.center for place in drawn} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(place.margin is not None and 0.02 <= place.margin <= 0.05 and place.upright for place in drawn)
    assert np.mean([place.center[1] for place in drawn]) == pytest.approx(0.6, abs=0.08)


def test_edges_are_all_four_and_mostly_their_middles():
    drawn = places("edge")
    assert all(0 in place.center or 1 in place.center for place in drawn)
    assert np.mean([0.5 in place.center for place in drawn]) == pytest.approx(0.6, abs=0.08)
    assert {place.center for place in drawn} >= {(0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1)}


def test_top_bottom_centre_and_anywhere():
    assert {place.center for place in places("top")} == {(0.5, 0)}
    assert {place.center for place in places("bottom")} == {(0.5, 1)}
    for name, low, high in (("centre", 0.45, 0.55), ("anywhere", 0, 1)):
        drawn = places(name)
        assert all(place.margin is None and not place.upright for place in drawn)
        values = np.array([place.center for place in drawn])
        assert low <= values.min() <= values.max() <= high


def test_frequencies_of_places_are_met():
    generator = np.random.default_rng(0)
    shares = dict.fromkeys(PLACES, 0.0) | {"corner": 0.75, "top": 0.25}
    drawn = [draw_place(shares, generator).center for _ in range(800)]
    assert np.mean([center == (0.5, 0) for center in drawn]) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(("height", "width"), [(100, 100), (100, 180), (161, 90)])
@pytest.mark.parametrize("center", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_margin_is_left_between_mark_and_corner_on_any_picture(height, width, center):
    top, left, below, right = box(height, width, center=center, margin=0.1, size=0.4)
    margin = 0.1 * min(height, width)
    assert (right if center[0] else left) == pytest.approx(margin, abs=1)
    assert (below if center[1] else top) == pytest.approx(margin, abs=1)


def test_margin_holds_for_turned_marks_and_halves_what_is_left():
    top, left, below, right = box(200, 200, center=(1, 0), margin=0.05, size=0.3, angle=40)
    assert (top, right) == (pytest.approx(10, abs=1), pytest.approx(10, abs=1))
    top, left, below, right = box(100, 160, center=(0.5, 0.5), margin=0.05, size=0.3)
    assert (top, left) == (pytest.approx(below, abs=1), pytest.approx(right, abs=1))


def test_mark_longer_than_the_picture_covers_its_whole_width():
    _, left, below, right = box(100, 200, center=(0.5, 1), margin=0.0, size=2.5)
    assert (left, right, below) == (0, 0, 0)
