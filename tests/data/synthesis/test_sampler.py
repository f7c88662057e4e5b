from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from wm_lightning.data.synthesis import (
    DesignSampler,
    LogoSampler,
    MarkSampler,
    TextSampler,
    ViewSpec,
    from_json,
    to_json,
)
from wm_lightning.data.synthesis.assets import Assets, find_fonts
from wm_lightning.data.synthesis.render import render
from wm_lightning.data.synthesis.sampler import KINDS
from wm_lightning.data.synthesis.spec import Design, Emblem, Logo, Shape, Text, Tiling
from wm_lightning.errors import UserError

ASSETS = Assets(tuple(find_fonts()))
FILES = ASSETS._replace(logos=("a.png", "b.png"))
PHRASES = {"English": ["Sample", "Do not copy"], "Russian": ["Образец"]}
EVERY = dict.fromkeys(KINDS, 1)
STYLES = {"fill": 1, "outline": 1, "shadow": 1}


def make(kinds=EVERY, assets=ASSETS, styles=STYLES, **options):
    text = partial(TextSampler, phrases=PHRASES, styles=styles)
    return MarkSampler(assets, kinds, **{"text": text, **options})


def draw(count=300, seed=0, **options):
    sampler = make(**options)
    generator = np.random.default_rng(seed)
    return [sampler(generator) for _ in range(count)]


def assert_fill(values, low, high):
    """The values lie within a range, reach close to both ends, and have its middle as their mean."""
    assert low <= min(values) <= low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) <= max(values) <= high
    assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.1 * (high - low))


def test_equal_generators_give_equal_marks_and_others_do_not():
    assert draw(50, seed=3) == draw(50, seed=3)
    assert draw(50, seed=3) != draw(50, seed=4)


def test_global_generators_are_left_alone(global_random_state):
    before = global_random_state()
    draw(50)
    assert global_random_state() == before


def test_marks_hold_plain_numbers_that_survive_json():
    options = {"saturated": 0.5, "tiled": 0.3, "occlusion": 0.5, "blends": {"normal": 1, "screen": 1, "multiply": 1}}
    view = ViewSpec(tuple(draw(200, assets=FILES, **options)))
    assert from_json(to_json(view)) == view
    for mark in view.marks:
        levels = (mark.colour or (0, 0, 0)) + mark.second_colour
        assert all(type(level) is int and 0 <= level <= 255 for level in levels)
        assert all(type(number) is float for number in (mark.size, mark.angle, mark.opacity, *mark.center))


@pytest.mark.parametrize("count", [(1, 1), (2, 2), (1, 5), (3, 4)])
def test_views_have_every_number_of_marks_in_the_range_and_no_other(count):
    sampler, generator = make(count=count), np.random.default_rng(0)
    assert {sampler.how_many(generator) for _ in range(300)} == set(range(count[0], count[1] + 1))


@pytest.mark.parametrize(
    ("name", "low", "high"), [("size", 0.2, 0.7), ("opacity", 0.4, 0.6), ("angle", -10, 30), ("angle", 0, 0)]
)
def test_values_fill_their_range(name, low, high):
    kinds = dict.fromkeys(("text", "logo", "line", "rectangle", "circle"), 1)
    assert_fill([getattr(mark, name) for mark in draw(kinds=kinds, **{name: (low, high)})], low, high)


def test_centres_fill_the_picture():
    x, y = zip(*(mark.center for mark in draw(2000)), strict=True)
    assert_fill(x, 0, 1)
    assert_fill(y, 0, 1)
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.1


def test_kinds_come_as_often_as_told_and_those_of_frequency_0_never():
    kinds = Counter(mark.art.kind for mark in draw(2000, kinds={"line": 1, "circle": 3, "text": 0}))
    assert {kind: count / 2000 for kind, count in kinds.items()} == pytest.approx(
        {"line": 0.25, "circle": 0.75}, abs=0.04
    )


def test_every_kind_brings_its_art():
    arts = {mark.art.kind: type(mark.art) for mark in draw()}
    shapes = dict.fromkeys(("line", "rectangle", "circle", "grid", "bars"), Shape)
    assert arts == {"text": Text, "emblem": Emblem, **shapes}
    assert {type(mark.art) for mark in draw(kinds={"logo": 1}, assets=FILES)} == {Logo}


