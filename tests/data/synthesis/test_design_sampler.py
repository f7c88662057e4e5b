import numpy as np
import pytest
from PIL import Image

from wm_lightning.data.synthesis import DesignSampler, LogoSampler, MarkSampler, TextSampler
from wm_lightning.data.synthesis.assets import Assets, find_fonts
from wm_lightning.data.synthesis.design_sampler import RECIPES
from wm_lightning.data.synthesis.spec import Code, Emblem, Logo, MarkSpec, Shape, Text, ViewSpec, from_json, to_json
from wm_lightning.data.synthesis.synthesizer import replay
from wm_lightning.errors import UserError

ASSETS = Assets(tuple(find_fonts(["extra"])))
PHRASES = {"English": ["Sample", "Do not copy"], "Signature": ["© {name}"]}


def sampler(assets=ASSETS, **options):
    return DesignSampler(assets, TextSampler(assets, PHRASES), LogoSampler(assets), **options)


def drawn(recipe, count=60, **options):
    make, generator = sampler(recipes={recipe: 1}, **options), np.random.default_rng(0)
    return [make(generator) for _ in range(count)]


@pytest.fixture
def with_logo(tmp_path):
    Image.fromarray(np.full((9, 9, 4), 128, dtype=np.uint8)).save(tmp_path / "logo.png")
    return Assets(ASSETS.fonts, (str(tmp_path / "logo.png"),))


def test_icons_are_boxes_nearly_opaque_with_something_of_another_colour_on_them():
    for design in drawn("icon"):
        assert design.art.recipe == "icon"
        (part,), plate = design.art.parts, design.art.plate
        assert 0.75 <= plate.opacity <= 0.92
        assert plate.aspect == 1
        assert part.colour != plate.colour
        assert 0.6 <= part.opacity <= 1
        assert design.opacity == 1


def test_logos_have_their_own_colours_white_black_and_others(with_logo):
    parts = [design.art.parts[0] for design in drawn("logo", 200, assets=with_logo, effects={"glow": 1, "none": 1})]
    assert {type(part.art) for part in parts} == {Logo}
    colours = [part.colour for part in parts]
    assert 0.4 < np.mean([colour is None for colour in colours]) < 0.75
    assert {(255, 255, 255), (0, 0, 0)} < set(colours)
    assert len(set(colours)) > 10
    assert {part.effect for part in parts} == {"glow", "none"}
    assert any(part.gradient for part in parts)


def test_plates_have_the_forms_asked_for_opaque_and_translucent():
    plates = [design.art.plate for design in drawn("label", 150, plates={"circle": 1, "pill": 1})]
    assert {plate.form for plate in plates} == {"circle", "pill"}
    assert {plate.opacity == 1 for plate in plates} == {True, False}


def test_letters_are_hollow_now_and_then():
    parts = [design.art.parts[0] for design in drawn("letters", 100, effects={"outline": 1})]
    assert {part.opacity == 0 for part in parts} == {True, False}
    assert all(isinstance(part.art, Text) and part.art.style == "fill" for part in parts)


def test_dates_are_stamped_by_a_cameras_digits_mostly_orange_or_yellow_in_corners():
    designs = drawn("date", 200)
    arts = [design.art.parts[0].art for design in designs]
    assert np.mean([art.font == "SevenSegments-Bold.ttf" for art in arts]) > 0.5
    assert all(set(art.text) <= set("0123456789-.: ") for art in arts)
    warm = [part.colour[0] == 255 and part.colour[2] <= 70 for part in (design.art.parts[0] for design in designs)]
    assert np.mean(warm) == pytest.approx(0.8, abs=0.1)
    assert all(design.places["corner"] > 0.5 for design in designs)


def test_addresses_are_ones_of_the_web():
    texts = [design.art.parts[0].art.text for design in drawn("address")]
    assert all("." in text and text == text.lower() for text in texts)
    assert any(text.startswith("www.") for text in texts)


