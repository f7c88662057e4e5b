import re
from collections import Counter
from typing import get_args

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image, ImageDraw, features

from wm_lightning.data.synthesis.arts import LogoSampler, TextSampler, draw_shape
from wm_lightning.data.synthesis.assets import Assets, characters_of, find_fonts, load_font, needs_shaping
from wm_lightning.data.synthesis.spec import Emblem, Frame, Logo, Symbol, Text
from wm_lightning.errors import UserError
from wm_lightning.files import CONF

PHRASES = OmegaConf.to_container(OmegaConf.load(CONF / "synthesis" / "phrases" / "ten_languages.yaml"))
NAMES = tuple(OmegaConf.load(CONF / "synthesis" / "diverse.yaml").sampler.text.names)
BUNDLED = Assets(tuple(find_fonts()))
ARABIC = [font for font in BUNDLED.fonts if "Arabic" in font]
DEVANAGARI = [font for font in BUNDLED.fonts if "Devanagari" in font]
FORMS_OF_A_DATE = (r"\d{4}-\d\d-\d\d", r"\d\d\.\d\d\.\d{4}", r"\d\d/\d\d/\d{4}", r"[A-Z][a-z]+ \d{1,2}, \d{4}")

needs_raqm = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow was built without Raqm")


def make(phrases, fonts=BUNDLED.fonts, **options):
    phrases = phrases if isinstance(phrases, dict) else {"English": phrases}
    return TextSampler(Assets(tuple(fonts)), phrases, **options)


def draw(sampler, count=200, seed=0):
    generator = np.random.default_rng(seed)
    return [sampler(generator) for _ in range(count)]


def ink(text, font, size=64):
    """The drawn text, cut to its width."""
    opened = load_font(font, size)
    left, _, right, _ = opened.getbbox(text)
    drawing = Image.new("L", (round(right - left), 2 * size))
    ImageDraw.Draw(drawing).text((-left, 0), text, fill=255, font=opened)
    return np.array(drawing)


