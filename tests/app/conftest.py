"""A photograph with a mark, and a cleaner with the weights that come with the project."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from skimage.data import chelsea

from wm_lightning.app.work import Cleaner
from wm_lightning.inference.command import predict


@pytest.fixture(scope="session")
def marked():
    """A photograph, (220, 320, 3), with letters of half opacity on it."""
    photo = Image.fromarray(chelsea()).crop((60, 40, 380, 260)).convert("RGBA")
    layer = Image.new("RGBA", photo.size, (255, 255, 255, 0))
    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf"), 26)
    ImageDraw.Draw(layer).text((48, 96), "SAMPLE PHOTO", font=font, fill=(255, 255, 255, 140))
    return np.asarray(Image.alpha_composite(photo, layer).convert("RGB"))


@pytest.fixture(scope="session")
def cleaner():
    return Cleaner(["general"], device="cpu", max_megapixels=4)


@pytest.fixture
def predicted(tmp_path):
    """What ``predict.py`` writes for a file: its bytes, and those of its mask."""

    def run(source, *options):
        out = tmp_path / "predicted"
        assert (
            predict([str(source), "-o", str(out), "--save-mask", "--device", "cpu", "--quiet", "--overwrite", *options])
            == 0
        )
        return (out / source.name).read_bytes(), (out / f"{source.stem}.mask.png").read_bytes()

    return run
