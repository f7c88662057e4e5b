import gc
import weakref
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from wm_lightning.data.synthesis import assets
from wm_lightning.data.synthesis.lettering import SMALLEST_FONT, _piece, font_size, write

SANS, SERIF, ITALIC, ARABIC = (
    "NotoSans-Regular.ttf", "NotoSerif-Regular.ttf", "NotoSerif-Italic.ttf", "NotoNaskhArabic-Regular.ttf"
)  # fmt: skip


def trimmed(plane):
    """Without empty rows and columns at its sides."""
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    return plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def roomy(text, name, size):
    """The text drawn by Pillow at once, with room on all sides."""
    image = Image.new("L", (1600, 600))
    ImageDraw.Draw(image).text((200, 200), text, fill=255, font=ImageFont.truetype(assets.BUNDLED / name, size))
    return trimmed(np.asarray(image))


@pytest.mark.parametrize("name", [SANS, SERIF, ITALIC, "NotoSans-BoldItalic.ttf"])
@pytest.mark.parametrize("text", ["Sample", "fjÅ,gq", "Échantillon", "AVATAR"])
@pytest.mark.parametrize("size", [32, 128, 150])
def test_word_is_what_pillow_draws_and_no_part_of_it_is_cut_off(name, text, size):
    np.testing.assert_array_equal(trimmed(write(text, name, size)), roomy(text, name, size))


@pytest.mark.parametrize("name", [SANS, SERIF, ITALIC])
@pytest.mark.parametrize("text", ["Do not copy", "© 2014 Jane Doe", "March 5, 2014", "Tous droits réservés"])
def test_words_together_are_what_pillow_draws_at_once(name, text):
    ours, whole = trimmed(write(text, name, 64)), roomy(text, name, 64)
    assert ours.shape[0] == whole.shape[0]
    assert ours.shape[1] == pytest.approx(whole.shape[1], abs=2)
    width = min(ours.shape[1], whole.shape[1])
    # Words may lie a pixel off where the blank's width has a fraction.
    assert np.corrcoef(ours[:, :width].ravel(), whole[:, :width].ravel())[0, 1] > 0.85


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow lacks Raqm")
def test_words_of_a_shaped_script_stand_in_its_order():
    text = "جميع الحقوق محفوظة"
    np.testing.assert_array_equal(trimmed(write(text, ARABIC, 64)), roomy(text, ARABIC, 64))


def test_spaced_text_is_its_letters_further_apart():
    tight, spaced = (write("HHHH", SANS, 100, spacing) for spacing in (0.0, 0.3))
    assert spaced.shape[0] == tight.shape[0]
    assert spaced.shape[1] == pytest.approx(tight.shape[1] + 3 * 30, abs=1)
    starts = [np.flatnonzero(np.diff((plane > 127).any(axis=0).astype(int)) == 1) for plane in (tight, spaced)]
    np.testing.assert_allclose(np.diff(starts[1]) - np.diff(starts[0]), 30, atol=1)


@pytest.mark.parametrize("text", ["Sample", "Pixelhaus", "AVAVAVA", "TaToYe"])
@pytest.mark.parametrize("name", [SANS, SERIF, ITALIC])
def test_no_part_of_a_spaced_text_is_cut_off(text, name):
    font = assets.load_font(name, 64)
    image = Image.new("L", (1200, 300))
    x = 100.0
    for letter in text:
        ImageDraw.Draw(image).text((x, 100), letter, fill=255, font=font)
        x += font.getlength(letter) + 13
    whole, ours = trimmed(np.asarray(image)), trimmed(write(text, name, 64, 0.2))
    assert ours.shape[0] == whole.shape[0]
    assert ours.shape[1] == pytest.approx(whole.shape[1], abs=2)
    assert ours.sum() == pytest.approx(whole.sum(), rel=0.01)


def test_letters_that_overlap_hide_nothing_of_each_other():
    together, alone = write("ff", ITALIC, 128, 0.01), write("f", ITALIC, 128)
    assert together.shape[0] == alone.shape[0]
    assert (together[:, : alone.shape[1]] >= alone).all()
    assert (together[:, -alone.shape[1] :] >= alone).all()


