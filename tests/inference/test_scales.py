"""Large marks are found on reduced pictures; small ones are left to the picture itself."""

import numpy as np
import pytest

from wm_lightning.inference import evidence, marks, scales
from wm_lightning.inference.scales import on_reduced
from wm_lightning.inference.search import Search

pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(scales, "SMALLEST", 64)
    monkeypatch.setattr(scales, "LARGE", 12)
    monkeypatch.setattr(marks, "GAP", 2)
    monkeypatch.setattr(evidence, "seen_on_copy", lambda *arguments: arguments[4].astype(float))
    monkeypatch.setattr(scales, "WHOLE", 0.9)
    monkeypatch.setattr(scales, "BLOCK", 10)


def test_a_small_picture_needs_no_reduced_one(engine, textured):
    assert on_reduced(engine, textured(64, 40), Search(tile=48, overlap=16)) == (None, (), ())
    assert engine.seen == []


def test_what_cannot_be_enlarged_is_not_sought_there(painter, textured):
    assert on_reduced(painter, textured(300, 300), Search(tile=48, overlap=16)) == (None, (), ())
    assert painter.seen == []


def test_every_scale_is_looked_at_from_the_smallest_to_half(engine, textured):
    assert on_reduced(engine, textured(250, 100), Search(tile=1000, overlap=16)) == (None, (), ())  # there is no mark
    assert engine.seen == [(62, 25), (125, 50)]


def test_a_mark_that_is_seen_on_the_picture_itself_is_left_to_it(engine, marked):
    picture = marked(np.full((256, 256, 3), 81, np.uint8), slice(64, 160), slice(32, 160))
    assert on_reduced(engine, picture, Search(tile=1000, overlap=16)) == (None, (), ())
    assert engine.seen[-1] == (256, 256)


def test_a_mark_that_is_seen_on_reduced_pictures_alone_is_taken_away_and_a_small_one_left(shortsighted, marked):
    clean = np.full((256, 256, 3), 81, np.uint8)
    picture = marked(marked(clean, slice(64, 160), slice(32, 160)), slice(200, 208), slice(200, 208))
    found = on_reduced(shortsighted, picture, Search(tile=1000, overlap=16)).correction
    assert found.mask.shape == (128, 128, 1)
    assert found.mask[56, 48, 0] == 1  # its middle
    assert found.mask[102, 102, 0] == 0  # four pixels here, eight on the picture itself
    enlarged = found.enlarged((256, 256), slice(0, 256), slice(0, 256))
    restored = enlarged.apply(picture.astype(np.float32) / 255) * 255
    assert np.abs(restored - 81)[72:152, 40:152].max() < 0.6
    assert np.array_equal(restored[196:220, 196:220], (picture.astype(np.float32) / 255 * 255)[196:220, 196:220])


def test_a_scale_sees_what_the_one_before_has_left(shortsighted, marked):
    seen = []
    correct = shortsighted.correct

    def watch(picture):
        seen.append((picture.shape[0], bool(picture.max() > 0.6)))
        return correct(picture)

    shortsighted.correct = watch
    on_reduced(
        shortsighted,
        marked(np.full((256, 256, 3), 81, np.uint8), slice(64, 160), slice(32, 160)),
        Search(tile=1000, overlap=16),
    )
    # The mark is looked at once more, as evidence; each larger picture is looked at as it is, whether the mark is seen
    # there, then without it.
    assert seen == [(64, True), (64, True), (128, True), (128, False), (256, True)]


def test_of_two_marks_each_is_left_to_the_scale_that_sees_it(shortsighted, marked):
    clean = np.full((256, 256, 3), 81, np.uint8)
    wide, thin = (slice(16, 112), slice(16, 144)), (slice(180, 200), slice(16, 240))
    found = on_reduced(shortsighted, marked(marked(clean, *wide), *thin), Search(tile=1000, overlap=16)).correction
    assert found.mask[32, 40, 0] == 1
    assert not found.mask[80:].any()


def test_tiles_of_a_reduced_picture_are_the_whole(shortsighted, marked, textured):
    picture = marked(textured(250, 200), slice(30, 180), slice(50, 150))
    whole, tiled = (on_reduced(shortsighted, picture, Search(tile=tile, overlap=40)).correction for tile in (1000, 120))
    assert max(max(size) for size in shortsighted.seen[-8:]) <= 120
    assert whole.mask.any()
    for one, other in zip(whole, tiled, strict=True):
        assert other == pytest.approx(one, abs=2e-3)


@pytest.mark.parametrize(("side", "taken"), [(30, True), (60, False)])
def test_a_mark_that_covers_much_needs_more_evidence(engine, textured, marked, monkeypatch, side, taken):
    monkeypatch.setattr(scales, "certainties", lambda engine, tile, marks, search: np.full(len(marks.areas), 0.9))
    picture, search = marked(textured(90, 90), slice(10, 10 + side), slice(10, 10 + side)), Search(0.15)
    view = scales.View(picture)
    _, chosen, _ = scales.judged(engine, view, scales.seen(engine, view, search), search)
    assert chosen.any() == taken
