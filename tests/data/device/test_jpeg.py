import cv2
import numpy as np
import pytest
import skimage.data
import torch

from tests.data.device.pictures import batch_of, photographs, psnr, unbatched
from wm_lightning.data.device.jpeg import compressed
from wm_lightning.data.device.levels import exact
from wm_lightning.data.synthesis.degradation import degrade
from wm_lightning.data.synthesis.spec import DegradationSpec


def ours(pictures, qualities, full_chroma=False):
    with exact(torch.device("cpu")):
        return unbatched(compressed(batch_of(pictures), qualities, full_chroma))


@pytest.mark.parametrize("full_chroma", [False, True])
@pytest.mark.parametrize("size", [64, 37])  # whole blocks, and neither whole blocks nor an even number of pixels
def test_pictures_are_those_of_libjpeg(size, full_chroma):
    pictures = photographs(50, size)
    qualities = np.linspace(20, 100, len(pictures)).round().astype(int).tolist()
    made = ours(pictures, qualities, full_chroma)
    theirs = [
        degrade(picture, DegradationSpec(jpeg=quality, full_chroma=full_chroma))
        for picture, quality in zip(pictures, qualities, strict=True)
    ]
    assert min(map(psnr, theirs, made)) > 43
    lost, as_lost = (np.array(list(map(psnr, pictures, of))) for of in (theirs, made))
    assert abs(lost.mean() - as_lost.mean()) < 0.05
    assert abs(lost.std() - as_lost.std()) < 0.05


def test_even_areas_are_equal_to_the_bit():
    levels = [np.full((16, 16, 3), level, np.uint8) for level in (0, 1, 77, 128, 200, 254, 255)]
    for quality in (5, 50, 95):
        theirs = [degrade(picture, DegradationSpec(jpeg=quality)) for picture in levels]
        np.testing.assert_array_equal(ours(levels, [quality] * len(levels)), theirs)


def test_each_picture_has_its_own_quality_whatever_is_beside_it():
    pictures = photographs(6, 40)
    together = ours(pictures, [10, 30, 50, 70, 90, 100])
    alone = [
        ours([picture], [quality])[0] for picture, quality in zip(pictures, (10, 30, 50, 70, 90, 100), strict=True)
    ]
    np.testing.assert_array_equal(together, alone)
    assert psnr(together[5], pictures[5]) > psnr(ours(pictures, [10] * 6)[5], pictures[5]) + 5


def test_what_is_coarser_than_a_block_in_colour_is_kept_and_what_is_finer_is_not():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 255, 255  # red and blue columns of one pixel, of different luminance
    halved, full = (ours([stripes], [95], full)[0] for full in (False, True))
    assert psnr(stripes, full) > psnr(stripes, halved) + 10
    smooth = cv2.GaussianBlur(skimage.data.astronaut()[:64, :64], (0, 0), 4)
    assert psnr(smooth, ours([smooth], [95])[0]) > 40
