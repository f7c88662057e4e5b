"""A mark is seen again on copies of the picture, and what lies beneath it goes on."""

import numpy as np
import pytest

from tests.inference.conftest import FlatMark
from wm_lightning.inference import evidence
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.copies import COPIES, seen_again
from wm_lightning.inference.evidence import certainties, gather
from wm_lightning.inference.marks import find_marks
from wm_lightning.inference.pixels import as_map
from wm_lightning.inference.search import Search
from wm_lightning.inference.traits import Traits

pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")

FITTED = evidence.OTHERS  # before conftest.py puts others in their place


@pytest.fixture
def _fitted(monkeypatch, _what_is_seen_is_certain):
    monkeypatch.setattr(evidence, "OTHERS", FITTED)


def tiles_of(picture):
    def tile(rows, columns):
        return picture[rows, columns]

    return tile


def found(engine, picture):
    """Returns a picture's tiles, and the marks in it."""
    picture = picture.astype(np.float32) / 255
    mask = engine.correct(picture).mask[..., 0]
    return tiles_of(picture), find_marks(as_map(mask))


def test_the_traits_of_a_known_mark(engine, textured, marked):
    clean = textured(60, 70)
    picture = marked(clean, slice(10, 30), slice(20, 50))
    tile, marks = found(engine, picture)
    traits = gather(engine, tile, marks, Search())
    floats = picture / 255
    where = marks.numbers() == 1
    seen = [where, *(seen_again(engine, on_copy, floats.astype(np.float32)) for on_copy in COPIES)]
    assert traits.seen[1] == pytest.approx(np.mean([one[where].mean() for one in seen]))
    assert traits.certain[1] == 1
    assert traits.painted[1] == 0
    change = np.abs(picture.astype(int) - clean).max(axis=-1)[10:30, 20:50].mean() / 255
    assert np.exp(traits.change[1]) == pytest.approx(change + 0.003, rel=0.01)
    assert traits.beneath[1] == pytest.approx(clean[11:29, 21:49].mean(axis=-1).std() / 255, rel=0.02)
    # Along a straight edge of a step s the two pixels beside it have the slope s / 2; the border is these two.
    step = (picture[10:30, 20:50].mean() - clean.mean()) / 255
    assert np.exp(traits.edge[1]) == pytest.approx(step / 2, rel=0.1)
    noise = np.exp(traits.texture[1] + traits.edge[1])
    assert 0.2 < noise / (clean.std() / 255) < 0.6  # of independent pixels, about 0.35 of their deviation


@pytest.mark.usefixtures("_fitted")
def test_a_steeper_border_and_a_flat_rest_speak_against_a_mark(engine, textured, marked):
    places = slice(10, 30), slice(20, 50)
    rough, flat = (marked(picture, *places) for picture in (textured(60, 70), np.full((60, 70, 3), 90, np.uint8)))
    (tile, marks), (flat_tile, flat_marks) = found(engine, rough), found(engine, flat)
    on_texture, on_paper = (certainties(engine, *one, Search())[1] for one in ((tile, marks), (flat_tile, flat_marks)))
    assert on_paper < on_texture - 0.05


@pytest.mark.usefixtures("_fitted")
def test_a_mark_that_fills_the_picture_is_no_surer_than_one_within(engine, textured, marked):
    within = found(engine, marked(textured(60, 70), slice(10, 30), slice(20, 50)))
    whole = found(engine, marked(textured(60, 70), slice(None), slice(None)))
    surest, sure = (certainties(engine, tile, marks, Search())[1] for tile, marks in (whole, within))
    assert surest < sure + 0.05


def test_what_is_painted_is_told_from_what_shines_through(painter, engine, textured, marked):
    tile, marks = found(engine, marked(textured(60, 70), slice(10, 30), slice(20, 50)))
    assert gather(painter, tile, marks, Search()).painted[1] == pytest.approx(1)
    assert gather(engine, tile, marks, Search()).painted[1] == 0


@pytest.mark.usefixtures("_fitted")
def test_of_an_engine_that_paints_alone_what_it_sees_counts(painter, textured, marked):
    tile, marks = found(painter, marked(textured(60, 70), slice(10, 30), slice(20, 50)))
    seen = gather(painter, tile, marks, Search()).seen
    assert 0.9 < seen[1] < 1
    assert certainties(painter, tile, marks, Search()) == pytest.approx([0, seen[1]])


def test_a_mark_is_as_sure_as_the_network_is_on_all_copies(fickle, engine, textured, marked):
    tile, marks = found(engine, marked(textured(60, 70), slice(10, 30), slice(20, 50)))
    assert certainties(engine, tile, marks, Search())[1] > 0.95
    # Of the picture and four copies, two have another width.
    assert certainties(fickle(70), tile, marks, Search(sensitivity=1)) == pytest.approx([0, 0.6], abs=0.02)


