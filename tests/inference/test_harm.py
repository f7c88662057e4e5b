"""Pictures without a mark come back as they were: the shipped weights, whole pictures of up to 12 megapixels.

These are pictures that libraries ship; ``benchmarks/harm.py FOLDER`` measures your own.
"""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import skimage.data
from PIL import Image

from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.remover import open_engine

PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
    "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png",
    "retina.jpg", "rocket.jpg", "grace_hopper.jpg",
)  # fmt: skip
GRAPHICS = ("page.png", "text.png", "chessboard_RGB.png", "color.png", "horse.png", "phantom.png")
# A face, a page, and what is mistaken for a mark where it is enlarged; a street is in the picture of 2 megapixels
FEW = ("astronaut.png", "page.png", "phantom.png")


@pytest.fixture(scope="module")
def engine():
    return open_engine("general")


@cache
def benchmark():
    """``benchmarks/harm.py``, whose measures these are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        import harm

    return harm


def picture(name):
    folders = Path(skimage.data.__file__).parent, Path(matplotlib.get_data_path(), "sample_data")
    path = next(folder / name for folder in folders if (folder / name).is_file())
    return np.asarray(Image.open(path).convert("RGB"))


def harm(engine, pixels):
    """Returns the PSNR against itself in dB, and the share of pixels that changed by more than 8 levels."""
    cleaned = clean_pixels(engine, pixels).pixels
    return benchmark().psnr(cleaned, pixels), benchmark().changed(pixels, cleaned)


@pytest.mark.parametrize(
    ("scale", "chosen"),
    [
        (0.5, PHOTOGRAPHS + GRAPHICS),
        (1, PHOTOGRAPHS + GRAPHICS),
        (2, FEW),
        pytest.param(2, PHOTOGRAPHS + GRAPHICS, marks=pytest.mark.slow),
    ],
)
def test_photographs_and_graphics_come_back_as_they_were(engine, scale, chosen):
    photographs, graphics = (
        {name: harm(engine, benchmark().resized(picture(name), scale)) for name in names if name in chosen}
        for names in (PHOTOGRAPHS, GRAPHICS)
    )
    assert min(psnr for psnr, _ in photographs.values()) >= 50, photographs
    assert max(changed for _, changed in photographs.values()) <= 0.001, photographs
    # Enlarged twice, one small ellipse of the phantom is taken for a mark: 47.4 dB.
    assert min(psnr for psnr, _ in graphics.values()) >= 45, graphics
    assert max(changed for _, changed in graphics.values()) <= 0.003, graphics


@pytest.mark.parametrize(
    ("height", "width"), [(1200, 1600), pytest.param(3000, 4000, marks=pytest.mark.slow)], ids=["2", "12"]
)
def test_a_picture_of_many_megapixels_comes_back_as_it_was(engine, height, width):
    """Mirrored copies beside each other, as a camera's picture has as many things in it."""
    tile = benchmark().resized(picture("motorcycle_left.png"), 2)
    row = np.concatenate([tile, tile[:, ::-1], tile], axis=1)
    large = np.ascontiguousarray(np.concatenate([row, row[::-1], row])[:height, :width])
    assert large.shape == (height, width, 3)
    psnr, changed = harm(engine, large)
    assert psnr >= 50
    assert changed <= 0.001
