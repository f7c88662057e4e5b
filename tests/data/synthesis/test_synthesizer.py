from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wm_lightning.data.synthesis import MarkSampler, Synthesizer
from wm_lightning.data.synthesis.blend import blend
from wm_lightning.data.synthesis.render import render
from wm_lightning.errors import UserError

CONF = Path(__file__).parents[3] / "conf" / "synthesis" / "watermarkcnn.yaml"


def photograph(height=64, width=96, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def covered(view):
    """The share of the picture under its marks."""
    height, width = view.mask.shape
    union = np.zeros((height, width), dtype=bool)
    for spec in view.specs:
        layer = render(spec, height, width)
        rows, columns = layer.alpha.shape
        union[layer.top : layer.top + rows, layer.left : layer.left + columns] |= layer.alpha > 0
    return union.mean()


@pytest.fixture(scope="module")
def configured():
    return instantiate(OmegaConf.load(CONF))


def shapes(**options):
    return MarkSampler({}, {"rectangle": 1, "circle": 1}, **options)


def test_equal_generators_give_equal_views(configured):
    first, second = (configured(photograph(), np.random.default_rng(5)) for _ in range(2))
    assert first.specs == second.specs
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.mask, second.mask)


def test_generators_of_other_seeds_give_other_views(configured):
    views = [configured(photograph(), np.random.default_rng(seed)) for seed in range(10)]
    assert len({view.image.tobytes() for view in views}) == 10


def test_global_generators_are_left_alone(configured, global_random_state):
    before = global_random_state()
    for seed in range(10):
        configured(photograph(), np.random.default_rng(seed))
    assert global_random_state() == before


def test_photograph_itself_stays_as_it_is(configured):
    picture = photograph()
    view = configured(picture, np.random.default_rng(0))
    np.testing.assert_array_equal(picture, photograph())
    assert view.mask.any()


def test_mask_is_exactly_where_the_view_differs(configured):
    for seed in range(20):
        picture = photograph(seed=seed)
        view = configured(picture, np.random.default_rng(seed))
        np.testing.assert_array_equal(view.mask, (view.image != picture).any(axis=2))
        assert view.mask.dtype == bool
        assert view.image.dtype == np.uint8


def test_specs_replay_to_the_same_view(configured):
    for seed in range(20):
        view = configured(photograph(), np.random.default_rng(seed))
        again = photograph()
        for spec in view.specs:
            blend(again, render(spec, *again.shape[:2]))
        np.testing.assert_array_equal(again, view.image)


@pytest.mark.parametrize("cap", [0.02, 0.1, 0.4])
def test_marks_never_cover_more_than_the_cap(configured, cap):
    synthesizer = Synthesizer(configured.sampler, max_coverage=cap)
    shares = [covered(synthesizer(photograph(), np.random.default_rng(seed))) for seed in range(60)]
    assert max(shares) <= cap
    assert max(shares) > 0.5 * cap


def test_recipe_marks_nearly_every_picture(configured):
    views = [configured(photograph(), np.random.default_rng(seed)) for seed in range(100)]
    assert sum(view.mask.any() for view in views) >= 97
    # The recipe says that a tenth of a picture is covered on average.
    assert 0.05 < np.mean([view.mask.mean() for view in views]) < 0.2


def test_picture_stays_unmarked_where_no_mark_fits_the_cap(mark):
    class Large:
        calls = 0

        def count(self, generator):
            return 3

        def __call__(self, generator):
            self.calls += 1
            return mark(size=4, aspect=1)

    sampler = Large()
    view = Synthesizer(sampler, max_coverage=0.9)(photograph(), np.random.default_rng(0))
    assert view.specs == ()
    assert not view.mask.any()
    np.testing.assert_array_equal(view.image, photograph())
    assert sampler.calls == 10 + 1 + 1


def test_mark_that_reaches_the_cap_exactly_is_drawn(mark):
    class Half:
        def count(self, generator):
            return 1

        def __call__(self, generator):
            return mark(size=1, aspect=0.5)  # 40 x 20 of 40 x 40

    below, exact = (Synthesizer(Half(), cap)(photograph(40, 40), np.random.default_rng(0)) for cap in (0.499, 0.5))
    assert below.specs == ()
    assert len(exact.specs) == 1
    assert (exact.image[10:30] == 255).all()


def test_overlapping_marks_count_once_and_are_drawn_in_order(mark):
    class Two:
        specs = [mark(size=0.5, aspect=1, colour=(0, 0, 0)), mark(size=0.5, aspect=1, colour=(200, 100, 50))]  # noqa: RUF012

        def count(self, generator):
            return 2

        def __call__(self, generator):
            return self.specs.pop(0)

    view = Synthesizer(Two(), max_coverage=0.25)(photograph(40, 40), np.random.default_rng(0))
    assert len(view.specs) == 2
    assert (view.image[10:30, 10:30] == (200, 100, 50)).all()


@pytest.mark.parametrize("marks", [(1, 1), (3, 3)])
def test_number_of_marks_is_the_samplers(marks):
    synthesizer = Synthesizer(shapes(marks=marks, size=(0.05, 0.1)), max_coverage=1)
    for seed in range(10):
        assert len(synthesizer(photograph(), np.random.default_rng(seed)).specs) == marks[0]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (200, 3), (2, 2), (37, 31)])
@pytest.mark.parametrize("cap", [0.4, 1])
def test_any_size_of_picture_can_be_marked(configured, height, width, cap):
    synthesizer = Synthesizer(configured.sampler, max_coverage=cap)
    for seed in range(15):
        picture = photograph(height, width)
        view = synthesizer(picture, np.random.default_rng(seed))
        assert view.image.shape == picture.shape
        np.testing.assert_array_equal(view.mask, (view.image != picture).any(axis=2))
        assert covered(view) <= cap


@pytest.mark.parametrize("cap", [0, -0.1, 1.1, float("nan")])
def test_cap_that_is_no_share_is_refused(cap):
    with pytest.raises(UserError, match=r"synthesis\.max_coverage"):
        Synthesizer(shapes(), max_coverage=cap)
