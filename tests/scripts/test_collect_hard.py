"""Crops around what a network takes for marks."""

import numpy as np
import pytest

from wm_lightning.inference.correction import Correction


class Bright:
    """Takes what is bright for a mark."""

    knows_layers = True

    def correct(self, picture):
        mask = (picture[..., :1] > 0.5).astype(np.float32)
        return Correction(np.zeros_like(picture), np.zeros_like(picture), mask)


@pytest.mark.parametrize(
    ("places", "count"),
    [([], 0), ([(0, 0)], 1), ([(290, 380)], 1), ([(0, 0), (290, 380)], 2), ([(100, 100), (120, 150)], 1)],
)
def test_a_crop_holds_each_mark_that_lies_apart(places, count):
    from collect_hard import SIDE, crops

    pixels = np.zeros((300, 400, 3), np.uint8)
    for row, column in places:
        pixels[row : row + 10, column : column + 20] = 255
    found = list(crops(Bright(), pixels))
    assert len(found) == count
    assert all(crop.shape == (SIDE, SIDE, 3) and (crop == 255).all(axis=-1).sum() >= 200 for crop in found)


def test_specks_give_none_and_a_small_picture_is_its_crop():
    from collect_hard import crops

    speck, small = np.zeros((300, 400, 3), np.uint8), np.zeros((100, 120, 3), np.uint8)
    speck[50:55, 50:55], small[20:40, 20:40] = 255, 255
    assert list(crops(Bright(), speck)) == []
    (crop,) = crops(Bright(), small)
    assert np.array_equal(crop, small)
