import random
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

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
