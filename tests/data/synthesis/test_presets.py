from functools import cache

import hydra
import numpy as np
import pytest
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image, ImageFont, features

from wm_lightning.data.synthesis import Assets, Synthesizer, TextSampler
from wm_lightning.data.synthesis.assets import find_fonts, load_font
from wm_lightning.data.synthesis.design_sampler import RECIPES
from wm_lightning.data.synthesis.spec import Design, Emblem, Logo, Text
from wm_lightning.files import CONF
from wm_lightning.runner.configuration import check_config

NAMES = (
    *("diverse", "watermarkcnn", "logos", "swcnn", "clwd", "logo_l", "logo_h"),
    *("general", "held_out", "real", "held_out_real"),
)
PHOTOGRAPH = np.random.default_rng(0).integers(60, 200, (96, 128, 3), dtype=np.uint8)
UNASSIGNED = "\U0010fffd"

needs_raqm = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow was built without Raqm")
FONTS = [
    pytest.param(font, marks=needs_raqm if "Arabic" in font or "Devanagari" in font else ()) for font in find_fonts()
]


def compose(name, *overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        wanted = [f"synthesis={name}", "synthesis.system_fonts=false", *overrides]
        return hydra.compose("train", overrides=wanted).synthesis


def build(name, *overrides):
    return instantiate(compose(name, *overrides))


def pairs(synthesizer, count, seed=0):
    generator = np.random.default_rng(seed)
    return [synthesizer.pair(PHOTOGRAPH, generator) for _ in range(count)]


def marks_of(synthesizer, count, seed=0):
    """The marks of each of ``count`` pairs' first views."""
    return [view.spec.marks for view, _ in pairs(synthesizer, count, seed)]


@pytest.fixture
def logos(tmp_path):
    """A folder of three logos of soft transparency: wide, high and square."""
    for number, (height, width) in enumerate([(20, 40), (40, 20), (32, 32)]):
        logo = np.random.default_rng(number).integers(1, 256, (height, width, 4), dtype=np.uint8)
        (tmp_path / "marks").mkdir(exist_ok=True)
        Image.fromarray(logo).save(tmp_path / "marks" / f"{number}.png")
    return tmp_path / "marks"


@pytest.mark.parametrize("name", NAMES)
def test_each_preset_composes_is_accepted_and_makes_the_same_marks_again(name, logos, caplog):
    config = compose(name, f"synthesis.logos={logos}" if name == "swcnn" else "synthesis.logos=null")
    check_config(config)
    synthesizer = instantiate(config)
    assert isinstance(synthesizer, Synthesizer)
    assert caplog.records == []
    first, again, other = (pairs(synthesizer, 3, seed) for seed in (0, 0, 1))
    assert [view.spec for pair in first for view in pair] == [view.spec for pair in again for view in pair]
    assert [view.spec for pair in first for view in pair] != [view.spec for pair in other for view in pair]
    for view in (view for pair in first for view in pair):
        assert np.mean(view.alpha.max(axis=2) > 0) <= synthesizer.max_coverage
        if view.spec.degradation is None:
            difference = np.abs(view.image.astype(int) - view.clean).max(axis=2)
            np.testing.assert_array_equal(view.mask, difference > synthesizer.mask_threshold)


def test_there_is_no_other_preset():
    known = {*NAMES, "own_mark"}  # tested where marks of files are drawn
    assert {path.stem for path in (CONF / "synthesis").glob("*.yaml")} == known


def test_diverse_has_every_kind_of_mark_style_blend_and_degradation():
    synthesizer = build("diverse")
    generator = np.random.default_rng(0)
    marks = [synthesizer.sampler(generator) for _ in range(1000)]
    kinds = [mark.art.kind for mark in marks]
    shares = {kind: kinds.count(kind) / 1000 for kind in set(kinds)}
    expected = {"text": 0.5, "emblem": 0.3, **dict.fromkeys(("line", "rectangle", "circle", "grid", "bars"), 0.04)}
    assert shares == pytest.approx(expected, abs=0.05)
    texts = [mark.art for mark in marks if isinstance(mark.art, Text)]
    assert {text.style for text in texts} == {"fill", "outline", "shadow", "emboss"}
    assert any("\n" in text.text for text in texts)
    assert any(text.spacing for text in texts)
    assert {mark.blend for mark in marks} == {"normal", "screen", "multiply"}
    assert any(mark.opacity == 1 for mark in marks)
    assert any(mark.occlusion for mark in marks)
    for mark in marks:
        assert 0.1 <= mark.opacity <= 1
        assert -60 <= mark.angle <= 60
        low, high = (0.15, 0.5) if mark.tiling else (0.15, 1)
        assert low <= mark.size <= high
    degradations = [synthesizer.degradation(generator) for _ in range(1000)]
    assert np.mean([degradation is not None for degradation in degradations]) == pytest.approx(0.25, abs=0.05)
    assert (synthesizer.mask_threshold, synthesizer.max_coverage) == (0, 0.4)
    assert {len(marks) for marks in marks_of(synthesizer, 40)} <= {0, 1, 2, 3}


def test_watermarkcnn_has_filled_texts_lines_rectangles_and_circles_alone():
    synthesizer = build("watermarkcnn")
    generator = np.random.default_rng(0)
    marks = [synthesizer.sampler(generator) for _ in range(600)]
    kinds = [mark.art.kind for mark in marks]
    assert set(kinds) == {"text", "line", "rectangle", "circle"}
    assert kinds.count("text") / 600 == pytest.approx(0.85, abs=0.05)
    for mark in marks:
        assert 0.3 <= mark.opacity <= 0.9
        assert 0.4 <= mark.size <= 1.2
        assert -45 <= mark.angle <= 45
        assert (mark.blend, mark.tiling) == ("normal", None)
        if isinstance(mark.art, Text):
            assert (mark.art.style, mark.art.spacing) == ("fill", 0)
            assert "\n" not in mark.art.text
    assert {synthesizer.sampler.how_many(generator) for _ in range(200)} == {1, 2, 3, 4, 5}


def test_logos_has_emblems_alone_or_the_files_of_a_folder_alone(logos):
    generator = np.random.default_rng(0)
    synthesizer = build("logos")
    marks = [synthesizer.sampler(generator) for _ in range(600)]
    assert {type(mark.art) for mark in marks} == {Emblem}
    assert np.mean([mark.tiling is not None for mark in marks]) == pytest.approx(0.25, abs=0.06)
    assert {synthesizer.sampler.how_many(generator) for _ in range(50)} == {1, 2}
    synthesizer = build("logos", f"synthesis.logos={logos}")
    arts = {synthesizer.sampler(generator).art for _ in range(100)}
    assert arts == {Logo(str(path)) for path in logos.iterdir()}


@pytest.fixture
def swcnn(logos):
    return build("swcnn", f"synthesis.logos={logos}")


def test_swcnn_stamps_the_same_upright_flat_logo_on_both_views_at_different_places(swcnn, logos):
    seen, covered = set(), []
    for first, second in pairs(swcnn, 30):
        stamps = (*first.spec.marks, *second.spec.marks)
        assert first.spec.degradation is second.spec.degradation is None
        assert len({(mark.art, mark.opacity) for mark in stamps}) == 1
        assert len({mark.center for mark in stamps}) == len(stamps)
        for mark in stamps:
            assert isinstance(mark.art, Logo)
            assert mark.art.flat
            assert 0.3 <= mark.opacity <= 1
            assert 0.29 <= mark.size <= 0.59
            assert (mark.angle, mark.aspect, mark.colour, mark.blend) == (0, None, None, "normal")
            assert (mark.tiling, mark.occlusion, mark.alpha_field) == (None, None, ((1.0,),))
            seen.add(mark.art.path)
        covered += [np.mean(view.alpha.max(axis=2) > 0) for view in (first, second)]
    assert seen == {str(path) for path in logos.iterdir()}
    assert max(covered) <= 0.5
    assert np.mean(covered) == pytest.approx(0.25, abs=0.07)  # the last stamp passes the share drawn


def share_of_levels(view):
    """How many of the marked pixels have the alpha of one, two, ... whole stamps."""
    level = int(255 * view.spec.marks[0].opacity + 0.5)
    levels = [level]
    for _ in view.spec.marks[1:]:
        levels.append(round(levels[-1] * (255 - level) / 255) + level)
    values = view.alpha[..., 0][view.alpha[..., 0] > 0]
    return np.isin(values, levels).mean(), values.max() <= max(levels)


def test_swcnn_knows_nothing_between_marked_and_unmarked_but_at_edges(swcnn, logos):
    soft = build("swcnn", f"synthesis.logos={logos}", "synthesis.sampler.logo.flat=false")
    photograph = np.full((256, 256, 3), 90, dtype=np.uint8)
    for synthesizer, least, most in ((swcnn, 0.85, 1), (soft, 0, 0.1)):
        generator = np.random.default_rng(0)
        for view in (view for _ in range(10) for view in synthesizer.pair(photograph, generator)):
            if view.spec.marks:
                share, within = share_of_levels(view)
                assert least <= share <= most
                assert within


def test_clwd_has_one_mark_of_any_rotation_and_a_mask_of_5_levels(logos):
    synthesizer = build("clwd", f"synthesis.logos={logos}")
    assert (synthesizer.degradation, synthesizer.mask_threshold, synthesizer.max_coverage) == (None, 5, 1)
    marks = []
    for view, _ in pairs(synthesizer, 150):
        (mark,) = view.spec.marks
        difference = np.abs(view.image.astype(int) - PHOTOGRAPH).max(axis=2)
        np.testing.assert_array_equal(view.mask, difference > 5)
        assert (mark.colour, mark.blend, mark.tiling, mark.occlusion) == (None, "normal", None, None)
        assert mark.alpha_field == ((1.0,),)
        marks.append(mark)
    for name, low, high in (("opacity", 0.3, 0.7), ("angle", 0, 360), ("size", 0.04, 1)):
        values = [getattr(mark, name) for mark in marks]
        assert low <= min(values) <= max(values) <= high
        assert max(values) - min(values) > 0.8 * (high - low)
    aspects = [mark.aspect for mark in marks]
    assert min(aspects) < 0.5
    assert max(aspects) > 2


@pytest.mark.parametrize(("name", "low", "high"), [("logo_l", 0.4, 0.6), ("logo_h", 0.6, 0.8)])
def test_the_logo_sets_have_one_mark_in_its_proportions_of_their_sizes_and_opacities(logos, name, low, high):
    synthesizer = build(name, f"synthesis.logos={logos}")
    assert (synthesizer.degradation, synthesizer.mask_threshold) == (None, 0)
    marks = marks_of(synthesizer, 100)
    assert {len(drawn) for drawn in marks} == {1}
    for (mark,) in marks:
        assert low <= mark.size <= high
        assert low <= mark.opacity <= high
        assert (mark.aspect, mark.colour, mark.tiling) == (None, None, None)
    assert {mark.angle // 90 for (mark,) in marks} == {0, 1, 2, 3}


@cache
def phrases_and_names():
    text = compose("diverse").sampler.text
    return OmegaConf.to_container(text.phrases), tuple(text.names)


@cache
def possible_texts():
    """What each phrase that ships may be drawn as, and the fonts it may be drawn with."""
    phrases, names = phrases_and_names()
    found = []
    for language, phrase in ((language, phrase) for language, several in phrases.items() for phrase in several):
        if language in ("Arabic", "Hindi") and not features.check("raqm"):
            continue
        sampler = TextSampler(Assets(tuple(find_fonts())), {language: [phrase]}, names, capitals=0.5)
        generator = np.random.default_rng(0)
        texts = {sampler(generator).text for _ in range(100 if "{" in phrase else 20)}
        found.append((texts, sampler.fonts[language][phrase]))
    return found


def test_there_are_at_least_25_phrases_in_ten_languages_and_signatures():
    phrases, _ = phrases_and_names()
    assert len(phrases) == 11
    assert len({text for language, texts in phrases.items() if language != "Signature" for text in texts}) >= 25


@needs_raqm
def test_every_phrase_is_written_with_bundled_fonts_alone_and_without_a_warning(caplog):
    phrases, _ = phrases_and_names()
    sampler = build("diverse", "synthesis.sampler.text.two_lines=0", "synthesis.sampler.text.capitals=0").sampler.text
    assert caplog.records == []
    assert {language: list(fonts) for language, fonts in sampler.fonts.items()} == phrases
    generator = np.random.default_rng(0)
    drawn = {sampler(generator).text for _ in range(1500)}
    assert {phrase for several in phrases.values() for phrase in several if "{" not in phrase} <= drawn


@pytest.mark.parametrize("font", FONTS)
def test_every_character_of_a_phrase_has_a_glyph_of_its_own_in_the_fonts_it_may_be_drawn_with(fonts, font):
    texts = [text for texts, fitting in possible_texts() if font in fitting for text in texts]
    characters = {character for text in texts for character in text if not character.isspace()}
    assert characters
    with TTFont(fonts / font, lazy=True) as opened:
        glyphs = opened.getBestCmap()
        assert {glyphs.get(ord(character), ".notdef") for character in characters}.isdisjoint({".notdef"})
    opened = load_font(font, 32)
    missing = opened.getmask(UNASSIGNED)
    assert any(missing)
    for character in characters:
        mask = opened.getmask(character)
        assert (mask.size, bytes(mask)) != (missing.size, bytes(missing)), character


@pytest.mark.parametrize("font", FONTS)
def test_no_phrase_changes_where_the_glyph_of_missing_characters_does(fonts, tmp_path, font):
    with TTFont(fonts / font) as opened:
        if "glyf" in opened:
            pen = TTGlyphPen(None)
            for step, point in enumerate([(0, 0), (0, 900), (300, 0)]):
                (pen.lineTo if step else pen.moveTo)(point)
            pen.closePath()
            opened["glyf"][".notdef"] = pen.glyph()
        else:
            glyph = opened["CFF "].cff.topDictIndex[0].CharStrings[".notdef"]
            glyph.decompile()
            glyph.setProgram([0, 0, "rmoveto", 900, "vlineto", 300, -900, "rlineto", "endchar"])
        opened.save(tmp_path / font)
    before, after = load_font(font, 32), ImageFont.truetype(tmp_path / font, 32)
    assert bytes(before.getmask(UNASSIGNED)) != bytes(after.getmask(UNASSIGNED))
    for texts, fitting in possible_texts():
        for text in texts if font in fitting else ():
            assert bytes(before.getmask(text)) == bytes(after.getmask(text)), text


def test_held_out_marks_share_nothing_with_those_of_training():
    training, held_out = build("general").sampler, build("held_out").sampler
    phrases = [
        {text.casefold() for texts in sampler.text.fonts.values() for text in texts} for sampler in (training, held_out)
    ]
    fonts = [
        {font for texts in sampler.text.fonts.values() for found in texts.values() for font in found}
        | set(sampler.logo.fonts)
        for sampler in (training, held_out)
    ]
    assert all(map(len, (*phrases, *fonts)))
    assert not phrases[0] & phrases[1]
    assert not fonts[0] & fonts[1]
    assert not set(training.text.names) & set(held_out.text.names)
    assert not set(training.logo.frames) & set(held_out.logo.frames)
    assert not set(training.logo.symbols) & set(held_out.logo.symbols)


def test_a_held_out_picture_has_one_mark_of_a_text_or_a_logo():
    marks = marks_of(build("held_out"), 60)
    assert {len(found) for found in marks} <= {0, 1}  # none where it would have covered too much
    kinds = [type(found[0].art).__name__ for found in marks if found]
    assert 15 < kinds.count("Text") < 45
    assert set(kinds) == {"Text", "Emblem"}


def test_training_for_all_marks_leaves_some_pictures_unmarked():
    empty = sum(not marks for marks in marks_of(build("general"), 200))
    assert 4 <= empty <= 34


def test_real_has_unmarked_pictures_compressed_ones_and_made_up_logos_beside_files(logos):
    synthesizer = build("real", f"synthesis.logos={logos}")
    views = [view for pair in pairs(synthesizer, 150) for view in pair]
    assert 0.22 < np.mean([not view.spec.marks for view in views]) < 0.44
    compressed = [view.spec.degradation for view in views if view.spec.degradation and view.spec.degradation.jpeg]
    assert 0.45 < len(compressed) / len(views) < 0.75
    assert 0.15 < np.mean([degradation.full_chroma for degradation in compressed]) < 0.45
    assert min(degradation.jpeg for degradation in compressed if degradation.jpeg) < 40
    arts = [mark.art for view in views for mark in view.spec.marks]
    arts += [part.art for art in arts if isinstance(art, Design) for part in art.parts]
    drawn = [art for art in arts if isinstance(art, Emblem | Logo)]
    assert 0.25 < np.mean([isinstance(art, Emblem) for art in drawn]) < 0.55


def drawings(name, count=1500, *overrides):
    """What the single drawings of many marks of a preset are."""
    synthesizer, generator = build(name, *overrides), np.random.default_rng(0)
    marks = [synthesizer.sampler(generator) for _ in range(count)]
    arts = [part.art for mark in marks for part in (mark.art.parts if isinstance(mark.art, Design) else ())]
    return marks, [*arts, *(mark.art for mark in marks if not isinstance(mark.art, Design))]


def test_real_has_designs_of_every_recipe_at_places_of_people_without_a_folder_of_logos():
    marks, arts = drawings("real")
    designs = [mark for mark in marks if isinstance(mark.art, Design)]
    assert len(designs) / len(marks) == pytest.approx(0.6, abs=0.05)
    assert set(build("real").sampler.design.recipes) == set(RECIPES)
    assert {art.kind for art in arts} >= {"text", "emblem", "sparkle", "code"}
    assert {mark.margin is None for mark in marks} == {True, False}
    assert any(mark.art.net for mark in designs)
    assert any(mark.art.plate and mark.art.plate.opacity == 1 for mark in designs)
    assert any(len({part.opacity for part in mark.art.parts}) > 1 for mark in designs)
    degradations = [degradation for degradation in map(build("real").degradation, [np.random.default_rng(i)
                    for i in range(600)]) if degradation]  # fmt: skip
    for field in ("first_jpeg", "webp", "screen", "noise"):
        assert any(getattr(degradation, field) is not None for degradation in degradations)


def test_held_out_real_shares_no_font_phrase_logo_emblem_plate_or_outline_with_real(logos):
    for number in range(3, 24):
        Image.fromarray(np.full((8, 8, 4), 90, dtype=np.uint8)).save(logos / f"{number:02}.png")
    overrides = (f"synthesis.logos={logos}",)
    seen, held = drawings("real", 1500, *overrides), drawings("held_out_real", 1500, *overrides)
    for what in (
        lambda marks, arts: {art.font for art in arts if isinstance(art, Text | Emblem)},
        lambda marks, arts: {art.path for art in arts if isinstance(art, Logo)},
        lambda marks, arts: {art.frame for art in arts if isinstance(art, Emblem)},
        lambda marks, arts: {art.symbol for art in arts if isinstance(art, Emblem)},
        lambda marks, arts: {art.text for art in arts if isinstance(art, Text) and art.language},
    ):
        assert what(*seen)
        assert what(*held)
        assert not what(*seen) & what(*held)
    assert not {*find_fonts(["extra_held_out"], bundled=False)} & {art.font for art in seen[1] if hasattr(art, "font")}
    designs = [[mark.art for mark in marks if isinstance(mark.art, Design)] for marks, _ in (seen, held)]
    effects = [{part.effect for design in several for part in design.parts} for several in designs]
    forms = [{design.plate.form for design in several if design.plate} for several in designs]
    assert effects[1] - effects[0] == {"double"}
    assert forms[1] - forms[0] == {"pill"}


def test_no_training_preset_takes_fonts_or_logos_that_are_held_out():
    for name in NAMES:
        config = compose(name)
        if name != "held_out_real":
            assert "extra_held_out" not in config.fonts
            assert config.logo_part in ("all", "train")
        assert ("extra" in config.fonts) == (name == "real")


def test_half_of_what_held_out_real_draws_is_a_jpeg_of_half_colour_and_some_is_unmarked():
    synthesizer = build("held_out_real")
    drawn = [synthesizer.degradation(np.random.default_rng(seed)) for seed in range(600)]
    jpeg = [degradation for degradation in drawn if degradation and degradation.jpeg and not degradation.full_chroma]
    assert len(jpeg) / 600 > 0.5
    assert all(60 <= degradation.jpeg <= 95 for degradation in jpeg)
    assert synthesizer.unmarked == 0.15