def test_samplers_of_texts_and_logos_are_only_made_where_they_are_needed():
    def refused(assets):
        raise AssertionError

    assert {mark.art.kind for mark in draw(kinds={"circle": 1, "text": 0}, text=refused, logo=refused)} == {"circle"}


def test_texts_need_a_sampler_of_texts():
    with pytest.raises(UserError, match=r"synthesis\.sampler\.kinds: text unknown; choose from logo, line"):
        MarkSampler(ASSETS, {"text": 1})


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_marks_hide_the_photograph_as_often_as_told(share):
    opacities = [mark.opacity for mark in draw(1000, opaque=share, opacity=(0.3, 0.6))]
    assert np.mean(np.equal(opacities, 1)) == pytest.approx(share, abs=0.05 if share == 0.3 else 0)
    assert all(0.3 <= opacity <= 0.6 or opacity == 1 for opacity in opacities)


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_texts_and_logos_are_tiled_as_often_as_told_and_shapes_never(share):
    marks = draw(1500, tiled=share, size=(0.6, 0.8), tiled_size=(0.1, 0.3))
    tiled = [mark.tiling is not None for mark in marks if isinstance(mark.art, (Text, Emblem))]
    assert np.mean(tiled) == pytest.approx(share, abs=0.06 if share == 0.3 else 0)
    assert not any(mark.tiling for mark in marks if mark.art.kind in ("line", "rectangle", "circle"))
    for mark in marks:
        low, high = (0.1, 0.3) if mark.tiling else (0.6, 0.8)
        assert low <= mark.size <= high


def test_repetitions_have_gaps_and_some_rows_are_shifted():
    tilings = [mark.tiling for mark in draw(500, kinds={"text": 1}, tiled=1)]
    assert_fill([tiling.gap[0] for tiling in tilings], 0.1, 0.8)
    assert_fill([tiling.gap[1] for tiling in tilings], 0.1, 0.8)
    assert {tiling.shift for tiling in tilings} == {0, 0.5}


def test_grids_and_bars_always_cover_the_picture_without_gaps():
    marks = draw(kinds={"grid": 1, "bars": 1}, tiled=0, occlusion=1, tiled_size=(0.1, 0.3), free_aspect=True)
    assert {(mark.tiling, mark.occlusion, mark.aspect) for mark in marks} == {(Tiling(), None, None)}
    assert_fill([mark.size for mark in marks], 0.1, 0.3)


@pytest.mark.parametrize("share", [0, 0.2, 1])
def test_a_part_is_missing_as_often_as_told(share):
    parts = [mark.occlusion for mark in draw(1000, kinds={"text": 1, "line": 1}, occlusion=share)]
    boxes = np.array([part for part in parts if part is not None]).reshape(-1, 4)
    assert len(boxes) / 1000 == pytest.approx(share, abs=0.04 if share == 0.2 else 0)
    for lengths in (boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]):
        assert ((lengths > 0.0999) & (lengths < 0.4001)).all()
    assert ((boxes >= 0) & (boxes <= 1)).all()


@pytest.mark.parametrize("variation", [0.25, 1])
def test_opacity_falls_over_the_picture_no_further_than_told(variation):
    fields = np.array([mark.alpha_field for mark in draw(alpha_variation=variation)])
    assert fields.shape == (300, 4, 4)
    assert fields.max() <= 1
    assert 1 - variation <= fields.min() <= 1 - 0.9 * variation


def test_opacity_is_even_without_variation():
    assert {mark.alpha_field for mark in draw(alpha_variation=0)} == {((1.0,),)}


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_colours_are_as_often_saturated_as_told(share):
    saturated = [len(set(mark.colour)) > 1 for mark in draw(1000, saturated=share)]
    assert np.mean(saturated) == pytest.approx(share, abs=0 if share == 0 else 0.05)


def test_greys_are_mostly_near_white_or_black():
    greys = np.array([mark.colour[0] for mark in draw(2000, saturated=0)])
    # A uniform grey would be there half of the time.
    assert ((greys < 64) | (greys >= 192)).mean() > 0.6


