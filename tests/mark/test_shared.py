import numpy as np
import pytest

from tests.mark.conftest import CORNER, lettering, photograph, put
from wm_lightning.data.synthesis.degradation import degrade
from wm_lightning.data.synthesis.spec import DegradationSpec
from wm_lightning.mark.known import KnownMark
from wm_lightning.mark.shared import (
    Shared,
    agreement,
    area_of,
    border_of,
    constant,
    halo_of,
    integrated,
    median_of,
    shared_gradients,
)


def test_a_picture_comes_back_from_its_gradients():
    picture = photograph(0)
    across = np.pad(np.diff(picture, axis=1), ((0, 0), (0, 1), (0, 0)))
    down = np.pad(np.diff(picture, axis=0), ((0, 1), (0, 0), (0, 0)))
    back = integrated(Shared(across, down, np.ones(picture.shape[:2], bool), 0.0))
    np.testing.assert_allclose(back, picture - picture.mean(axis=(0, 1)), atol=1e-4)


def test_the_area_is_where_pictures_share_a_mark(letters):
    stack = np.stack([put(photograph(seed), letters) for seed in range(20)])
    shared = shared_gradients(stack)
    area, truth = area_of(shared), np.zeros(stack.shape[1:3], bool)
    truth[CORNER[0] : CORNER[0] + 22, CORNER[1] : CORNER[1] + 62] = letters.alpha > 0.05
    assert (area & truth).sum() > 0.9 * truth.sum()
    assert (area & ~truth).sum() < 0.8 * truth.sum()
    assert min(agreement(one, shared) for one in stack) > 0.3
    clean = [np.rint(photograph(seed) * 255).astype(np.uint8) for seed in range(30, 40)]
    assert max(agreement(one, shared) for one in clean) < 0.15


def test_a_frame_is_a_border_and_what_lies_within_is_not():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 256, (8, 30, 40, 3)).astype(np.uint8)
    stack[:, :5] = 255
    stack[:, 15:20, 15:20] = 9
    same, border = constant(stack), border_of(stack)
    assert same.sum() == 5 * 40 + 25
    assert border.sum() == 5 * 40
    assert border[:5].all()


@pytest.mark.parametrize("shape", [(6, 37, 31, 3), (6, 130, 9, 1)])
def test_flat_pictures_share_no_gradient(shape):
    shared = shared_gradients(np.full(shape, 100, np.uint8))
    assert shared.across.shape == shape[1:]
    assert not shared.sure.any()
    assert shared.support == 0
    assert not area_of(shared).any()


def test_what_is_less_sure_counts_beside_what_is_sure():
    rng = np.random.default_rng(0)
    stack = rng.normal(120, 12, (20, 90, 160, 3)).clip(0, 255).round()
    for left, strength in ((10, 40), (40, 10), (130, 10)):  # seen well; less, beside it; as little, far from both
        stack[:, 40:54, left : left + 14] += strength
    shared = shared_gradients(stack.astype(np.uint8))
    seen = [shared.sure[38:56, left - 2 : left + 16].mean() for left in (10, 40, 130)]
    assert min(seen[:2]) > 0.3
    assert seen[2] == 0


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_the_median_is_that_of_numpy(count):
    values = np.random.default_rng(count).normal(size=(count, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(median_of(values), np.median(values, axis=0))


def test_the_faint_end_of_a_halo_belongs_to_a_mark():
    rng = np.random.default_rng(0)
    down, across = np.mgrid[-40:41, -40:41]
    halo = (0.25 * np.exp(-(down**2 + across**2) / (2 * 9**2))).astype(np.float32)
    greys = rng.uniform(0.1, 0.4, 40)
    stack = np.stack([np.rint(255 * ((1 - halo) * grey + halo)).astype(np.uint8) for grey in greys])[..., None]
    shared = shared_gradients(stack)
    visible = area_of(shared)
    area = visible | halo_of(shared, visible)
    faint = (halo * (1 - greys.mean()) < 0.027) & (halo > 0.02)
    assert area[faint].mean() > 0.7
    assert area[halo > 0.1].all()
    assert not area[halo < 0.0001].any()


def lines():
    alpha = np.zeros((30, 50), np.float32)
    alpha[::12] = alpha[:, ::12] = 0.4
    return alpha


@pytest.mark.parametrize("quality", [None, 95, 85, 75])
@pytest.mark.parametrize("alpha", [lettering(), np.full((30, 50), 0.2, np.float32), lines()])
def test_a_mark_with_a_sharp_rim_has_no_halo(alpha, quality):
    mark = KnownMark(alpha, np.repeat(alpha[..., None], 3, axis=-1), np.zeros_like(alpha))
    stack = np.stack([put(photograph(seed, (110, 140)), mark, (35, 40)) for seed in range(40)])
    if quality is not None:
        stack = np.stack([degrade(one, DegradationSpec(jpeg=quality)) for one in stack])
    shared = shared_gradients(stack)
    visible = area_of(shared)
    assert visible.any()
    assert not halo_of(shared, visible).any()


def test_a_faint_line_far_away_is_no_halo(letters):
    pictures = [photograph(seed, (120, 180)) for seed in range(24)]
    for picture in pictures:
        picture[10:12, 100:145] = 0.97 * picture[10:12, 100:145] + 0.03
    shared = shared_gradients(np.stack([put(one, letters, (80, 20)) for one in pictures]))
    assert shared.sure[8:14, 98:147].any()
    assert not halo_of(shared, area_of(shared)).any()


def test_gradients_too_faint_to_be_seen_are_no_mark():
    sure = np.zeros((60, 60), bool)
    sure[20:40, 20:40] = True
    faint = np.where(sure[..., None], np.float32(1e-4), np.float32(0)).repeat(3, axis=-1)
    assert not area_of(Shared(faint, faint, sure, 100.0)).any()
