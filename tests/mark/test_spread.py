import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from tests.mark.conftest import photograph, put
from wm_lightning.mark.known import Place
from wm_lightning.mark.spread import quality_of, spread_of


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 100])
def test_the_quality_of_a_file_is_read_from_its_table(quality):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as picture:
        assert isinstance(picture, JpegImageFile)
        assert quality_of(picture.quantization[0]) == pytest.approx(quality, abs=1)


def test_how_pictures_differ(letters, tmp_path):
    paths = []
    for seed in range(8):
        strength = 1.0 if seed % 2 else 0.7
        picture = Image.fromarray(put(photograph(seed), letters, strength=strength))
        paths.append(tmp_path / (f"{seed}.png" if seed < 2 else f"{seed}.jpg"))
        picture.save(paths[-1], **({} if seed < 2 else {"quality": 90 + seed}))
    spread = spread_of(letters, paths)
    assert spread.scale == (1, 1)
    assert spread.strength == pytest.approx((0.7, 1.0), abs=0.15)
    assert spread.jpeg == 0.75
    assert spread.jpeg_quality == (92, 97)


def test_a_mark_that_grows_has_the_sizes_of_its_pictures(letters, tmp_path):
    growing = replace(letters, place=Place((0.0, 0.0), (5.0, 5.0), 100))
    paths = [tmp_path / f"{width}.png" for width in (80, 100, 150)]
    for path in paths:
        Image.fromarray(np.full((60, int(path.stem), 3), 90, np.uint8)).save(path)
    spread = spread_of(growing, paths)
    assert spread.scale == (0.8, 1.5)
    assert spread.strength == (1, 1)  # where it is on none there is nothing to measure