@pytest.mark.parametrize("saturated", [0, 1])
def test_blends_come_as_often_as_told_and_in_colours_that_leave_a_mark(saturated):
    marks = draw(2000, saturated=saturated, blends={"normal": 2, "screen": 1, "multiply": 1})
    shares = {blend: count / 2000 for blend, count in Counter(mark.blend for mark in marks).items()}
    assert shares == pytest.approx({"normal": 0.5, "screen": 0.25, "multiply": 0.25}, abs=0.04)
    assert min(max(mark.colour) for mark in marks if mark.blend == "screen") >= 160
    assert max(min(mark.colour) for mark in marks if mark.blend == "multiply") <= 95
    assert min(max(mark.colour) for mark in marks if mark.blend == "normal") < 50
    assert max(min(mark.colour) for mark in marks if mark.blend == "normal") > 200
    assert {mark.blend for mark in draw(blends=None)} == {"normal"}


@pytest.mark.parametrize("saturated", [0, 1])
def test_outlines_and_shadows_differ_from_what_they_surround(saturated):
    for mark in draw(500, saturated=saturated):
        assert sum(abs(a - b) for a, b in zip(mark.colour, mark.second_colour, strict=True)) >= 192


def test_embossed_letters_have_a_light_and_a_dark_edge():
    marks = draw(50, kinds={"text": 1}, styles={"emboss": 1}, saturated=1)
    assert {(mark.colour, mark.second_colour) for mark in marks} == {((255, 255, 255), (0, 0, 0))}


@pytest.mark.parametrize("share", [0, 0.4, 1])
def test_logo_files_keep_their_colours_as_often_as_told_and_emblems_have_none(share):
    files = draw(1000, kinds={"logo": 1}, assets=FILES, own_colours=share)
    kept = [mark.colour is None for mark in files]
    assert np.mean(kept) == pytest.approx(share, abs=0.05 if share == 0.4 else 0)
    assert all(mark.colour is not None for mark in draw(kinds={"logo": 1}, own_colours=share))


def test_options_of_logos_reach_their_sampler():
    marks = draw(20, kinds={"logo": 1}, assets=FILES, logo=partial(LogoSampler, flat=True))
    assert {mark.art.flat for mark in marks} == {True}


def test_proportions_are_kept_unless_told():
    assert {mark.aspect for mark in draw()} == {None}


def test_width_and_height_are_drawn_independently_where_told():
    marks = draw(600, kinds={"logo": 1}, free_aspect=True, size=(0.1, 0.9))
    width = np.array([mark.size * min(1, 1 / mark.aspect) for mark in marks])
    height = np.array([mark.size * min(1, mark.aspect) for mark in marks])
    assert_fill(width, 0.1 - 1e-9, 0.9 + 1e-9)
    assert_fill(height, 0.1 - 1e-9, 0.9 + 1e-9)
    assert abs(np.corrcoef(width, height)[0, 1]) < 0.1
    assert_fill([mark.size for mark in draw(kinds={"logo": 1}, free_aspect=False, size=(0.1, 0.9))], 0.1, 0.9)


@pytest.mark.parametrize(
    "shape",
    [(30, 30), (20, 40)],
)
def test_logos_drawn_with_free_aspect_are_as_wide_and_as_high_as_the_range_says(tmp_path, shape):
    Image.fromarray(np.full((*shape, 4), 255, dtype=np.uint8)).save(tmp_path / "logo.png")
    assets = Assets(ASSETS.fonts, (str(tmp_path / "logo.png"),))
    plain = {"opaque": 1, "angle": (0, 0), "alpha_variation": 0, "occlusion": 0}
    for mark in draw(60, kinds={"logo": 1}, assets=assets, free_aspect=True, size=(0.2, 0.8), **plain):
        covered = render(replace(mark, center=(0.5, 0.5)), 200, 200).alpha[..., 0] > 127
        for side in (covered.any(axis=0).sum(), covered.any(axis=1).sum()):
            assert 0.2 * 200 - 2 <= side <= 0.8 * 200 + 2


