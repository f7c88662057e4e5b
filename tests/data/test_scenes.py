import unicodedata

import cv2
import hydra
import numpy as np
import pytest
from hydra.utils import instantiate

from wm_lightning.data import Augmentation, scenes
from wm_lightning.data.pen import Pen
from wm_lightning.data.scenes import KINDS, Scenes
from wm_lightning.data.synthesis.assets import characters_of
from wm_lightning.errors import UserError
from wm_lightning.files import CONF


def photograph(height=64, width=96):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def drawn(kind, seed, picture):
    return Scenes({kind: 1}, p=1).apply(picture, seed=seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(64, 96), (96, 64), (128, 128)])
def test_each_kind_is_drawn_on_a_picture_of_any_shape_and_equal_seeds_draw_the_same(kind, size):
    picture = photograph(*size)
    before = picture.copy()
    drawings = [drawn(kind, seed, picture) for seed in range(8)]
    assert np.array_equal(picture, before)
    assert all(scene.shape == picture.shape and scene.dtype == np.uint8 for scene in drawings)
    assert all(not np.array_equal(scene, picture) for scene in drawings)
    assert all(np.array_equal(scene, drawn(kind, seed, picture)) for seed, scene in enumerate(drawings))
    assert len({scene.tobytes() for scene in drawings}) > 6  # two frames may be alike


def test_a_page_is_mostly_paper():
    for seed in range(8):
        page = drawn("page", seed, np.full((128, 128, 3), 90, np.uint8))
        _, counts = np.unique(page.reshape(-1, 3), axis=0, return_counts=True)
        assert counts.max() > 0.3 * 128 * 128


def test_a_sign_leaves_the_rest_of_the_scene_to_the_bit():
    picture = photograph(128, 128)
    shares = [(drawn("sign", seed, picture) == picture).all(axis=-1).mean() for seed in range(20)]
    assert min(shares) > 0.05
    assert 0.3 < np.mean(shares) < 0.95


def test_a_frame_leaves_the_middle():
    picture = photograph()
    for seed in range(8):
        assert np.array_equal(drawn("frame", seed, picture)[24:40, 36:60], picture[24:40, 36:60])


def test_as_many_pictures_as_asked_for_get_one():
    augmentation = Augmentation(after_crop=[Scenes(p=0.25)])
    picture = photograph(64, 64)
    changed = [
        not np.array_equal(augmentation(picture, 64, np.random.default_rng(seed)), picture) for seed in range(200)
    ]
    assert 0.15 < np.mean(changed) < 0.35


@pytest.mark.parametrize("kind", ["page", "screen", "poster", "drawing", "diagram"])
def test_nothing_is_drawn_over_a_photograph(kind):
    """That would be a mark: a photograph on a page is whole."""
    for seed in range(20):
        # A blue that no other part is likely to have, and that smoothing and reducing leave as it is.
        scene = drawn(kind, seed, np.full((96, 128, 3), (3, 7, 251), np.uint8))
        blue = (scene == (3, 7, 251)).all(axis=-1)
        if blue.mean() > 0.05:
            rows, columns = np.flatnonzero(blue.any(axis=1)), np.flatnonzero(blue.any(axis=0))
            assert blue[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), seed


def test_a_cartoon_has_few_colours():
    picture = np.asarray(cv2.resize(photograph(16, 16), (128, 128), interpolation=cv2.INTER_CUBIC))
    for seed in range(8):
        colours = np.unique(drawn("cartoon", seed, picture).reshape(-1, 3), axis=0, return_counts=True)[1]
        assert np.sort(colours)[-25:].sum() > 0.6 * 128 * 128  # the rest are edges, which are smoothed


def test_pages_are_written_in_several_scripts(monkeypatch):
    pens = []
    monkeypatch.setattr(scenes, "Pen", lambda *arguments: pens.append(Pen(*arguments)) or pens[-1])
    for seed in range(60):
        drawn("page", seed, photograph())
    written = {unicodedata.name(letter).split()[0] for pen in pens for letter in pen.alphabet}
    assert {"ARABIC", "CYRILLIC", "HIRAGANA"} < written
    assert 0.1 < np.mean([bool(pen.alphabet) for pen in pens]) < 0.5
    assert all({ord(letter) for letter in pen.alphabet} <= characters_of(pen.fonts[0]) for pen in pens)


def test_an_unknown_kind_is_refused():
    with pytest.raises(UserError, match=r"Scenes\.kinds: billboard unknown; choose from page, sign"):
        Scenes({"billboard": 1})


def test_the_configured_augmentation_makes_equal_pictures_of_equal_generators():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", ["experiment=real", "data.root=/nowhere", "data.size=48"])
    augmentation = instantiate(config.augment)
    picture = photograph(200, 160)
    one, same, other = (augmentation(picture, 48, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (48, 48, 3)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