def test_lines_of_a_text_stand_below_each_other_centred():
    lines = write("MMMMMMMM\nM", SANS, 64)
    first, second = write("MMMMMMMM", SANS, 64), write("M", SANS, 64)
    assert lines.shape == (first.shape[0] + 16 + second.shape[0], first.shape[1])
    np.testing.assert_array_equal(lines[: first.shape[0]], first)
    assert not lines[first.shape[0] : -second.shape[0]].any()
    columns = np.flatnonzero(lines[-second.shape[0] :].any(axis=0))
    assert columns.mean() == pytest.approx((lines.shape[1] - 1) / 2, abs=4)


def test_text_with_an_empty_line_can_be_spaced():
    spaced, plain = (write("Sample\n\nSample", SANS, 64, spacing) for spacing in (0.2, 0.0))
    assert spaced.shape == (plain.shape[0], pytest.approx(plain.shape[1] + 5 * 13, abs=1))


@pytest.mark.parametrize("text", ["", " ", "  ", " a ", "\n", "a  b"])
@pytest.mark.parametrize("spacing", [0.0, 0.1])
def test_blanks_and_nothing_can_be_written(text, spacing):
    plane = write(text, SANS, 32, spacing)
    assert plane.ndim == 2
    assert min(plane.shape) >= 1
    assert plane.any() == bool(text.strip())


@pytest.mark.parametrize("text", ["Sample", "Do not copy", "l", "Sample\nDo not copy"])
def test_font_is_large_enough_and_not_twice_too_large(text):
    for pixels in (8, 100, 300, 1000):
        size = font_size(text, SANS, 0.0, pixels)
        longer = max(write(text, SANS, size).shape)
        assert longer >= 0.95 * pixels
        if size > SMALLEST_FONT:
            assert longer < 2.1 * pixels
        else:
            assert size == SMALLEST_FONT


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_no_font_is_large_enough_for_blanks(text):
    assert font_size(text, SANS, 0.0, 4096) == SMALLEST_FONT


@pytest.mark.parametrize("text", ["Sample", "Two words", "spaced", "one\ntwo"])
def test_what_was_written_does_not_change_when_it_is_drawn_upon(text, forget):
    spacing = 0.1 if text == "spaced" else 0.0
    forget()
    first = write(text, SANS, 32, spacing)
    before = first.copy()
    with suppress(ValueError):  # what is remembered is read-only
        first[...] = 255
    np.testing.assert_array_equal(write(text, SANS, 32, spacing), before)


@pytest.mark.parametrize("text", [" aaa", "aaa ", "aaa  aaa", "  aaa   aaa  "])
@pytest.mark.parametrize("spacing", [0.0, 0.2])
def test_further_blanks_leave_no_empty_rows(text, spacing):
    drawn = write(text, SANS, 64, spacing)
    assert drawn.shape[0] == write("aaa", SANS, 64).shape[0]
    assert drawn[0].any()
    assert drawn[-1].any()


@pytest.mark.parametrize("text", ["Sample", "Do not copy"])
def test_large_writing_is_not_remembered(text):
    drawn = weakref.ref(write(text, SANS, 1024))
    gc.collect()
    assert drawn() is None


@pytest.mark.parametrize(("text", "spacing"), [("Sample", 0.0), ("Two words", 0.0), ("spaced", 0.1)])
def test_remembered_writing_is_read_only(text, spacing):
    assert write(text, SANS, 64, spacing) is write(text, SANS, 64, spacing)
    assert not write(text, SANS, 64, spacing).flags.writeable


def test_pieces_under_several_lines_cannot_be_corrupted():
    before = write("Sample", SANS, 64).copy()
    write("Sample\nSample", SANS, 64)[...] = 255  # put together anew, so it may be written to
    np.testing.assert_array_equal(write("Sample", SANS, 64), before)
    assert not _piece("Sample", SANS, 64).ink.flags.writeable
