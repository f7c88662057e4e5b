"""Tiles cover a picture, weights add up, strips are the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_lightning.inference.tiles import cut, fade, strips

sides = st.integers(1, 300)
overlaps = st.integers(1, 12).map(lambda quarter: 4 * quarter)


@settings(deadline=None)
@given(sides, overlaps, st.integers(0, 60), st.integers(1, 8))
def test_tiles_cover_a_side_and_their_weights_add_up_to_one(length, overlap, more, align):
    tile = 3 * overlap + more
    places = cut(length, tile, overlap, align)
    assert all(place.start % align == 0 for place in places)
    total = np.zeros(length)
    for place in places:
        assert place.stop - place.start <= tile
        total[place] += fade(place, length, overlap)
    assert total == pytest.approx(np.ones(length), abs=1e-6)
    assert (places[0].start, places[-1].stop) == (0, length)


def test_the_outer_quarter_of_an_overlap_weighs_nothing():
    weights = fade(slice(50, 100), 200, 16)
    assert not weights[:4].any()
    assert not weights[-4:].any()
    assert weights[12:-12].tolist() == [1] * 26
    assert fade(slice(0, 50), 200, 16)[:16].tolist() == [1] * 16  # at the picture's border nothing fades


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 90))
def test_strips_of_a_work_that_knows_its_place_are_the_whole(height, width):
    picture = np.random.default_rng(0).random((height, width, 2)).astype(np.float32)
    rows_seen, result = 0, np.full_like(picture, np.nan)
    for rows, strip in strips(lambda rows, columns: picture[rows, columns], height, width, 2, 24, 8):
        assert rows.start == rows_seen
        rows_seen = rows.stop
        result[rows] = strip
    assert rows_seen == height
    assert result == pytest.approx(picture, abs=1e-6)


def test_no_more_than_a_row_of_tiles_is_held():
    shapes = []
    for _, strip in strips(
        lambda rows, columns: np.zeros((rows.stop - rows.start, columns.stop - columns.start, 1)), 1000, 50, 1, 60, 16
    ):
        shapes.append(strip.shape)
    assert max(height for height, _, _ in shapes) <= 60
    assert sum(height for height, _, _ in shapes) == 1000
