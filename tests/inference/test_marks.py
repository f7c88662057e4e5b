"""Pixels that belong together are one mark."""

import numpy as np
import pytest

from wm_lightning.inference.marks import Mark, find_marks


def _map(*boxes):
    mask = np.zeros((60, 90), np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 200
    return mask


def test_letters_that_are_close_are_one_mark_and_others_two():
    marks = find_marks(_map((10, 10, 14, 20), (20, 10, 24, 22), (60, 40, 90, 60)))
    assert marks.areas.tolist()[1:] == [40 + 48, 30 * 20]
    assert marks.boxes.tolist()[1:] == [[10, 10, 14, 12], [60, 40, 30, 20]]
    assert marks.sides.tolist()[1:] == [14, 30]


def test_a_mark_reaches_a_little_beyond_its_pixels():
    marks = find_marks(_map((30, 20, 40, 30)))
    where = marks.of(np.array([False, True]))
    rows, columns = np.nonzero(where)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (14, 35, 24, 45)
    assert np.array_equal(marks.numbers() > 0, _map((30, 20, 40, 30)) > 0)


def test_what_is_less_than_half_sure_is_none():
    mask = _map((30, 20, 40, 30))
    marks = find_marks(np.minimum(mask, 127))
    assert len(marks.areas) == 1
    assert not marks.of(np.array([True])).any()


def test_marks_are_told_in_pixels_of_the_picture():
    marks = find_marks(_map((10, 10, 20, 15), (50, 30, 60, 50)))
    height, width = marks.labels.shape
    told = marks.told(np.array([0, 0.5, 0.9]), np.array([False, False, True]), (2 * height, 2 * width))
    assert told == [Mark((100, 60, 120, 100), 0.9, 800)]


def test_boxes_lie_within_the_picture():
    mask = np.zeros((33, 17), np.uint8)
    mask[30:, 3:] = 255  # of a picture of 261 x 133, eight times as large but for what was rounded
    marks = find_marks(mask)
    assert marks.told(np.ones(2), np.array([False, True]), (261, 133)) == [
        Mark((23, 237, 133, 261), 1.0, round(3 * 14 * 261 / 33 * 133 / 17))
    ]


@pytest.mark.parametrize("box", [(0, 0, 5, 4), (20, 10, 40, 30), (0, 0, 40, 30)])
def test_boxes_and_areas_at_the_edge_of_the_map_are_exact(box):
    left, top, right, bottom = box
    mask = np.zeros((30, 40), np.uint8)
    mask[top:bottom, left:right] = 200
    marks = find_marks(mask)
    assert marks.boxes[1].tolist() == [left, top, right - left, bottom - top]
    assert marks.areas.tolist() == [0, (right - left) * (bottom - top)]


def test_a_marks_point_is_one_of_its_pixels():
    marks = find_marks(_map((10, 10, 20, 15), (50, 30, 60, 50)))
    height, width = marks.labels.shape
    for number in (1, 2):
        down, across = marks.point(number)
        assert marks.numbers()[int(down * height), int(across * width)] == number


def test_marks_that_touch_a_part_of_the_picture():
    marks = find_marks(_map((10, 10, 20, 15), (50, 30, 60, 50)))
    where = np.zeros(marks.labels.shape, bool)
    where[14, 19] = True
    assert marks.touching(where).tolist() == [False, True, False]
