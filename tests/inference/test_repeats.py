"""What looks like a sure mark is one too, wherever it lies; what looks otherwise stays as doubtful as it was."""

import cv2
import numpy as np
import pytest

from wm_lightning.inference import scales
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.marks import find_marks
from wm_lightning.inference.pixels import as_map
from wm_lightning.inference.repeats import with_repeats
from wm_lightning.inference.search import Search

SEARCH = Search()


def letters(text, height=40, width=80):
    """Where letters are, (height, width) bool."""
    drawn = np.zeros((height, width), np.uint8)
    cv2.putText(drawn, text, (6, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 4)
    return drawn > 127


@pytest.fixture
def written(textured, marked):
    """A picture with marks: words by their top left corners."""

    def make(words, size=(200, 300)):
        picture = textured(*size)
        where = np.zeros(size, bool)
        for (top, left), word in words.items():
            shape = letters(word)
            down, across = (
                min(side, whole - start) for side, whole, start in zip(shape.shape, size, (top, left), strict=True)
            )
            where[top : top + down, left : left + across] |= shape[:down, :across]
        return np.where(where[..., None], marked(picture, slice(None), slice(None)), picture)

    return make


def certainties_of(engine, picture, given, search=SEARCH):
    """Returns each mark's certainty by its box's corner, rounded to tens, once repetitions are told."""
    floats = picture.astype(np.float32) / 255
    marks = find_marks(as_map(engine.correct(floats).mask[..., 0]))
    corners = [(round(int(top), -1), round(int(left), -1)) for left, top, _, _ in marks.boxes]
    certainty = np.array([0.0, *(given[corner] for corner in corners[1:])])
    least = np.full(len(certainty), 0.88)
    raised = with_repeats(engine, lambda rows, columns: floats[rows, columns], marks, certainty, least, search)
    return dict(zip(corners[1:], raised[1:], strict=True))


def test_a_repetition_is_as_sure_as_what_it_repeats_and_another_word_stays(engine, written):
    picture = written({(10, 10): "Rana", (110, 150): "Rana", (10, 190): "x7y"})
    given = {(20, 20): 0.93, (120, 160): 0.7, (20, 200): 0.7}
    assert certainties_of(engine, picture, given) == {**given, (120, 160): 0.93}


def test_the_part_of_a_mark_that_the_edge_leaves_is_its_repetition(engine, written):
    picture = written({(10, 10): "Rana", (110, 250): "Rana"})
    given = {(20, 20): 0.93, (120, 260): 0.7}
    assert certainties_of(engine, picture, given)[120, 260] == 0.93


@pytest.mark.parametrize(("sure", "doubtful"), [(0.87, 0.7), (0.93, 0.49)])
def test_nothing_is_surer_without_a_sure_mark_nor_what_is_hardly_one(engine, written, sure, doubtful):
    picture = written({(10, 10): "Rana", (110, 150): "Rana"})
    given = {(20, 20): sure, (120, 160): doubtful}
    before = len(engine.seen)
    assert certainties_of(engine, picture, given) == given
    assert len(engine.seen) == before + 1, "the network was asked for nothing"


def test_what_repeats_a_repetition_is_one_too(engine, written):
    given = {(20, 20): 0.93, (120, 20): 0.6, (20, 200): 0.7}
    halves = {(10, 10): "Ra", (10, 190): "7y"}
    assert certainties_of(engine, written(halves), {(20, 20): 0.93, (20, 200): 0.7})[20, 200] == 0.7
    assert set(certainties_of(engine, written({**halves, (110, 10): "Ra7y"}), given).values()) == {0.93}


def test_thin_strips_say_nothing_of_each_other(engine, textured, marked):
    picture = marked(marked(textured(200, 300), slice(10, 15), slice(10, 80)), slice(110, 115), slice(150, 220))
    given = {(10, 10): 0.93, (110, 150): 0.7}
    assert certainties_of(engine, picture, given) == given
    thicker = marked(marked(textured(200, 300), slice(10, 20), slice(10, 80)), slice(110, 120), slice(150, 220))
    assert certainties_of(engine, thicker, given)[110, 150] == 0.93


def test_marks_that_are_longer_than_what_the_network_is_shown_are_left_alone(engine, written):
    picture = written({(10, 10): "Rana", (110, 150): "Rana"})
    given = {(20, 20): 0.93, (120, 160): 0.7}
    assert certainties_of(engine, picture, given, Search(tile=256)) == given


@pytest.mark.usefixtures("_what_is_seen_is_certain")
def test_a_tiling_of_which_one_mark_is_sure_is_taken_away(engine, written, textured, monkeypatch):
    words = {(10, 10): "Rana", (110, 150): "Rana", (10, 190): "x7y"}
    picture = written(words)

    def judged_apart(engine, tile, marks, search):
        return np.array([0.0, *(0.95 if left < 50 else 0.7 for left, *_ in marks.boxes[1:])])

    monkeypatch.setattr(scales, "certainties", judged_apart)
    cleaned = clean_pixels(engine, picture, search=Search(scales=1))
    clean = textured(200, 300)
    assert np.abs(cleaned.pixels[:, :150].astype(int) - clean[:, :150]).max() <= 1
    assert np.abs(cleaned.pixels[100:].astype(int) - clean[100:]).max() <= 1
    assert np.array_equal(cleaned.pixels[:60, 190:], picture[:60, 190:])
    assert [mark.certainty for mark in cleaned.marks] == [0.95, 0.95]
