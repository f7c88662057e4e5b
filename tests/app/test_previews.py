import io

import numpy as np
import pytest
from PIL import Image

from wm_lightning.app.previews import encoded, reduced, tinted
from wm_lightning.inference.pictures import Picture


def test_small_pictures_keep_their_pixels_and_large_ones_are_averaged():
    small = np.random.default_rng(0).integers(0, 256, (37, 31, 3)).astype(np.uint8)
    assert reduced(small) is small
    stripes = np.tile(np.array([0, 200], np.uint8), (10, 1600))
    assert reduced(stripes).shape == (5, 1600)
    assert (reduced(stripes) == 100).all()
    assert reduced(np.zeros((6400, 1), np.uint8)).shape == (1600, 1)


def test_marks_are_red_on_grey():
    pixels = np.zeros((8, 8, 3), np.uint16)
    pixels[..., 1] = 65535
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    shown = tinted(pixels, mask)
    grey = round(0.587 * 255)
    assert shown[7, 7].tolist() == [grey] * 3
    assert shown[0, 0].tolist() == pytest.approx([0.3 * grey + 0.7 * red for red in (255, 40, 40)], abs=1)


def test_boxes_of_marks_are_outlined_and_numbered():
    pixels, mask = np.full((100, 120, 3), 90, np.uint8), np.zeros((100, 120), np.uint8)
    shown = tinted(pixels, mask, [(30, 40, 70, 60)])
    yellow = (shown == (255, 210, 60)).all(axis=-1)
    rows, columns = np.nonzero(yellow)
    assert (rows.max(), columns.min(), columns.max()) == (64, 26, 74)
    assert yellow[36, 26:75].all()
    assert yellow[:36].any()  # its number
    assert not yellow[40:60, 30:70].any()
    assert (pixels == 90).all()  # the picture itself is not drawn on


def test_a_preview_keeps_transparency():
    pixels = np.full((20, 30, 3), 120, np.uint8)
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[:, :10] = 0
    picture = Picture(pixels, pixels, False, alpha, 1, "PNG")
    shown = Image.open(io.BytesIO(encoded(picture, pixels)))
    assert shown.format == "WEBP"
    assert np.array_equal(np.asarray(shown)[..., 3], alpha)
    picture.grey, picture.alpha = True, None
    shown = Image.open(io.BytesIO(encoded(picture, pixels)))
    assert shown.mode == "RGB"
