"""Pixels that belong together are one mark."""

import numpy as np

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
    told = marks.told(np.array([0, 0.5, 0.9]), np.array([False, False, True]), 2)
    assert told == [Mark((100, 60, 120, 100), 0.9, 800)]
