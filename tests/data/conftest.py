import random
from functools import partial

import albumentations as A
import numpy as np
import pytest
import torch
from PIL import Image

from wm_lightning.data import Augmentation, PairedDataModule
from wm_lightning.data.synthesis import MarkSampler, Synthesizer, TextSampler

SHAPES = [(48, 40), (40, 48), (37, 31), (64, 33), (20, 50), (33, 33)]


def save_photographs(folder, count, suffix=".png"):
    """Smooth pictures with some noise, each different; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        generator = np.random.default_rng(number)
        height, width = SHAPES[number % len(SHAPES)]
        coarse = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
        noisy = smooth + generator.integers(-8, 9, smooth.shape)
        names.append(f"photo{number:02d}{suffix}")
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / names[-1])
    return names


# Moves whole pixels only, so that what is true of the files stays true of the crops.
FLIPS = Augmentation(
    before_crop=[A.RandomRotate90(p=0.5)], after_crop=[A.HorizontalFlip(p=0.5), A.RandomGamma(p=1), A.ToGray(p=1)]
)
# Watermarked, clean and mask of each layout. The suffixes of plain differ, the logo's name has the separator in it.
PAIR_FILES = {
    "clwd": ("{s}/Watermarked_image/{n}.jpg", "{s}/Watermark_free_image/{n}.jpg", "{s}/Mask/{n}.png"),
    "lvw": ("{s}/image/{n}.png", "{s}/background/{n}.png", "{s}/mask/{n}.png"),
    "logo": ("{s}_images/image/{n}_{s}-Co-Op-7.png", "natural/{n}_{s}.jpg", "{s}_images/mask/{n}_{s}-Co-Op-7.png"),
    "plain": ("{s}/watermarked/{n}.png", "{s}/clean/{n}.bmp", "{s}/mask/{n}.png"),
}


def draw_pair(number, height=37, width=31):
    """A smooth picture, the same with a brighter rectangle anywhere, and where that is."""
    generator = np.random.default_rng(number)
    coarse = Image.fromarray(generator.integers(0, 180, (3, 3, 3), dtype=np.uint8))
    clean = np.array(coarse.resize((width, height), Image.Resampling.BILINEAR))
    top, left = generator.integers(0, (height // 2, width // 2))
    mask = np.zeros((height, width), dtype=bool)
    mask[top : top + height // 3, left : left + width // 4] = True
    return clean + np.uint8(60) * mask[..., None], clean, mask


@pytest.fixture
def save_pairs(tmp_path):
    """Writes a small copy of a data set, ``counts`` being pairs by stage folder; returns its folder."""

    def save(layout, counts, shape=(37, 31)):
        for stage, count in counts.items():
            for number in range(count):
                watermarked, clean, mask = draw_pair(number, *shape)
                pictures = (watermarked, clean, np.uint8(255) * mask)
                for pattern, pixels in zip(PAIR_FILES[layout], pictures, strict=True):
                    path = tmp_path / "pairs" / pattern.format(s=stage, n=f"{number:03d}")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    lossy = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
                    Image.fromarray(pixels).save(path, **lossy)
        return tmp_path / "pairs"

    return save


@pytest.fixture
def make_paired():
    """Builds a data module of real pairs."""

    def make(root, layout="plain", augment=FLIPS, **options):
        return PairedDataModule(
            root=str(root), layout=layout, augment=augment, **{"size": 16, "batch_size": 4, "num_workers": 0, **options}
        )

    return make


@pytest.fixture
def photographs(tmp_path):
    """A folder with 20 small photographs."""
    save_photographs(tmp_path / "photos", 20)
    return tmp_path / "photos"


@pytest.fixture(scope="session")
def synthesizer():
    phrases = {"English": ["Sample", "Copyright"], "Russian": ["Образец"]}
    kinds = {"text": 0.6, "line": 0.1, "rectangle": 0.2, "circle": 0.1}
    return Synthesizer(partial(MarkSampler, kinds=kinds, text=partial(TextSampler, phrases=phrases)))


@pytest.fixture
def global_random_state():
    """Call it before and after: equal where nobody used the global generators."""

    def state():
        numpy_state = np.random.get_state()  # noqa: NPY002 - it is what must stay untouched
        return random.getstate(), numpy_state[1].tolist(), numpy_state[2:], torch.get_rng_state().tolist()

    return state