def test_bands_reach_over_the_whole_width_of_any_picture():
    upright = [design for design in drawn("band", 100) if design.angle == 0]
    assert len(upright) > 60
    assert {place for design in upright for place in design.places} == {"bottom", "top", "centre"}
    for design in upright[:10]:
        mark = MarkSpec(design.art, (0.5, 1.0), design.size, 0.0)
        alpha = replay(np.zeros((60, 130, 3), np.uint8), ViewSpec((mark,))).alpha
        assert alpha[-1].any(axis=1).all()
        assert not alpha[0].any()


def test_apps_have_an_icon_and_a_name_mostly_side_by_side():
    designs = [design.art for design in drawn("app", 100)]
    assert all(isinstance(design.parts[1].art, Text) for design in designs)
    assert all(not design.parts[0].art.caption for design in designs if isinstance(design.parts[0].art, Emblem))
    assert np.mean([design.layout == "row" for design in designs]) == pytest.approx(0.8, abs=0.12)


def test_sparkles_are_small_and_in_corners():
    for design in drawn("sparkle"):
        assert design.art.parts[0].art == Shape("sparkle")
        assert design.size <= 0.14
        assert design.places == {"corner": 1}


def test_repetitions_have_logos_between_lie_aslant_and_come_small_and_close():
    repeated, dense = drawn("repeated"), drawn("dense")
    assert {len(design.art.parts) for design in repeated} == {1, 2}
    assert any(isinstance(design.art.parts[-1].art, Emblem) for design in repeated)
    assert {design.angle != 0 for design in repeated} == {True, False}
    assert all(design.tiling is not None for design in (*repeated, *dense))
    assert max(design.size for design in dense) <= 0.18


def test_lines_cross_the_whole_picture_once_or_in_cells_without_gaps():
    designs = drawn("lines", 100)
    assert {design.art.net.lines for design in designs} == {"cross", "grid"}
    assert {design.tiling is None for design in designs} == {True, False}
    assert all(design.tiling is None or design.tiling.gap == (0, 0) for design in designs)


def test_codes_are_dark_on_a_light_plate():
    codes = [(design.art.parts[0], design.art.plate) for design in drawn("code")]
    assert all(isinstance(part.art, Code) and sum(part.colour) < 330 for part, _ in codes)
    assert all(plate.colour == (255, 255, 255) for _, plate in codes)
    assert len({part.art.seed for part, _ in codes}) > 50


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_draws_the_same_again_and_replays_from_json(recipe, with_logo):
    pair = [
        MarkSampler(
            with_logo, {"design": 1}, lambda assets: TextSampler(assets, PHRASES), LogoSampler,
            lambda assets, text, logo: DesignSampler(assets, text, logo, {recipe: 1}),
        )
        for _ in range(2)
    ]  # fmt: skip
    photograph = np.random.default_rng(1).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    for seed in range(12):
        first, again = (make(np.random.default_rng(seed)) for make in pair)
        assert first == again
        spec = ViewSpec((first,))
        view = replay(photograph, spec)
        assert from_json(to_json(spec)) == spec
        np.testing.assert_array_equal(replay(photograph, from_json(to_json(spec))).image, view.image)
        assert np.abs(view.image - ((1 - view.alpha / 255) * view.clean + view.layer)).max() <= 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"recipes": {"log": 1}}, r"design\.recipes: log unknown"),
        ({"effects": {"blur": 1}}, r"design\.effects: blur unknown"),
        ({"plates": {"rounded": 0}}, r"design\.plates: frequencies"),
    ],
)
def test_wrong_value_is_refused_by_name(options, named):
    with pytest.raises(UserError, match=named):
        sampler(**options)


def test_font_with_latin_letters_is_needed(with_logo):
    only = Assets(("NotoSansKR-Bold.otf",), with_logo.logos)
    with pytest.raises(UserError, match="Latin letters"):
        DesignSampler(only, TextSampler(ASSETS, PHRASES), LogoSampler(only))
