"""The weights that come with the project, on a photograph that a library ships."""

import matplotlib
import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from wm_lightning import Remover
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.search import OVERLAP, Search
from wm_lightning.inference.tiles import ALIGN, cut
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.trained import load


@pytest.fixture(scope="module")
def photograph():
    return skimage.data.chelsea()  # 300 x 451, a cat


def lettered(pixels, size, opacity):
    """The photograph with white words across its middle."""
    layer = Image.new("RGBA", (pixels.shape[1], pixels.shape[0]))
    font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf", size)
    place = pixels.shape[1] // 8, pixels.shape[0] // 2
    ImageDraw.Draw(layer).text(place, "Sample Photo", font=font, fill=(255, 255, 255, round(255 * opacity)))
    return np.asarray(Image.alpha_composite(Image.fromarray(pixels).convert("RGBA"), layer).convert("RGB"))


def psnr(one, other):
    return -10 * np.log10(((one.astype(float) - other) ** 2).mean() / 255**2)


def test_a_text_is_found_and_taken_away(photograph):
    watermarked = lettered(photograph, 40, 0.5)
    image, mask, _ = Remover().remove(watermarked)
    assert psnr(image, photograph) > psnr(watermarked, photograph) + 10
    truth, found = (watermarked != photograph).any(axis=-1), mask > 127
    assert (truth & found).sum() > 0.95 * truth.sum()
    # F1 is low since what is found is wider than thin letters
    assert 2 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.7


def test_a_photograph_without_a_mark_keeps_every_bit(photograph):
    assert np.array_equal(Remover().remove(photograph).image, photograph)


def test_a_mark_of_half_the_width_of_a_large_picture_is_found_too(photograph):
    large = np.asarray(Image.fromarray(photograph).resize((1353, 900), Image.Resampling.LANCZOS))
    watermarked = lettered(large, 120, 0.5)
    assert psnr(Remover().remove(watermarked).image, large) > psnr(watermarked, large) + 4


def test_tiles_are_the_whole(photograph, monkeypatch):
    """By less than half a grey level away from seams, and hardly more there."""
    monkeypatch.setattr("wm_lightning.inference.torch_engine.choose_precision", lambda device: "32-true")
    engine = TorchEngine(load("general").net, "cpu")
    watermarked = lettered(np.tile(photograph, (1, 2, 1)), 60, 0.5)[:, :880].astype(np.float32) / 255
    whole, tiled = (
        clean_pixels(engine, watermarked, search=Search(sensitivity=1, tile=tile)).pixels for tile in (1024, 576)
    )
    difference = 255 * np.abs(whole - tiled).max(axis=-1)
    (first, second), overlap = cut(880, 576, OVERLAP, ALIGN), OVERLAP
    assert second.start + overlap == first.stop
    away = np.ones(880, bool)
    away[second.start : first.stop] = False
    assert difference[:, away].max() < 0.5
    assert difference.max() < 3  # where tiles fade into each other over 96 pixels, which nobody sees
    assert not np.array_equal(whole, tiled)
