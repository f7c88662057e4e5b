import logging
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wm_lightning.data.synthesis import MarkSampler
from wm_lightning.errors import UserError

CONF = Path(__file__).parents[3] / "conf" / "synthesis" / "watermarkcnn.yaml"
PHRASES = {"English": ["Sample", "Do not copy"], "Russian": ["Образец"], "Arabic": ["عينة"]}
KINDS = {"text": 0.4, "line": 0.2, "rectangle": 0.2, "circle": 0.2}


def draw(count=400, seed=0, **options):
    sampler = MarkSampler(**{"phrases": PHRASES, "kinds": KINDS, **options})
    generator = np.random.default_rng(seed)
    return [sampler(generator) for _ in range(count)]


@pytest.fixture(scope="module")
def configured():
    """The sampler of the notebook's recipe, and what it warned of."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("wm_lightning.data.synthesis.assets")
    logger.addHandler(handler)
    sampler = instantiate(OmegaConf.load(CONF).sampler)
    logger.removeHandler(handler)
    return sampler, [record.getMessage() for record in records]


def test_equal_generators_give_equal_marks():
    assert draw(50, seed=3) == draw(50, seed=3)
    assert draw(50, seed=3) != draw(50, seed=4)


def test_global_generators_are_left_alone(global_random_state):
    before = global_random_state()
    draw(50)
    assert global_random_state() == before


@pytest.mark.parametrize("marks", [(1, 1), (2, 2), (1, 5), (3, 4)])
def test_count_takes_every_number_of_its_range_and_no_other(marks):
    sampler = MarkSampler(PHRASES, KINDS, marks=marks)
    generator = np.random.default_rng(0)
    assert {sampler.count(generator) for _ in range(300)} == set(range(marks[0], marks[1] + 1))


@pytest.mark.parametrize(
    ("name", "low", "high"), [("size", 0.2, 0.7), ("opacity", 0.4, 0.6), ("angle", -10, 30), ("angle", 0, 0)]
)
def test_values_fill_their_range(name, low, high):
    values = [getattr(spec, name) for spec in draw(**{name: (low, high)})]
    assert low <= min(values) <= low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) <= max(values) <= high
    assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.1 * (high - low))


def test_centres_fill_the_picture():
    centres = np.array([spec.center for spec in draw()])
    assert centres.min() >= 0
    assert centres.max() <= 1
    np.testing.assert_allclose(centres.mean(axis=0), 0.5, atol=0.06)
    assert abs(np.corrcoef(centres.T)[0, 1]) < 0.15


def test_kinds_come_as_often_as_told():
    kinds = [spec.kind for spec in draw(2000, kinds={"line": 1, "circle": 3})]
    assert set(kinds) == {"line", "circle"}
    assert kinds.count("circle") / 2000 == pytest.approx(0.75, abs=0.04)


def test_kind_of_frequency_0_never_comes():
    assert "text" not in {spec.kind for spec in draw(kinds={"text": 0, "line": 1})}


def test_only_texts_have_a_text_and_a_font():
    for spec in draw():
        assert bool(spec.text) == bool(spec.font) == (spec.kind == "text")


def test_every_phrase_is_drawn():
    assert {spec.text for spec in draw() if spec.text} == {"Sample", "Do not copy", "Образец", "عينة"}


def test_lines_are_thin_and_shapes_are_not():
    for spec in draw():
        if spec.kind == "line":
            assert 0.01 <= spec.aspect <= 0.06
        elif spec.kind != "text":
            assert 0.2 <= spec.aspect <= 1
            assert spec.outline in (0, 0.02, 0.05)


def test_colours_are_grey_unless_saturated():
    assert all(len(set(spec.colour)) == 1 for spec in draw(saturated=0))
    coloured = [len(set(spec.colour)) > 1 for spec in draw(saturated=1)]
    assert np.mean(coloured) > 0.95
    assert np.mean([len(set(spec.colour)) > 1 for spec in draw(2000, saturated=0.3)]) == pytest.approx(0.3, abs=0.04)


def test_colours_are_whole_levels_and_mostly_near_white_or_black():
    levels = [level for spec in draw(saturated=0.5) for level in spec.colour]
    assert all(isinstance(level, int) for level in levels)
    assert min(levels) >= 0
    assert max(levels) <= 255
    greys = np.array([spec.colour[0] for spec in draw(2000, saturated=0)])
    # A uniform grey would be there half of the time.
    assert ((greys < 64) | (greys >= 192)).mean() > 0.6


@pytest.mark.parametrize("variation", [0, 0.25, 1])
def test_opacity_falls_within_a_mark_no_further_than_told(variation):
    fields = np.array([spec.alpha_field for spec in draw(alpha_variation=variation)])
    assert fields.max() <= 1
    assert 1 - variation <= fields.min() <= 1 - 0.95 * variation


@pytest.mark.parametrize("share", [0, 0.2, 1])
def test_marks_are_occluded_as_often_as_told(share):
    parts = [spec.occlusion for spec in draw(1000, occlusion=share)]
    boxes = np.array([part for part in parts if part is not None]).reshape(-1, 4)
    assert len(boxes) / 1000 == pytest.approx(share, abs=0.04 if 0 < share < 1 else 0)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    for lengths in (width, height):
        assert ((lengths > 0.0999) & (lengths < 0.4001)).all()
    assert ((boxes >= 0) & (boxes <= 1)).all()


def test_no_phrase_is_drawn_with_a_font_that_lacks_its_glyphs(configured):
    sampler, _ = configured
    generator = np.random.default_rng(0)
    pairs = {(spec.text, spec.font) for spec in (sampler(generator) for _ in range(1500)) if spec.kind == "text"}
    cmaps = {}
    for font in {font for _, font in pairs}:
        with TTFont(font, lazy=True) as opened:
            cmaps[font] = set(opened.getBestCmap())
    for text, font in pairs:
        assert {ord(character) for character in text if character != " "} <= cmaps[font], (text, font)
    assert any(not {ord(character) for character in "عينة"} <= cmap for cmap in cmaps.values())
    assert {text for text, _ in pairs} == set(sampler.phrases)


def test_recipe_warns_once_of_the_languages_without_a_font_and_keeps_the_others(configured):
    sampler, messages = configured
    assert len(messages) == 1
    phrases = OmegaConf.load(CONF).sampler.phrases
    missing = {"Hindi", "Chinese", "Japanese", "Korean"}
    assert {language for language in phrases if language in messages[0]} == missing
    kept = [text for language, texts in phrases.items() if language not in missing for text in texts]
    assert set(sampler.phrases) == set(kept)


def test_recipe_has_at_least_25_different_phrases_in_ten_languages():
    phrases = OmegaConf.load(CONF).sampler.phrases
    assert len(phrases) == 10
    assert len({text for texts in phrases.values() for text in texts}) >= 25


def test_nothing_to_write_is_refused():
    with pytest.raises(UserError, match=r"synthesis\.sampler\.phrases"):
        MarkSampler({"Chinese": ["样本"]}, {"text": 1})


def test_phrases_do_not_matter_where_no_text_is_drawn(caplog):
    sampler = MarkSampler({"Chinese": ["样本"]}, {"circle": 1})
    assert sampler(np.random.default_rng(0)).kind == "circle"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("marks", (0, 3)),
        ("marks", (3, 1)),
        ("marks", (1, 101)),
        ("size", (0, 0.5)),
        ("size", (0.9, 0.2)),
        ("opacity", (0, 0.5)),
        ("opacity", (0.5, 1.1)),
        ("angle", (10, -10)),
        ("angle", (-361, 0)),
        ("saturated", -0.1),
        ("saturated", 1.1),
        ("alpha_variation", 2),
        ("occlusion", -1),
        ("opacity", (float("nan"), 0.5)),
        ("occlusion", float("nan")),
        ("kinds", {"text": 0.5, "star": 0.5}),
        ("kinds", {}),
        ("kinds", {"text": 0, "line": 0}),
        ("kinds", {"text": 2, "line": -1}),
    ],
)
def test_wrong_values_are_refused_by_name(key, value):
    with pytest.raises(UserError, match=rf"synthesis\.sampler\.{key}"):
        MarkSampler(**{"phrases": PHRASES, "kinds": KINDS, key: value})
