"""Large marks are found on reduced pictures; small ones are left to the picture itself."""

import numpy as np
import pytest

from wm_lightning.inference import scales
from wm_lightning.inference.scales import on_reduced


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(scales, "SMALLEST", 64)
    monkeypatch.setattr(scales, "LARGE", 12)
    monkeypatch.setattr(scales, "GAP", 2)
    monkeypatch.setattr(scales, "BLOCK", 10)


def test_a_small_picture_needs_no_reduced_one(engine, textured):
    assert on_reduced(engine, textured(64, 40), 48, 16) is None
    assert engine.seen == []


def test_what_cannot_be_enlarged_is_not_sought_there(painter, textured):
    assert on_reduced(painter, textured(300, 300), 48, 16) is None
    assert painter.seen == []


def test_every_scale_is_looked_at_from_the_smallest_to_half(engine, textured):
    found = on_reduced(engine, textured(250, 100), 1000, 16)
    assert engine.seen == [(62, 25), (125, 50)]
    assert found.mask.shape == (125, 50, 1)
    assert not any(part.any() for part in found)  # there is no mark


def test_a_large_mark_is_taken_away_and_a_small_one_left(engine, textured, marked):
    clean = np.full((256, 256, 3), 81, np.uint8)
    picture = marked(marked(clean, slice(64, 128), slice(32, 160)), slice(200, 208), slice(200, 208))
    found = on_reduced(engine, picture, 1000, 16)
    assert found.mask[40, 50, 0] == 1
    assert found.mask[102, 102, 0] == 0  # four pixels here, eight on the picture itself
    enlarged = found.enlarged((256, 256), slice(0, 256), slice(0, 256))
    restored = enlarged.apply(picture.astype(np.float32) / 255) * 255
    assert np.abs(restored - 81)[72:120, 40:152].max() < 0.6
    assert np.array_equal(restored[196:220, 196:220], (picture.astype(np.float32) / 255 * 255)[196:220, 196:220])


def test_a_scale_sees_what_the_one_before_has_left(engine, marked):
    seen = []
    correct = engine.correct

    def watch(picture):
        seen.append(picture.max())
        return correct(picture)

    engine.correct = watch
    on_reduced(engine, marked(np.full((256, 256, 3), 81, np.uint8), slice(0, 256), slice(0, 256)), 1000, 16)
    assert [value > 0.6 for value in seen] == [True, False]  # the whole picture is one mark


def test_tiles_of_a_reduced_picture_are_the_whole(engine, marked, textured):
    picture = marked(textured(250, 200), slice(30, 180), slice(50, 150))
    whole, tiled = (on_reduced(engine, picture, tile, 16) for tile in (1000, 48))
    assert max(max(size) for size in engine.seen[-8:]) <= 48
    for one, other in zip(whole, tiled, strict=True):
        assert other == pytest.approx(one, abs=2e-3)
