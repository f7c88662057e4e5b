"""A mark is one on every copy of a picture but one."""

import numpy as np
import pytest

from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.evidence import certainties, on_copies
from wm_lightning.inference.marks import find_marks
from wm_lightning.inference.search import Search


def test_the_copies_show_the_mark_at_its_place(engine, textured, marked):
    picture = marked(textured(64, 80), slice(8, 40), slice(12, 50)).astype(np.float32) / 255
    copies = list(on_copies(engine, picture))
    assert engine.seen == [(64, 80), (64, 80), (64, 80), (48, 60), (83, 104)]
    for seen in copies:
        assert seen.shape == (64, 80)
        assert (seen[10:38, 14:48] > 0.9).all()
        assert (seen[48:] < 0.1).all()
        assert (seen[:, 56:] < 0.1).all()


def test_a_mark_is_as_sure_as_on_the_copy_where_it_is_least_but_one(fickle, engine, textured, marked):
    picture = marked(textured(60, 70), slice(10, 30), slice(20, 50))
    marks = find_marks(np.rint(engine.correct(picture.astype(np.float32) / 255).mask[..., 0] * 255).astype(np.uint8))

    def tile(rows, columns):
        return picture[rows, columns].astype(np.float32) / 255

    where = marks.numbers() > 0
    least, second, *_ = sorted(seen[where].mean() for seen in on_copies(engine, tile(slice(None), slice(None))))
    assert 0.85 < least < second < 1
    assert certainties(engine, tile, marks, Search()) == pytest.approx([0, second])
    assert certainties(fickle(70), tile, marks, Search()) == pytest.approx([0, 0])


def test_tiles_are_judged_together(engine, textured, marked):
    picture = marked(textured(230, 190), slice(20, 200), slice(10, 180))
    mask = np.rint(engine.correct(picture.astype(np.float32) / 255).mask[..., 0] * 255).astype(np.uint8)

    def tile(rows, columns):
        return picture[rows, columns].astype(np.float32) / 255

    found = certainties(engine, tile, find_marks(mask), Search(tile=96, overlap=32))
    assert found == pytest.approx([0, 1], abs=0.03)


def test_what_is_seen_on_the_picture_alone_stays_to_the_bit(fickle, textured, marked):
    picture = marked(textured(60, 70), slice(10, 30), slice(20, 50))
    cleaned = clean_pixels(fickle(70), picture)
    assert np.array_equal(cleaned.pixels, picture)
    assert not cleaned.mask.any()
    assert cleaned.marks == ()


def test_a_sensitivity_of_1_takes_it_away(fickle, engine, textured, marked):
    picture = marked(textured(60, 70), slice(10, 30), slice(20, 50))
    cleaned = clean_pixels(fickle(70), picture, search=Search(sensitivity=1))
    assert np.array_equal(cleaned.pixels, clean_pixels(engine, picture).pixels)
    assert [(mark.box, mark.certainty, mark.pixels) for mark in cleaned.marks] == [((20, 10, 50, 30), 0, 600)]