def test_the_surest_other_mark_is_a_trait(engine, textured, marked):
    alone = marked(textured(60, 140), slice(10, 30), slice(20, 50))
    tile, marks = found(engine, alone)
    assert gather(engine, tile, marks, Search()).other.tolist() == [1, 0]
    tile, marks = found(engine, marked(alone, slice(20, 50), slice(90, 120)))
    assert gather(engine, tile, marks, Search()).other.tolist() == [1, 1, 1]


class Recognising(FlatMark):
    """Recognises marks in the left half of a picture of 140 pixels by ``SAID``, and no others."""

    SAID = 3.0

    def correct(self, picture):
        found = super().correct(picture)
        said = np.full_like(found.mask, -self.SAID)
        said[:, :70] = self.SAID
        return found._replace(recognition=said)


def test_what_features_say_of_a_marks_pixels_counts_as_it_was_fitted(monkeypatch, textured, marked):
    weights = dict.fromkeys(Traits._fields, 0) | {"recognised": 0.5}
    monkeypatch.setattr(evidence, "RECOGNISING", evidence.Weights(weights, -0.5))
    picture = marked(marked(textured(60, 140), slice(10, 30), slice(20, 50)), slice(20, 50), slice(90, 120))
    tile, marks = found(Recognising(), picture)
    assert gather(Recognising(), tile, marks, Search()).recognised[1:].tolist() == [3, -3]
    # Log-odds of 0.5 * 3 - 0.5 and of -0.5 * 3 - 0.5; of what is no mark, 0
    assert certainties(Recognising(), tile, marks, Search()) == pytest.approx([0, 0.7311, 0.1192], abs=1e-4)


def test_tiles_are_judged_together(engine, textured, marked):
    tile, marks = found(engine, marked(textured(230, 190), slice(20, 200), slice(10, 180)))
    whole, tiled = (gather(engine, tile, marks, search) for search in (Search(), Search(tile=96, overlap=32)))
    assert whole.recognised is None
    for name, one, other in zip(whole._fields[:-1], whole[:-1], tiled[:-1], strict=True):
        assert one[1] == pytest.approx(other[1], abs=0.06), name


def test_a_mark_that_cannot_be_sure_enough_is_not_looked_for_on_copies(monkeypatch, engine, textured, marked):
    tile, marks = found(engine, marked(textured(60, 70), slice(10, 30), slice(20, 50)))
    monkeypatch.setattr(evidence, "OTHERS", evidence.OTHERS._replace(constant=-9))
    sure = certainties(engine, tile, marks, Search(sensitivity=1))[1]
    engine.seen.clear()
    assert sure < certainties(engine, tile, marks, Search(sensitivity=0.5))[1] < 0.5
    assert engine.seen[1:] == []


def test_a_mark_that_one_copy_makes_too_unsure_is_not_looked_for_on_the_next(fickle, textured, marked):
    engine = fickle(70)  # does not see it on the first copy, which has another width
    tile, marks = found(engine, marked(textured(60, 70), slice(10, 30), slice(20, 50)))
    engine.seen.clear()
    assert certainties(engine, tile, marks, Search(sensitivity=0.1))[1] == pytest.approx(0.8, abs=0.02)
    assert engine.seen[1:] == [(45, 52)]


def test_where_no_mark_is_nothing_is_looked_at(engine, textured):
    tile, marks = found(engine, textured(60, 70))
    engine.seen.clear()
    assert certainties(engine, tile, marks, Search()).tolist() == [0]
    assert engine.seen == []


def test_what_is_seen_on_few_copies_stays_to_the_bit(fickle, textured, marked):
    picture = marked(textured(60, 70), slice(10, 30), slice(20, 50))
    cleaned = clean_pixels(fickle(70), picture)
    assert np.array_equal(cleaned.pixels, picture)
    assert not cleaned.mask.any()
    assert cleaned.marks == ()


def test_a_sensitivity_of_1_takes_it_away(fickle, engine, textured, marked):
    picture = marked(textured(60, 70), slice(10, 30), slice(20, 50))
    cleaned = clean_pixels(fickle(70), picture, search=Search(sensitivity=1))
    assert np.array_equal(cleaned.pixels, clean_pixels(engine, picture).pixels)
    assert [(mark.box, mark.pixels) for mark in cleaned.marks] == [((20, 10, 50, 30), 600)]
    assert cleaned.marks[0].certainty == pytest.approx(0.6, abs=0.02)
