"""Pixels without their marks, whatever the size and type."""

import numpy as np
import pytest

from wm_lightning.inference import scales
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.scales import on_reduced
from wm_lightning.inference.search import Search

pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")

SQUARE = slice(10, 30), slice(20, 50)


def test_the_mark_goes_and_nothing_else_changes(engine, textured, marked):
    clean = textured(60, 70)
    picture = marked(clean, *SQUARE)
    cleaned = clean_pixels(engine, picture)
    assert np.abs(cleaned.pixels.astype(int) - clean).max() <= 1  # the blend was rounded
    outside = np.ones((60, 70), bool)
    outside[SQUARE] = False
    assert np.array_equal(cleaned.pixels[outside], picture[outside])
    assert np.array_equal(cleaned.mask, np.where(outside, 0, 255))
    assert cleaned.pixels.dtype == cleaned.mask.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_pixels_keep_their_depth(engine, textured, marked, dtype):
    deep = textured(40, 60).astype(np.uint16) * 257 + 13
    picture = marked(deep, *SQUARE)
    if dtype == np.float32:
        deep, picture = deep.astype(np.float32) / 65535, picture.astype(np.float32) / 65535
    cleaned = clean_pixels(engine, picture)
    assert cleaned.pixels.dtype == dtype
    assert cleaned.pixels[SQUARE] == pytest.approx(deep[SQUARE], abs=2 if dtype == np.uint16 else 3e-5)
    assert np.array_equal(cleaned.pixels[:10], picture[:10])


def test_tiles_leave_no_seam(engine, textured, marked):
    picture = marked(textured(230, 190), slice(0, 230), slice(0, 190))
    whole = clean_pixels(engine, picture, search=Search(tile=1000, overlap=16))
    engine.seen.clear()
    tiled = clean_pixels(engine, picture, search=Search(tile=112, overlap=16))
    assert len(engine.seen) > 9
    assert max(max(size) for size in engine.seen) <= 112
    assert np.array_equal(tiled.pixels, whole.pixels)
    assert np.array_equal(tiled.mask, whole.mask)


def test_pixels_change_only_where_and_as_far_as_they_may(engine, textured, marked):
    clean = textured(60, 70)
    picture = marked(clean, *SQUARE)
    allowed = np.zeros((60, 70), np.float32)
    assert np.array_equal(clean_pixels(engine, picture, allowed).pixels, picture)
    assert not clean_pixels(engine, picture, allowed).mask.any()
    allowed[:, :35] = 1
    cleaned = clean_pixels(engine, picture, allowed).pixels
    assert np.array_equal(cleaned[:, 35:], picture[:, 35:])
    assert np.array_equal(cleaned[:, :35], clean_pixels(engine, picture).pixels[:, :35])


def test_strength_is_how_much_of_the_mark_goes(engine, textured, marked):
    clean = textured(60, 70)
    picture = marked(clean, *SQUARE)
    half = clean_pixels(engine, picture, strength=0.5).pixels.astype(int)
    assert np.abs(half - (picture.astype(int) + clean) / 2)[SQUARE].max() <= 1.5
    none = clean_pixels(engine, picture, strength=0.0)
    assert np.array_equal(none.pixels, picture)
    assert none.marks == ()


def test_marks_are_judged_whole_and_told_where_they_may_go(engine, textured, marked, monkeypatch):
    """What a user's mask cuts off a mark does not make it another."""
    picture = marked(marked(textured(60, 140), *SQUARE), slice(10, 50), slice(100, 120))
    whole = clean_pixels(engine, picture).marks
    assert len(whole) == 2
    allowed = np.zeros((60, 140), np.float32)
    assert clean_pixels(engine, picture, allowed).marks == ()
    allowed[20:30, 30:34] = 1
    cleaned = clean_pixels(engine, picture, allowed)
    (touched,) = (mark for mark in whole if mark.box[0] < 34 < mark.box[2])
    assert cleaned.marks == (touched._replace(box=(30, 20, 34, 30), pixels=40),)
    assert np.array_equal((cleaned.pixels != picture).any(axis=-1), allowed > 0)


def test_a_mark_on_a_reduced_picture_is_taken_from_the_picture_itself(shortsighted, textured, marked, monkeypatch):
    """What the smaller scale found is applied to full detail; what it left is seen at full size."""
    monkeypatch.setattr(scales, "SMALLEST", 32)
    monkeypatch.setattr(scales, "WHOLE", 0.9)
    monkeypatch.setattr(scales, "LARGE", 12)
    clean = textured(120, 120)
    picture = marked(clean, slice(20, 100), slice(20, 100))
    assert on_reduced(shortsighted, picture, Search()).correction is not None
    cleaned = clean_pixels(shortsighted, picture)
    assert shortsighted.seen[0] == (30, 30)
    inner = slice(28, 92), slice(28, 92)
    assert np.abs(cleaned.pixels.astype(int) - clean)[inner].max() <= 1
    assert (cleaned.mask[inner] == 255).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2)])
def test_the_smallest_pictures(engine, textured, size):
    picture = textured(*size)
    assert np.array_equal(clean_pixels(engine, picture).pixels, picture)


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (4, 4)])
def test_marks_that_fill_the_smallest_pictures(engine, textured, size):
    clean = textured(*size)
    cleaned = clean_pixels(engine, np.rint(0.5 * clean + 127.5).astype(np.uint8))
    assert np.abs(cleaned.pixels.astype(int) - clean).max() <= 1
    assert [mark.pixels for mark in cleaned.marks] == [size[0] * size[1]]
