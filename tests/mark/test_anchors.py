import numpy as np
import pytest

from wm_lightning.mark.anchors import Anchoring, anchorings, measured_width, nearest, reduced


def numbered(height, width):
    return np.dstack(3 * [np.arange(height * width, dtype=np.uint8).reshape(height, width)])


@pytest.mark.parametrize("anchor", [(0.0, 0.0), (0.5, 1.0), (1.0, 0.5)])
def test_what_lies_at_one_place_lies_upon_each_other(anchor):
    sizes = [(40, 60), (50, 48), (44, 64)]
    pictures = []
    for height, width in sizes:
        picture = np.zeros((height, width, 3), np.uint8)
        picture[int(anchor[0] * (height - 10)) :, int(anchor[1] * (width - 10)) :][:10, :10] = 200
        pictures.append(picture)
    stack = Anchoring(anchor).stacked(pictures)
    assert stack.shape == (3, 40, 48, 3)
    assert (stack == stack[0]).all()
    assert (stack[0] == 200).sum() == 300


def test_pictures_that_are_resized_have_one_width():
    stack = Anchoring((0.0, 0.5), 32).stacked(
        [numbered(24, 64), numbered(20, 32), numbered(30, 40)[..., :1].repeat(3, -1)]
    )
    assert stack.shape == (3, 12, 32, 3)


def test_pictures_of_one_size_have_one_way():
    assert len(anchorings([(40, 60)] * 3)) == 1
    assert len(anchorings([(40, 60), (50, 60)])) == 9
    assert len(anchorings([(40, 60), (40, 90)])) == 12


@pytest.mark.parametrize(
    ("widths", "width"),
    [
        ([320] * 25 + [480] * 25, 480),  # many of both: the larger
        ([320] * 45 + [480] * 5, 320),  # too few to measure on
        ([320] * 6 + [480] * 4, 320),
        (list(range(100, 160)), 140),  # a third of 60 are as wide
        ([300, 200, 250], 200),
    ],
)
def test_a_mark_is_measured_in_the_largest_width_that_enough_have(widths, width):
    assert measured_width(widths) == width
    assert measured_width(widths[::-1]) == width


def test_beyond_a_pictures_edges_it_goes_on():
    cut_out = Anchoring((0.5, 1.0)).framed(numbered(4, 6), 0, (7, 8))
    assert cut_out.shape == (7, 8, 3)
    np.testing.assert_array_equal(cut_out[1:5, 2:], numbered(4, 6))
    np.testing.assert_array_equal(cut_out[0], cut_out[1])


def test_the_nearest_anchor_and_where_a_mark_is_from_there():
    assert nearest((80, 3), (10, 20), (100, 100)) == (1.0, 0.0)
    assert nearest((45, 40), (10, 20), (100, 100)) == (0.5, 0.5)
    place = Anchoring((1.0, 0.0)).place((80, 3), (100, 100))
    assert place.corner_on((100, 100)) == (80, 3)
    assert place.corner_on((150, 70)) == (130, 3)


def test_reduced_pictures_are_means():
    picture = numbered(7, 9)
    small = reduced(picture, 2)
    assert small.shape == (3, 4, 3)
    assert small[0, 0, 0] == round((0 + 1 + 9 + 10) / 4)
    assert reduced(picture, 1) is picture


@pytest.mark.parametrize(("size", "smaller"), [((1, 9), (1, 4)), ((9, 1), (4, 1)), ((1, 1), (1, 1))])
def test_thin_pictures_keep_a_pixel(size, smaller):
    assert reduced(numbered(*size), 2).shape == (*smaller, 3)
