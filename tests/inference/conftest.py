"""Engines whose corrections are known, so that what a remover makes of them can be computed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wm_lightning.inference import cleaner, evidence
from wm_lightning.inference.command import predict
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.traits import Traits

BRIGHT = 0.6  # what FlatMark takes for a mark
ALPHA = 0.5
SQUARE = slice(10, 30), slice(20, 50)  # where pictures that are saved have their mark


class FlatMark:
    """Knows one mark: white of half opacity on darker pictures; takes it away exactly. Keeps the sizes it saw."""

    knows_layers = True

    def __init__(self):
        self.seen = []

    def correct(self, picture):
        self.seen.append(picture.shape[:2])
        mask = (picture[..., :1] > BRIGHT).astype(np.float32)
        # x = (1 - a) c + a  gives  c = x / (1 - a) - a / (1 - a)
        gain = np.repeat(mask * (1 / (1 - ALPHA) - 1), 3, axis=-1)
        return Correction(gain, np.repeat(-mask * ALPHA / (1 - ALPHA), 3, axis=-1), mask)


class Shortsighted(FlatMark):
    """Sees of a mark what lies at most REACH pixels from its edge."""

    REACH = 12

    def correct(self, picture):
        found = super().correct(picture)
        kernel = np.ones((2 * self.REACH + 1, 2 * self.REACH + 1), np.uint8)
        return found.limited(1 - cv2.erode(found.mask[..., 0], kernel)[..., None])


class Fickle(FlatMark):
    """Sees marks on a picture of one width alone, its copies of that width included; what it sees is no mark."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def correct(self, picture):
        found = super().correct(picture)
        return found if picture.shape[1] == self.width else found.limited(np.zeros_like(found.mask))


class Painter(FlatMark):
    """Paints over marks; does not know what shines through."""

    knows_layers = False

    def correct(self, picture):
        mask = super().correct(picture).mask
        return Correction(np.repeat(-mask, 3, axis=-1), np.repeat(mask * 0.25, 3, axis=-1), mask)


@pytest.fixture
def _what_is_seen_is_certain(monkeypatch):
    """What these engines know nothing of, textures and edges, decides nothing here."""
    only_seen = evidence.Weights(dict.fromkeys(Traits._fields, 0) | {"seen": 1}, 0)
    monkeypatch.setattr(evidence, "OTHERS", only_seen)


@pytest.fixture
def engine():
    return FlatMark()


@pytest.fixture
def shortsighted():
    return Shortsighted()


@pytest.fixture
def fickle():
    return Fickle


@pytest.fixture
def painter():
    return Painter()


@pytest.fixture
def textured():
    """Makes pictures darker than FlatMark's marks, (H, W, channels)."""

    def make(height, width, channels=3, seed=0):
        return np.random.default_rng(seed).integers(60, 120, (height, width, channels)).astype(np.uint8)

    return make


@pytest.fixture
def marked():
    """Puts FlatMark's mark on rows and columns of a picture."""

    def make(clean, rows, columns):
        picture = clean.copy()
        top = np.iinfo(clean.dtype).max
        picture[rows, columns, :3] = np.rint((1 - ALPHA) * clean[rows, columns, :3] + ALPHA * top)
        return picture

    return make


@pytest.fixture
def run(engine, tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder with a network that is known; returns status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    opened = []

    def open_engine(*arguments):
        opened.append(arguments)
        return engine

    monkeypatch.setattr(cleaner, "open_engine", open_engine)

    def call(*arguments):
        capsys.readouterr()
        status = predict(arguments)
        said = capsys.readouterr()
        return status, said.out, said.err

    setattr(call, "opened", opened)  # noqa: B010 - a function has no such attribute to a type checker
    return call


@pytest.fixture
def save(textured, marked):
    """Saves a marked picture; returns it without the mark and with it."""

    def save_one(path, mark=True):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        clean = textured(40, 60)
        picture = marked(clean, *SQUARE) if mark else clean
        Image.fromarray(picture).save(path)
        return clean, picture

    return save_one
