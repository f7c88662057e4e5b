from dataclasses import replace
from functools import cache

import hydra
import numpy as np
import pytest
from PIL import Image

from wm_lightning.data.synthesis import (
    DegradationSampler,
    DegradationSpec,
    Synthesizer,
    ViewSpec,
    from_json,
    replay,
    to_json,
)
from wm_lightning.data.synthesis.spec import Logo, MarkSpec, Shape, Text
from wm_lightning.errors import UserError
from wm_lightning.files import CONF

PRESETS = ("diverse", "watermarkcnn", "logos", "clwd", "logo_l", "logo_h", "swcnn")
PLANES = ("image", "clean", "mask", "alpha", "layer")


def photograph(height=64, width=80, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@cache
def configured(preset="diverse", *overrides):
    """The synthesizer of a preset, as a run makes it, without the fonts of this machine."""
    told = [f"synthesis={preset}", "synthesis.system_fonts=false", *overrides]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.utils.instantiate(hydra.compose("train", overrides=told).synthesis)


@pytest.fixture(scope="module")
def own_logos(tmp_path_factory):
    """Two logos: a soft-edged disc of many colours, and a bar that is half transparent."""
    folder = tmp_path_factory.mktemp("logos")
    rows, columns = np.mgrid[:60, :60]
    disc = np.random.default_rng(0).integers(0, 256, (60, 60, 4), dtype=np.uint8)
    disc[..., 3] = (255 * (28 - np.hypot(rows - 30, columns - 30)).clip(0, 4) / 4).astype(np.uint8)
    Image.fromarray(disc).save(folder / "disc.png")
    Image.fromarray(np.full((20, 70, 4), (250, 200, 0, 128), dtype=np.uint8)).save(folder / "bar.png")
    return folder


class Always:
    """A sampler that draws the given marks one after another, over and over."""

    def __init__(self, *marks, count=None):
        self.marks, self.count, self.calls = marks, count or len(marks), 0

    def how_many(self, generator):
        return self.count

    def __call__(self, generator):
        self.calls += 1
        return self.marks[(self.calls - 1) % len(self.marks)]

    def placed(self, mark, generator):
        return replace(mark, center=(float(generator.uniform()), float(generator.uniform())))


def making(*marks, count=None, **options):
    return Synthesizer(lambda assets: Always(*marks, count=count), **options)


def assert_equal_views(first, second):
    for plane in PLANES:
        np.testing.assert_array_equal(getattr(first, plane), getattr(second, plane))
    assert first.spec == second.spec


def assert_sound(view, threshold):
    """The mask is where marks changed pixels, and the layers make the image, where no degradation came after them."""
    assert view.image.dtype == view.clean.dtype == view.alpha.dtype == view.layer.dtype == np.uint8
    assert view.mask.dtype == bool
    assert not view.mask[(view.alpha == 0).all(axis=2) & (view.layer == 0).all(axis=2)].any()
    assert (view.layer <= view.alpha).all()
    if view.spec.degradation is not None:
        return
    difference = np.abs(view.image.astype(int) - view.clean).max(axis=2)
    np.testing.assert_array_equal(view.mask, difference > threshold)
    if view.spec.degradation is None:
        exact = (1 - view.alpha / 255) * view.clean + view.layer
        assert np.abs(view.image - exact).max() <= 1


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("logos", ["own", "made up"])
def test_views_replay_bit_for_bit_also_from_json(preset, logos, own_logos):
    synthesizer = configured(preset, *([f"synthesis.logos={own_logos}"] if logos == "own" else []))
    for seed in range(150 if preset == "diverse" else 25):
        picture = photograph(48 + seed % 30, 56 + 5 * (seed % 7), seed)
        for view in synthesizer.pair(picture, np.random.default_rng(seed)):
            assert_sound(view, synthesizer.mask_threshold)
            assert (view.alpha.any(axis=2)).mean() <= synthesizer.max_coverage
            spec = from_json(to_json(view.spec))
            assert spec == view.spec
            assert_equal_views(replay(picture, spec, synthesizer.mask_threshold), view)


def test_every_kind_of_mark_and_every_degradation_is_among_them(own_logos):
    pictures = [photograph(32, 40, seed) for seed in range(250)]
    views = [
        view
        for logos in ([], [f"synthesis.logos={own_logos}"])
        for seed, picture in enumerate(pictures)
        for view in configured("diverse", *logos).pair(picture, np.random.default_rng(seed))
    ]
    marks = [mark for view in views for mark in view.spec.marks]
    kinds = {mark.art.kind for mark in marks}
    assert kinds == {"text", "logo", "emblem", "line", "rectangle", "circle", "grid", "bars"}
    assert {mark.art.style for mark in marks if isinstance(mark.art, Text)} == {"fill", "outline", "shadow", "emboss"}
    assert {mark.blend for mark in marks} == {"normal", "screen", "multiply"}
    assert {mark.art.kind for mark in marks if mark.tiling} == {"text", "logo", "emblem", "grid", "bars"}
    assert {mark.colour is None for mark in marks if isinstance(mark.art, Logo)} == {True, False}
    degradations = [view.spec.degradation for view in views if view.spec.degradation]
    assert 0.15 < len(degradations) / len(views) < 0.35
    later = {"full_chroma", "first_jpeg", "webp", "screen", "sharpen", "noise"}  # diverse has none of these
    assert all(
        getattr(degradation, field) == getattr(DegradationSpec(), field)
        for field in later
        for degradation in degradations
    )
    for field, plain in vars(DegradationSpec()).items():
        assert field in later or any(getattr(degradation, field) != plain for degradation in degradations)


def test_recipe_marks_nearly_every_picture():
    views = [configured("watermarkcnn", "synthesis.degradation=null")(photograph(), np.random.default_rng(seed))
             for seed in range(100)]  # fmt: skip
    assert sum(view.mask.any() for view in views) >= 97
    assert 0.05 < np.mean([view.mask.mean() for view in views]) < 0.2


def test_both_views_share_degradation_and_clean_picture_and_nothing_else():
    synthesizer = configured("diverse", "synthesis.degradation.share=1", "synthesis.degradation.jpeg=1")
    for seed in range(20):
        first, second = synthesizer.pair(photograph(), np.random.default_rng(seed))
        assert first.spec.degradation == second.spec.degradation
        assert first.spec.degradation is not None
        np.testing.assert_array_equal(first.clean, second.clean)
        assert not set(first.spec.marks) & set(second.spec.marks)


def test_what_the_first_view_draws_does_not_shift_the_second():
    plain = configured("diverse")
    original = plain.sampler

    class Wasteful(Always):
        def how_many(self, generator):
            self.count += 1
            if self.count == 1:
                generator.uniform(size=100)
            return original.how_many(generator)

        def __call__(self, generator):
            return original(generator)

    first, second = plain.pair(photograph(), np.random.default_rng(4))
    wasteful = Synthesizer(lambda assets: Wasteful(), degradation=plain.degradation)
    other_first, other_second = wasteful.pair(photograph(), np.random.default_rng(4))
    assert first.spec != other_first.spec
    assert_equal_views(second, other_second)


@pytest.mark.parametrize("preset", ["diverse", "swcnn"])
def test_equal_generators_give_equal_pairs_and_others_give_others(preset):
    synthesizer = configured(preset)
    images = set()
    for seed in range(10):
        pairs = [synthesizer.pair(photograph(), np.random.default_rng(seed)) for _ in range(2)]
        for first, second in zip(*pairs, strict=True):
            assert_equal_views(first, second)
            images.add(first.image.tobytes())
        assert_equal_views(*(synthesizer(photograph(), np.random.default_rng(seed)) for _ in range(2)))
    assert len(images) >= 19  # swcnn stamps nothing where the share drawn is next to 0


def test_global_generators_are_left_alone(global_random_state):
    before = global_random_state()
    for seed in range(10):
        configured("diverse", "synthesis.degradation.share=1").pair(photograph(), np.random.default_rng(seed))
        configured("swcnn")(photograph(), np.random.default_rng(seed))
    assert global_random_state() == before


@pytest.mark.parametrize("preset", ["diverse", "swcnn"])
def test_photograph_itself_stays_as_it_is(preset):
    picture = photograph()
    picture.flags.writeable = False
    for seed in range(20):
        views = configured(preset).pair(picture, np.random.default_rng(seed))
        np.testing.assert_array_equal(picture, photograph())
        for view in (*views, configured(preset)(picture, np.random.default_rng(seed))):
            np.testing.assert_array_equal(replay(picture, view.spec).image, view.image)
    np.testing.assert_array_equal(picture, photograph())


@pytest.mark.parametrize("cap", [0.02, 0.1, 0.4])
def test_marks_never_cover_more_than_the_cap(cap):
    synthesizer = configured("diverse", f"synthesis.max_coverage={cap}")
    views = [synthesizer(photograph(), np.random.default_rng(seed)) for seed in range(100)]
    shares = [np.count_nonzero(view.alpha.any(axis=2)) / view.mask.size for view in views]
    assert max(shares) <= cap
    assert max(shares) > 0.7 * cap


def test_picture_stays_unmarked_where_no_mark_fits_the_cap():
    synthesizer = making(MarkSpec(Shape("rectangle"), size=4), count=3, max_coverage=0.9)
    view = synthesizer(photograph(), np.random.default_rng(0))
    assert view.spec == ViewSpec()
    assert not view.mask.any()
    np.testing.assert_array_equal(view.image, photograph())
    assert synthesizer.sampler.calls == 10 + 1 + 1  # only the first mark is tried again


def test_mask_leaves_out_what_changes_by_no_more_than_the_threshold():
    faint = MarkSpec(Shape("rectangle"), size=4, opacity=0.1)
    shown = [making(faint, max_coverage=1, mask_threshold=level) for level in (0, 5, 20)]
    for synthesizer in shown:
        view = synthesizer(photograph(), np.random.default_rng(0))
        assert_sound(view, synthesizer.mask_threshold)
    masks = [synthesizer(photograph(), np.random.default_rng(0)).mask.mean() for synthesizer in shown]
    assert masks[0] > masks[1] > masks[2] > 0


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_mask_is_the_same_whatever_a_degradation_makes_of_the_mark(quality):
    degradation = DegradationSampler(1, tone=0, moire=0, blur=0, resample=0, jpeg=1, jpeg_quality=(quality, quality))
    mark = MarkSpec(Shape("rectangle"), size=0.3, opacity=0.2)
    plain = making(mark)(photograph(), np.random.default_rng(0))
    view = making(mark, degradation=degradation)(photograph(), np.random.default_rng(0))
    assert view.spec.degradation == DegradationSpec(jpeg=quality)
    np.testing.assert_array_equal(view.mask, plain.mask)
    assert_equal_views(replay(photograph(), view.spec), view)
    # Compression makes of the mark what taking the mask from afterwards would get wrong
    spread = np.abs(view.image.astype(int) - view.clean).max(axis=2) > 0
    assert (spread & ~plain.mask).any()
    # The clean picture went through the same, so far from the mark nothing differs
    assert not np.array_equal(view.clean, photograph())
    assert not spread[:12, :12].any()


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_stamps_pass_the_share_drawn(share):
    synthesizer = configured("swcnn", f"synthesis.stamped=[{share},{share}]", "synthesis.max_coverage=1")
    for seed in range(15):
        for view in synthesizer.pair(photograph(), np.random.default_rng(seed)):
            assert view.alpha.any(axis=2).mean() >= share
            # The last stamp was needed: without it, the share was not reached.
            before = replay(photograph(), ViewSpec(view.spec.marks[:-1]))
            assert before.alpha.any(axis=2).mean() < share


def test_stamps_stop_at_the_cap():
    synthesizer = configured("swcnn", "synthesis.stamped=[0.3,0.3]", "synthesis.max_coverage=0.3")
    shares = [
        view.alpha.any(axis=2).mean()
        for seed in range(10)
        for view in synthesizer.pair(photograph(), np.random.default_rng(seed))
    ]
    assert max(shares) <= 0.3
    assert min(shares) > 0.15


def test_nothing_is_stamped_for_a_share_of_0():
    view = configured("swcnn", "synthesis.stamped=[0,0]")(photograph(), np.random.default_rng(0))
    assert view.spec.marks == ()
    np.testing.assert_array_equal(view.image, photograph())


def test_mark_that_covers_nothing_is_not_stamped_for_ever():
    invisible = MarkSpec(Shape("rectangle"), size=0.2, opacity=0.0)
    view = making(invisible, stamped=(0.5, 0.5))(photograph(), np.random.default_rng(0))
    assert not view.mask.any()
    assert len(view.spec.marks) <= 200


def test_same_mark_lies_at_other_places_in_the_other_view():
    synthesizer = configured("swcnn", "synthesis.stamped=[0.2,0.4]")
    arts = set()
    for seed in range(15):
        first, second = synthesizer.pair(photograph(), np.random.default_rng(seed))
        marks = first.spec.marks + second.spec.marks
        assert first.spec.marks
        assert second.spec.marks
        looks = {replace(mark, center=(0, 0), size=1.0, angle=0.0) for mark in marks}
        assert len(looks) == 1
        arts.add(looks.pop().art)
        assert len({mark.center for mark in marks}) == len(marks)
        assert not np.array_equal(first.image, second.image)
    assert len(arts) > 10


def test_without_same_mark_each_view_stamps_its_own():
    synthesizer = configured("swcnn", "synthesis.stamped=[0.2,0.4]", "synthesis.same_mark=false")
    first, second = synthesizer.pair(photograph(), np.random.default_rng(0))
    arts = [{mark.art for mark in view.spec.marks} for view in (first, second)]
    assert [len(art) for art in arts] == [1, 1]
    assert arts[0] != arts[1]


def test_specification_can_be_replayed_on_a_photograph_of_another_size():
    for seed in range(10):
        view = configured("logos", "synthesis.degradation=null")(photograph(100, 120), np.random.default_rng(seed))
        other = replay(photograph(200, 240), view.spec)
        assert other.alpha.shape == (200, 240, 3)
        reduced = other.alpha.reshape(100, 2, 120, 2, 3).mean(axis=(1, 3))
        assert np.abs(reduced - view.alpha).mean() < 0.05 * 255


@pytest.mark.parametrize("art", [Text("Sample", "/nowhere/font.ttf"), Text("Sample", "Nothing.ttf"), Logo("/gone.png")])
def test_replay_names_what_is_gone(art):
    with pytest.raises(UserError, match=r"font|gone"):
        replay(photograph(), ViewSpec((MarkSpec(art),)))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        *(({"max_coverage": value}, r"max_coverage=") for value in (0, -0.1, 1.1, float("nan"))),
        *(({"mask_threshold": value}, r"mask_threshold=") for value in (-1, 255)),
        *(({"stamped": value}, r"stamped=") for value in ((0.5, 0.2), (-0.1, 0.2), (0.5, 1.1), (0.5,))),
        ({"same_mark": True}, r"same_mark=true needs synthesis\.stamped"),
        ({"fonts": ["/nowhere"]}, r"fonts.*nowhere"),
        ({"logos": "/nowhere"}, r"logos=/nowhere"),
    ],
)
def test_wrong_value_is_refused_by_name(options, named):
    with pytest.raises(UserError, match=rf"synthesis\.{named}"):
        making(MarkSpec(Shape("rectangle")), **options)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 60, 140), (1.0, 200, 200)])
def test_a_share_of_views_is_left_unmarked(share, least, most):
    synthesizer = making(MarkSpec(Shape("rectangle"), size=0.5), unmarked=share)
    picture = photograph()
    views = [synthesizer(picture, np.random.default_rng(seed)) for seed in range(200)]
    empty = [view for view in views if not view.spec.marks]
    assert least <= len(empty) <= most
    for view in empty:
        assert np.array_equal(view.image, picture)
        assert not view.mask.any()


def test_a_share_of_unmarked_views_out_of_range_is_refused():
    with pytest.raises(UserError, match=r"synthesis\.unmarked=1\.5 must lie within 0\.\.1"):
        making(MarkSpec(Shape("rectangle")), unmarked=1.5)
