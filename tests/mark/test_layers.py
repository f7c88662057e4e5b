import cv2
import numpy as np
import pytest

from tests.mark.conftest import photograph, put
from wm_lightning.data.synthesis.degradation import degrade
from wm_lightning.data.synthesis.spec import DegradationSpec
from wm_lightning.mark.known import KnownMark
from wm_lightning.mark.layers import MARGIN, Layers, colours_of, first_guess, noise_of, refined, step_left, window

AREA = np.zeros((60, 80), bool)
AREA[24:36, 28:52] = True


def test_a_window_has_its_margin_as_far_as_there_is_one():
    assert window(AREA, 6) == (slice(18, 42), slice(22, 58))
    rows, columns = window(AREA, 100)
    assert AREA[rows, columns].shape == AREA.shape


def test_the_step_that_an_undone_mark_leaves():
    greys = np.random.default_rng(0).integers(60, 180, 12)
    stack = np.stack([np.full((60, 80, 3), grey, np.uint8) for grey in greys])
    size = AREA[window(AREA, MARGIN)].shape
    none = Layers(np.zeros(size, np.float32), np.zeros((*size, 3), np.float32))
    assert step_left(stack, AREA, none) == pytest.approx((0, 0), abs=1e-6)
    stack[:, AREA] += 51
    step, error = step_left(stack, AREA, none)
    assert (step, error) == pytest.approx((0.2, 0), abs=1e-6)
    assert step_left(stack, np.ones_like(AREA), none._replace(alpha=np.zeros((60, 80), np.float32),
                     paint=np.zeros((60, 80, 3), np.float32))) == (0, 1)  # nothing to compare with  # fmt: skip


def test_what_photographs_show_far_from_a_mark_is_no_step():
    rows, columns = np.mgrid[:60, :80] - np.array([30, 40])[:, None, None]
    darker_in_the_middle = (80 + 2.5 * np.hypot(rows, columns)).astype(np.uint8)
    stack = np.repeat(np.repeat(darker_in_the_middle[None, ..., None], 12, axis=0), 3, axis=-1)
    size = AREA[window(AREA, MARGIN)].shape
    none = Layers(np.zeros(size, np.float32), np.zeros((*size, 3), np.float32))
    step, _ = step_left(stack, AREA, none)
    everything = (stack[:, AREA].mean() - stack[:, ~AREA].mean()) / 255
    assert everything < -0.2
    assert abs(step) < 0.6 * abs(everything)


def test_a_flat_mark_is_measured(letters):
    part = slice(28, 70), slice(24, 106)
    stack = np.stack([put(photograph(seed), letters)[part] for seed in range(16)])
    area = np.zeros(stack.shape[1:3], bool)
    area[10:32, 10:72] = letters.alpha > 0
    guess = first_guess(stack, area)
    found = refined(stack, area, guess, steps=150)
    rows, columns = window(area, MARGIN)
    truth = np.zeros(area.shape, np.float32)
    truth[10:32, 10:72] = letters.alpha
    off = [
        np.abs(alpha - truth[rows, columns])[area[rows, columns]].mean()
        for alpha in (guess.alpha[rows, columns], found.alpha)
    ]
    assert off[1] < 0.03
    assert off[1] < 0.6 * off[0]


def test_a_wide_area_is_not_taken_for_less_opaque_where_compression_blurs_its_rim():
    alpha = np.zeros((70, 90), np.float32)
    alpha[20:50, 25:65] = 0.6
    mark = KnownMark(alpha, alpha[..., None] * np.float32([0.9, 0.2, 0.1]), np.zeros_like(alpha))
    pictures = [put(photograph(seed, (70, 90)), mark, (0, 0)) for seed in range(16)]
    stack = np.stack([degrade(picture, DegradationSpec(jpeg=85)) for picture in pictures])
    area = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    found = refined(stack, area, first_guess(stack, area), steps=120)
    assert np.median(found.alpha[found.alpha > 0.3]) == pytest.approx(0.6, abs=0.07)  # without blocks 0.50


def test_where_a_mark_fades_out_no_veil_is_found():
    drawn = np.zeros((120, 150), np.float32)
    drawn[50:70, 55:95] = 0.4
    alpha = np.maximum(drawn, cv2.GaussianBlur(drawn, (0, 0), 6))
    mark = KnownMark(alpha, np.repeat(alpha[..., None], 3, axis=-1), np.zeros_like(alpha))
    stack = np.stack([put(photograph(seed, (120, 150)), mark, (0, 0)) for seed in range(30)])
    area = cv2.dilate((drawn > 0).astype(np.uint8), np.ones((33, 33), np.uint8)).astype(bool)
    faint = area & (alpha < 0.05)
    guess, errors = first_guess(stack, area), []
    for halo in (None, faint):
        found = refined(stack, area, guess, halo, steps=150)
        errors.append(float(np.abs(found.alpha[faint[window(area, MARGIN)]] - alpha[faint]).mean()))
    assert errors[1] < 0.03
    assert errors[1] < 0.92 * errors[0]


def test_noise_is_that_of_rounding_beneath_what_is_left():
    alpha = np.array([[0, 0.5]], np.float32)
    noise = noise_of(Layers(alpha, np.zeros((1, 2, 3), np.float32)), 10**9)
    assert noise[0] == pytest.approx((1 / (255 * 12**0.5), 2 / (255 * 12**0.5)), rel=1e-3)


def test_the_colours_of_a_mark_are_found_again():
    alpha = np.full((12, 30), 0.4, np.float32)
    alpha[:, :3] = 0.01
    true = np.array([[0.1, 0.1, 0.2], [0.5, 0.6, 0.4], [0.9, 0.9, 1.0]], np.float32)
    colours = np.repeat(true, 10, axis=0)[None].repeat(12, axis=0)
    noise = np.random.default_rng(0).normal(0, 0.02, (12, 30, 3)).astype(np.float32)
    found = colours_of(Layers(alpha, alpha[..., None] * (colours + noise)))
    np.testing.assert_allclose(found, true, atol=0.02)
    noisy = np.clip(1 + noise * 2, 0, 1)
    np.testing.assert_allclose(colours_of(Layers(alpha, alpha[..., None] * noisy)), [[1, 1, 1]], atol=0.02)  # one alone
    few = colours_of(Layers(np.array([[0.5, 0.5]], np.float32), np.array([[[0.5, 0, 0], [0, 0.5, 0]]], np.float32)))
    np.testing.assert_array_equal(few, [[1, 0, 0], [0, 1, 0]])