def likeness(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


@needs_raqm
@pytest.mark.parametrize("font", ARABIC)
def test_arabic_letters_join(font):
    apart = "\u200c".join("جميع")  # a zero-width non-joiner between any two
    assert ink(apart, font).shape[1] > ink("جميع", font).shape[1]
    # Letters that do not join by nature are the same with it and without.
    np.testing.assert_array_equal(ink("\u200c".join("دار"), font), ink("دار", font))


@needs_raqm
@pytest.mark.parametrize("font", ARABIC)
def test_arabic_runs_from_right_to_left(font):
    whole, first, second = (ink(text, font) for text in ("جميع الحقوق", "جميع", "الحقوق"))
    assert likeness(whole[:, -first.shape[1] :], first) > 0.9
    assert likeness(whole[:, : second.shape[1]], second) > 0.9
    assert likeness(whole[:, : first.shape[1]], first) < 0.6


@needs_raqm
@pytest.mark.parametrize("font", DEVANAGARI)
def test_hindi_vowel_signs_move_before_their_consonant(font):
    together, consonant, sign = (ink(text, font) for text in ("नि", "न", "ि"))
    one_after_the_other = np.hstack([consonant, sign])
    assert together.shape != one_after_the_other.shape or (together != one_after_the_other).any()
    rows, width = np.flatnonzero(consonant.max(axis=1)), consonant.shape[1]
    lower = slice((rows[0] + rows[-1]) // 2, None)  # below the line that the sign bows over
    assert likeness(together[lower, -width:], consonant[lower]) > 0.9
    assert likeness(together[lower, :width], consonant[lower]) < 0.7


def test_placeholders_are_filled_in_all_their_forms():
    texts = [text.text for text in draw(make(["{date}|{year}|{name}"], names=["Jane Doe", "Li Wei"]), 300)]
    forms, names = Counter(), Counter()
    for text in texts:
        date, year, name = text.split("|")
        forms.update(form for form in FORMS_OF_A_DATE if re.fullmatch(form, date))
        names[name] += 1
        assert 1998 <= int(year) <= 2026
        assert year in date
    assert set(names) == {"Jane Doe", "Li Wei"}
    assert set(forms) == set(FORMS_OF_A_DATE)
    assert sum(forms.values()) == 300
    assert {text.split("|")[1] for text in texts} >= {"1998", "2026"}


def test_no_placeholder_is_left_in_the_phrases_that_ship():
    for text in draw(make({"Signature": PHRASES["Signature"]}, names=NAMES, two_lines=0.5, capitals=0.5), 800):
        assert not set("{}") & set(text.text)


def test_names_in_addresses_are_lower_case_and_without_blanks():
    texts = draw(make(["www.{name}.com", "@{name}", "Photo: {name}"], names=["Ana MÜLLER"]))
    assert {text.text for text in texts} == {"www.anamüller.com", "@anamüller", "Photo: Ana MÜLLER"}


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_texts_have_a_second_line_as_often_as_told(share):
    texts = [text.text for text in draw(make(PHRASES["German"], two_lines=share), 1000)]
    assert np.mean(["\n" in text for text in texts]) == pytest.approx(share, abs=0.05 if share == 0.3 else 0)
    assert {line for text in texts for line in text.split("\n")} == set(PHRASES["German"])


def test_both_lines_are_of_one_language():
    phrases = {language: texts for language, texts in PHRASES.items() if language in ("English", "Spanish", "Korean")}
    for text in draw(make(phrases, two_lines=1), 300):
        assert any(set(text.text.split("\n")) <= set(texts) for texts in phrases.values())


@needs_raqm
def test_phrases_without_a_common_font_are_not_put_together():
    texts = draw(make({"Mixed": ["Sample", "عينة"]}, two_lines=1))
    assert all(len({needs_shaping(line) for line in text.text.split("\n")}) == 1 for text in texts)
    assert all({ord(c) for c in text.text if c != "\n"} <= characters_of(text.font) for text in texts)


def test_the_second_line_is_another_phrase():
    for text in draw(make(["Sample", "Proof"], two_lines=1), 50):
        assert len(set(text.text.split("\n"))) == 2


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_texts_are_in_capitals_as_often_as_told(share):
    texts = [text.text for text in draw(make(["Échantillon", "geschützt", "straße"], capitals=share), 1000)]
    assert np.mean([text.isupper() for text in texts]) == pytest.approx(share, abs=0.05 if share == 0.3 else 0)
    capitals = {"ÉCHANTILLON", "GESCHÜTZT", "STRASSE"} if share else set()
    small = {"Échantillon", "geschützt", "straße"} if share < 1 else set()
    assert set(texts) == capitals | small


def test_every_drawn_character_is_covered_by_the_chosen_font():
    sampler = make(PHRASES, names=(*NAMES, "Zoë Šťastná"), two_lines=0.5, capitals=0.5, spaced=0.5)
    for text in draw(sampler, 3000):
        assert {ord(c) for c in text.text if not c.isspace()} <= characters_of(text.font), text


def test_a_text_says_which_language_its_phrase_is_listed_under():
    texts = draw(make({"German": ["Muster"], "Spanish": ["Muestra"]}, two_lines=0.5), 100)
    assert {(text.text, text.language) for text in texts} == {("Muster", "German"), ("Muestra", "Spanish")}


def test_a_font_without_capitals_is_only_used_where_none_are_wanted(tmp_path, make_font):
    font = str(make_font(tmp_path / "small.ttf", "sample"))
    assert draw(make(["sample"], [font]), 1) == [Text("sample", font, language="English")]
    with pytest.raises(UserError, match="no phrase can be written"):
        make(["sample"], [font], capitals=0.1)


def test_a_font_without_the_small_letters_of_a_name_is_not_used_for_addresses(tmp_path, make_font):
    font = str(make_font(tmp_path / "few.ttf", "www.com JANE"))
    with pytest.raises(UserError, match="no phrase can be written"):
        make(["www.{name}.com"], [font], names=["JANE"])


def test_names_are_composed_as_phrases_are():
    (text,) = draw(make(["© {name}"], names=["Ana Mu\u0308ller"]), 1)
    assert text.text == "© Ana Müller"


def test_phrases_are_composed():
    (text,) = draw(make(["E\u0301preuve"]), 1)
    assert text.text == "Épreuve"


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_letters_are_spaced_as_often_as_told(share):
    spacings = np.array([text.spacing for text in draw(make(["Sample"], spaced=share), 1000)])
    assert np.mean(spacings > 0) == pytest.approx(share, abs=0.05 if share == 0.3 else 0)
    assert ((spacings == 0) | ((spacings >= 0.05) & (spacings <= 0.4))).all()


@needs_raqm
def test_letters_that_join_are_never_spaced():
    phrases = {language: PHRASES[language] for language in ("Arabic", "Hindi")}
    texts = draw(make({**phrases, "English": ["Sample"]}, spaced=1, two_lines=0.5), 400)
    assert all((text.spacing > 0) == text.text.startswith("Sample") for text in texts)
    assert {needs_shaping(text.text) for text in texts} == {True, False}


def test_styles_come_as_often_as_told_and_those_of_frequency_0_never():
    texts = draw(make(["Sample"], styles={"fill": 0, "outline": 1, "shadow": 3, "emboss": 4}), 2000)
    shares = {style: count / 2000 for style, count in Counter(text.style for text in texts).items()}
    assert shares == pytest.approx({"outline": 0.125, "shadow": 0.375, "emboss": 0.5}, abs=0.04)
    assert {text.style for text in draw(make(["Sample"]))} == {"fill"}


def test_every_font_that_covers_a_phrase_is_used():
    sampler = make(["Образец"])
    assert {text.font for text in draw(sampler)} == set(sampler.fonts["English"]["Образец"])


def test_equal_seeds_give_equal_texts_and_others_do_not(global_random_state):
    before = global_random_state()
    sampler = make(PHRASES, names=NAMES, two_lines=0.3, capitals=0.3, spaced=0.3)
    assert draw(sampler, seed=1) == draw(sampler, seed=1)
    assert draw(sampler, seed=1) != draw(sampler, seed=2)
    assert global_random_state() == before


def test_a_phrase_without_a_font_is_left_out_with_one_warning(caplog):
    sampler = make({"English": ["Sample"], "Greek": ["Δείγμα", "Αντίγραφο"]})
    (record,) = caplog.records
    assert "Greek (2)" in record.getMessage()
    assert {text.text for text in draw(sampler)} == {"Sample"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("two_lines", -0.1),
        ("capitals", 1.1),
        ("spaced", float("nan")),
        ("styles", {"bold": 1}),
        ("styles", {"fill": 0}),
        ("names", ()),
    ],
)
def test_wrong_options_of_texts_are_named(key, value):
    with pytest.raises(UserError, match=rf"^synthesis\.sampler\.text\.{key}\b"):
        make(["Sample"], **{key: value})


@pytest.mark.parametrize("phrases", [{}, {"English": []}, {"Greek": ["Δείγμα"]}])
def test_nothing_to_write_is_refused(phrases):
    with pytest.raises(UserError, match=r"^synthesis\.sampler\.text\.phrases: no phrase can be written"):
        make(phrases)


@pytest.mark.parametrize("flat", [False, True])
def test_files_are_the_logos_where_there_are_some(flat):
    sampler = LogoSampler(Assets(logos=("a.png", "b.png", "c.png")), flat)
    assert set(draw(sampler)) == {Logo(path, flat) for path in ("a.png", "b.png", "c.png")}


def test_emblems_of_every_frame_and_symbol_are_the_logos_otherwise():
    emblems = draw(LogoSampler(BUNDLED), 2000)
    assert all(isinstance(emblem, Emblem) for emblem in emblems)
    assert {(emblem.frame, emblem.symbol) for emblem in emblems} == {
        (frame, symbol) for frame in get_args(Frame) for symbol in get_args(Symbol)
    }
    assert {emblem.thickness for emblem in emblems} == {0.0, 0.04, 0.06, 0.1}
    assert {len(emblem.initials) for emblem in emblems} == {1, 2, 3}
    assert set("".join(emblem.initials for emblem in emblems)) == set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert np.mean([not emblem.caption for emblem in emblems]) == pytest.approx(0.5, abs=0.05)
    assert all(4 <= len(emblem.caption) <= 9 and emblem.caption.isalpha() for emblem in emblems if emblem.caption)
    fonts = {emblem.font for emblem in emblems}
    assert fonts == {font for font in BUNDLED.fonts if re.match(r"NotoS(ans|erif)-", font)}


def test_equal_seeds_give_equal_emblems_and_others_do_not():
    sampler = LogoSampler(BUNDLED)
    assert draw(sampler, 20, seed=1) == draw(sampler, 20, seed=1)
    assert draw(sampler, 20, seed=1) != draw(sampler, 20, seed=2)


def test_neither_logos_nor_latin_letters_are_refused():
    with pytest.raises(UserError, match=r"^synthesis\.logos: there is no logo, and no font"):
        LogoSampler(Assets(fonts=("NotoKufiArabic-Bold.ttf",)))
    with pytest.raises(UserError, match=r"synthesis.sampler.logo.made=0.5 needs a font with Latin letters"):
        LogoSampler(Assets(logos=("a.png",)), made=0.5)


@pytest.mark.parametrize(
    ("kind", "aspects", "thicknesses"),
    [
        ("line", (0.01, 0.06), (0, 0)),
        ("grid", (1, 1), (0.02, 0.08)),
        ("bars", (1, 1), (0.04, 0.3)),
        ("rectangle", (0.2, 1), (0, 0.05)),
        ("circle", (0.2, 1), (0, 0.05)),
    ],
)
def test_proportions_of_shapes_fill_their_ranges(kind, aspects, thicknesses):
    generator = np.random.default_rng(0)
    shapes = [draw_shape(kind, generator) for _ in range(300)]
    assert {shape.kind for shape in shapes} == {kind}
    for values, (low, high) in (
        ([shape.aspect for shape in shapes], aspects),
        ([shape.thickness for shape in shapes], thicknesses),
    ):
        assert low <= min(values) <= low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) <= max(values) <= high
    if kind in ("rectangle", "circle"):
        assert {shape.thickness for shape in shapes} == {0, 0.02, 0.05}


def test_emblems_have_only_the_frames_and_symbols_asked_for():
    emblems = draw(LogoSampler(BUNDLED, frames=["star", "ring"], symbols=["leaf"]), 200)
    assert {emblem.frame for emblem in emblems} == {"star", "ring"}
    assert {emblem.symbol for emblem in emblems} == {"leaf"}


@pytest.mark.parametrize(("key", "value"), [("frames", ["cube"]), ("symbols", []), ("symbols", ["leaf", "tree"])])
def test_frames_and_symbols_that_are_not_there_are_refused_by_name(key, value):
    with pytest.raises(
        UserError, match=rf"synthesis\.sampler\.logo\.{key}=\[{','.join(value)}\] must be some of .*leaf|disc"
    ):
        LogoSampler(BUNDLED, **{key: value})
