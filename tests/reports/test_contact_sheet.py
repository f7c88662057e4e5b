import numpy as np
import pytest

from wm_lightning.reports.contact_sheet import GAP, HEADER, contact_sheet


def test_pictures_stand_in_rows_below_their_titles():
    red = np.zeros((10, 20, 3), dtype=np.uint8)
    red[..., 0] = 255
    grey = np.full((10, 20), 128, dtype=np.uint8)
    sheet = np.asarray(contact_sheet(["a", "b"], [[red, grey], [grey, red]]))
    assert sheet.shape == (HEADER + 2 * (10 + GAP) + GAP, 2 * (20 + GAP) + GAP, 3)
    top, left = HEADER + GAP, GAP
    below, right = top + 10 + GAP, left + 20 + GAP
    assert (sheet[top : top + 10, left : left + 20] == (255, 0, 0)).all()
    assert (sheet[top : top + 10, right : right + 20] == 128).all()
    assert (sheet[below : below + 10, right : right + 20] == (255, 0, 0)).all()
    assert (sheet[top + 10 : below] == 255).all()
    assert (sheet[:HEADER] < 128).any()  # the titles


def test_a_row_of_another_length_is_refused():
    picture = np.zeros((4, 4), dtype=np.uint8)
    with pytest.raises(ValueError, match="zip"):
        contact_sheet(["a", "b"], [[picture]])


def test_titles_of_narrow_columns_do_not_run_into_each_other():
    titles = ["mask found", "mask"]
    sheet = np.asarray(contact_sheet(titles, [[np.zeros((64, 64), np.uint8)] * 2]))
    assert (sheet[:24, 6 + 64 : 6 + 64 + 6] == 255).all()
    assert (sheet[:24] < 255).any()