@pytest.mark.parametrize("tiled", [0, 1])
@pytest.mark.parametrize("free_aspect", [False, True])
def test_a_mark_that_is_placed_again_stays_what_it_is(tiled, free_aspect):
    kinds = {"text": 1, "logo": 1}
    sampler = make(kinds, tiled=tiled, free_aspect=free_aspect, size=(0.6, 0.8), tiled_size=(0.1, 0.3), angle=(5, 9))
    generator = np.random.default_rng(0)
    mark = sampler(generator)
    again = [sampler.placed(mark, generator) for _ in range(200)]
    where = {"center": mark.center, "size": mark.size, "angle": mark.angle, "aspect": mark.aspect}
    assert {replace(other, **where) for other in again} == {mark}
    assert len({other.center for other in again}) == 200
    assert_fill([other.angle for other in again], 5, 9)
    assert len({other.aspect for other in again}) == (200 if free_aspect and not tiled else 1)
    assert all((0.1 <= other.size <= 0.3) if tiled else (0.6 <= other.size <= 0.8) for other in again)


@pytest.mark.parametrize(
    ("key", "value"),
    [("count", value) for value in ((0, 3), (3, 1), (1, 101), (1,))]
    + [(key, value) for key in ("size", "tiled_size") for value in ((0, 0.5), (0.9, 0.2), (0.5, 4.1), (0.1, 0.2, 0.3))]
    + [("opacity", value) for value in ((0, 0.5), (0.5, 1.1), (0.6, 0.5), (float("nan"), 0.5))]
    + [("angle", value) for value in ((10, -10), (-361, 0), (0, 361))]
    + [(key, -0.1) for key in ("tiled", "opaque", "saturated", "own_colours", "alpha_variation", "occlusion")]
    + [(key, 1.1) for key in ("tiled", "opaque", "saturated", "own_colours", "alpha_variation", "occlusion")]
    + [("occlusion", float("nan")), ("blends", {"subtract": 1}), ("blends", {"normal": 0})]
    + [("kinds", value) for value in ({"stamp": 1}, {}, {"text": 0, "line": 0}, {"text": 2, "line": -1})],
)
def test_wrong_values_are_refused_by_name(key, value):
    with pytest.raises(UserError, match=rf"^synthesis\.sampler\.{key}\b"):
        make(**{key: value})


def test_placement_puts_marks_where_people_do_and_upright_in_corners():
    marks = draw(placement={"corner": 0.5, "centre": 0.5}, tiled=0.2, angle=(-40, -10))
    single = [mark for mark in marks if not mark.tiling]
    corners = [mark for mark in single if mark.margin is not None]
    assert len(corners) / len(single) == pytest.approx(0.5, abs=0.1)
    assert all(set(mark.center) <= {0.0, 1.0} and mark.angle == 0 for mark in corners)
    assert all(-40 <= mark.angle <= -10 for mark in single if mark.margin is None)


def test_without_placement_marks_lie_anywhere():
    assert all(mark.margin is None for mark in draw(100))


def test_designs_are_a_kind_of_their_own_with_places_angles_and_tiling():
    recipes = {"sparkle": 1, "logo": 1, "repeated": 1}
    design = partial(DesignSampler, recipes=recipes)
    marks = draw(300, kinds={"design": 1}, design=design, placement={"centre": 1}, angle=(20, 30))
    assert {type(mark.art) for mark in marks} == {Design}
    sparkles = [mark for mark in marks if mark.art.parts[0].art == Shape("sparkle")]
    assert all(mark.margin is not None for mark in sparkles)  # they have places of their own
    logos = [mark for mark in marks if not mark.tiling and mark not in sparkles]
    assert all(mark.margin is None for mark in logos)
    assert {mark.angle != 0 for mark in logos} == {True, False}
    assert all(mark.angle == 0 or 20 <= mark.angle <= 30 for mark in logos)
    assert any(mark.tiling for mark in marks)


def test_designs_need_their_sampler_and_keep_their_name():
    with pytest.raises(UserError, match=r"^synthesis\.sampler\.kinds: design unknown"):
        make(kinds={"design": 1})
    with pytest.raises(UserError, match=r"own\.design: there is a kind"):
        make(own={"design": lambda generator: None})
    with pytest.raises(UserError, match=r"^synthesis\.sampler\.placement: middle unknown"):
        make(placement={"middle": 1})
