from dataclasses import replace

import cv2
import numpy as np
import pytest

from wm_lightning.data.synthesis.degradation import DegradationSampler, degrade
from wm_lightning.data.synthesis.spec import DegradationSpec
from wm_lightning.errors import UserError

SPECS = {
    "contrast": DegradationSpec(contrast=1.3),
    "brightness": DegradationSpec(brightness=-17.5),
    "moire": DegradationSpec(moire=(5.0, 3.7, 25.0)),
    "blur": DegradationSpec(blur=0.8),
    "resample": DegradationSpec(resample=0.6),
    "jpeg": DegradationSpec(jpeg=60),
    "first_jpeg": DegradationSpec(first_jpeg=60),
    "webp": DegradationSpec(webp=60),
    "screen": DegradationSpec(screen=(0.7, "area")),
    "sharpen": DegradationSpec(sharpen=(1.0, 0.8)),
    "noise": DegradationSpec(noise=(3.0, 7)),
}
EVERYTHING = DegradationSpec(contrast=0.8, brightness=12, moire=(5.0, 3.7, 25.0), blur=0.8, resample=0.6, jpeg=60)


def photograph(height=48, width=64, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def even(level, height=48, width=64):
    return np.full((height, width, 3), level, dtype=np.uint8)


def sampler(**options):
    """Everything happens, but for what is told."""
    return DegradationSampler(
        **{**dict.fromkeys(("share", "tone", "moire", "blur", "resample", "jpeg"), 1.0), **options}
    )


def test_degradation_by_nothing_changes_nothing():
    np.testing.assert_array_equal(degrade(photograph(), DegradationSpec()), photograph())


@pytest.mark.parametrize("name", SPECS)
def test_each_filter_changes_something_and_equal_pictures_equally(name):
    picture = photograph()
    picture.flags.writeable = False
    first, second = (degrade(shown, SPECS[name]) for shown in (picture, photograph()))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(picture, photograph())
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert not np.array_equal(first, picture)


@pytest.mark.parametrize("contrast", [0.0, 0.5, 1.0, 1.2, 4.0])
@pytest.mark.parametrize("brightness", [-255, -20.3, 0, 7.5])
def test_tone_is_a_factor_around_middle_grey_and_an_offset(contrast, brightness):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    exact = ((levels - 127.5) * contrast + 127.5 + brightness).clip(0, 255)
    out = degrade(levels, DegradationSpec(contrast=contrast, brightness=brightness))
    assert np.abs(out - exact).max() <= 0.501


@pytest.mark.parametrize(("strength", "period", "angle"), [(2.0, 2.2, 0.0), (6.0, 4.0, 30.0), (20.0, 6.0, 135.0)])
def test_moire_is_a_wave_of_its_strength_period_and_angle(strength, period, angle):
    stripes = degrade(even(128, 256, 256), DegradationSpec(moire=(strength, period, angle))).astype(float) - 128
    assert (stripes == stripes[..., :1]).all()
    assert np.abs(stripes).max() <= strength + 0.5
    assert np.abs(stripes).max() >= strength - 0.6
    assert abs(stripes.mean()) < 0.25
    spectrum = np.abs(np.fft.fft2(stripes[..., 0]))
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    found = np.array([np.fft.fftfreq(256)[column], np.fft.fftfreq(256)[row]])
    wanted = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]) / period
    assert min(np.abs(found - wanted).max(), np.abs(found + wanted).max()) < 1.5 / 256  # a wave has both signs


@pytest.mark.parametrize("level", [0, 255])
def test_moire_stays_within_black_and_white(level):
    out = degrade(even(level), SPECS["moire"]).astype(int)
    assert np.abs(out - level).max() <= 5


@pytest.mark.parametrize("sigma", [0.3, 0.7, 1.0, 2.5])
def test_blur_is_a_gaussian(sigma):
    reach = int(4 * sigma) + 2
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-(places**2) / (2 * sigma**2))
    weights /= weights.sum()
    exact = np.pad(photograph(), ((reach, reach), (reach, reach), (0, 0)), mode="reflect").astype(float)
    for axis in (0, 1):
        exact = np.apply_along_axis(np.convolve, axis, exact, weights, "valid")
    assert np.abs(degrade(photograph(), DegradationSpec(blur=sigma)) - exact).max() <= 2


@pytest.mark.parametrize("name", ["blur", "resample", "jpeg"])
@pytest.mark.parametrize("level", [0, 37, 128, 255])
def test_even_picture_stays_even(name, level):
    assert np.abs(degrade(even(level), SPECS[name]).astype(int) - level).max() <= 1


@pytest.mark.parametrize("scale", [0.05, 0.5, 0.77, 0.9])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (33, 64), (48, 50)])
def test_resampling_keeps_the_shape(scale, height, width):
    out = degrade(photograph(height, width), DegradationSpec(resample=scale))
    assert out.shape == (height, width, 3)
    assert out.dtype == np.uint8


def test_resampling_loses_what_is_fine_and_keeps_what_is_coarse():
    board = even(0)
    board[::2, ::2] = board[1::2, 1::2] = 255
    assert np.abs(degrade(board, DegradationSpec(resample=0.5)).astype(int) - 127).max() <= 2
    assert np.abs(degrade(photograph(), DegradationSpec(resample=0.5)).astype(int) - photograph()).mean() < 4


@pytest.mark.parametrize("quality", [1, 50, 95, 100])
def test_jpeg_is_the_round_trip_of_opencv(quality):
    blue_first = photograph()[..., ::-1].copy()
    _, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
    wanted = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(degrade(photograph(), DegradationSpec(jpeg=quality)), wanted)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255), (200, 120, 40)])
def test_jpeg_keeps_red_red_and_blue_blue(colour):
    picture = even(0)
    picture[...] = colour
    assert np.abs(degrade(picture, DegradationSpec(jpeg=95)).astype(int) - colour).max() <= 3


def test_full_chroma_keeps_colours_apart_that_half_the_resolution_mixes():
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2, 0] = stripes[:, 1::2, 2] = 200
    errors = [
        np.abs(degrade(stripes, DegradationSpec(jpeg=95, full_chroma=full)).astype(int) - stripes).mean()
        for full in (False, True)
    ]
    assert errors[1] < 0.25 * errors[0]


def test_as_many_compressed_pictures_keep_full_chroma_as_asked_for():
    specs = [sampler(full_chroma=0.3)(np.random.default_rng(seed)) for seed in range(400)]
    assert all(spec.jpeg is not None for spec in specs)
    assert 0.2 < np.mean([spec.full_chroma for spec in specs]) < 0.4
    assert not any(sampler()(np.random.default_rng(seed)).full_chroma for seed in range(50))


def test_better_jpeg_comes_closer():
    errors = [
        np.abs(degrade(photograph(), DegradationSpec(jpeg=q)).astype(int) - photograph()).mean() for q in (5, 50, 95)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_filters_come_in_the_order_of_the_specification():
    out = photograph()
    for field in ("contrast", "moire", "blur", "resample", "jpeg"):
        change = {field: getattr(EVERYTHING, field)}
        if field == "contrast":  # both in one step, so that nothing is rounded between them
            change["brightness"] = EVERYTHING.brightness
        out = degrade(out, replace(DegradationSpec(), **change))
    np.testing.assert_array_equal(degrade(photograph(), EVERYTHING), out)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (50, 1), (2, 3), (600, 40)])
def test_pictures_of_any_size_can_be_degraded(height, width):
    assert degrade(photograph(height, width), EVERYTHING).shape == (height, width, 3)


def test_share_says_how_often_anything_happens():
    for seed in range(50):
        generator = np.random.default_rng(seed)
        assert sampler(share=0)(generator) is None
        assert sampler(share=1)(generator) is not None
    some = sampler(share=0.3)
    assert sum(some(np.random.default_rng(seed)) is not None for seed in range(500)) == pytest.approx(150, abs=45)


def test_a_degradation_in_which_nothing_happens_is_none():
    nothing = sampler(tone=0, moire=0, blur=0, resample=0, jpeg=0)
    assert nothing(np.random.default_rng(0)) is None


@pytest.mark.parametrize(
    ("share", "fields"),
    [
        ("tone", ("contrast", "brightness")),
        ("moire", ("moire",)),
        ("blur", ("blur",)),
        ("resample", ("resample",)),
        ("jpeg", ("jpeg",)),
    ],
)
def test_each_filter_has_its_own_share(share, fields):
    later = dict.fromkeys(("full_chroma", "twice", "webp", "screen", "sharpen", "noise"), 1)
    without, rare = sampler(**{share: 0}, **later), sampler(**{share: 0.25})
    plain = DegradationSpec()
    fields += ("full_chroma", "first_jpeg") if share == "jpeg" else ()  # which are of a compression
    specs = [without(np.random.default_rng(seed)) for seed in range(30)]
    for field in vars(plain):
        assert all((getattr(spec, field) == getattr(plain, field)) == (field in fields) for spec in specs)
    happened = [
        getattr(rare(np.random.default_rng(seed)), fields[0]) != getattr(plain, fields[0]) for seed in range(400)
    ]
    assert sum(happened) == pytest.approx(100, abs=36)


def test_ranges_are_kept_and_used():
    drawn = [
        sampler(
            contrast=(0.5, 0.6), brightness=(3, 5), moire_strength=(7, 8), blur_sigma=(0.2, 0.4),
            resample_scale=(0.3, 0.4), jpeg_quality=(20, 22),
        )(np.random.default_rng(seed))
        for seed in range(200)
    ]  # fmt: skip
    for values, low, high in (
        ([spec.contrast for spec in drawn], 0.5, 0.6),
        ([spec.brightness for spec in drawn], 3, 5),
        ([spec.moire[0] for spec in drawn], 7, 8),
        ([spec.moire[1] for spec in drawn], 2.2, 6),
        ([spec.moire[2] for spec in drawn], 0, 180),
        ([spec.blur for spec in drawn], 0.2, 0.4),
        ([spec.resample for spec in drawn], 0.3, 0.4),
    ):
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
    assert {spec.jpeg for spec in drawn} == {20, 21, 22}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((name, value) for name in ("share", "tone", "moire", "blur", "resample", "jpeg") for value in (-0.1, 1.1)),
        ("share", float("nan")),
        ("contrast", (1.2, 0.8)),
        ("contrast", (-0.1, 1)),
        ("contrast", (1,)),
        ("brightness", (-256, 0)),
        ("moire_strength", (0, 65)),
        ("blur_sigma", (-1, 1)),
        ("blur_sigma", (0, 11)),
        ("blur_sigma", (float("nan"), 1)),
        ("resample_scale", (0.01, 1)),
        ("resample_scale", (0.5, 1.1)),
        ("jpeg_quality", (0, 50)),
        ("jpeg_quality", (50, 101)),
        ("jpeg_quality", (50, 60, 70)),
    ],
)
def test_wrong_value_is_refused_by_name(key, value):
    with pytest.raises(UserError, match=rf"synthesis\.degradation\.{key}="):
        DegradationSampler(**{key: value})


def test_only_the_generator_given_is_used(global_random_state):
    before = global_random_state()
    first, second = ([sampler()(generator) for _ in range(5)] for generator in map(np.random.default_rng, (3, 3)))
    assert first == second
    assert len({spec.contrast for spec in first}) == 5
    for spec in first:
        degrade(photograph(), spec)
    assert global_random_state() == before


@pytest.mark.parametrize(("kernel", "interpolation"), [
    ("area", cv2.INTER_AREA), ("cubic", cv2.INTER_CUBIC), ("lanczos", cv2.INTER_LANCZOS4),
])  # fmt: skip
@pytest.mark.parametrize(("scale", "size"), [(0.5, (32, 24)), (1.5, (96, 72))])
def test_screenshot_is_shown_at_another_size_and_brought_back(kernel, interpolation, scale, size):
    shown = cv2.resize(photograph(), size, interpolation=interpolation)
    expected = cv2.resize(shown, (64, 48), interpolation=interpolation)
    np.testing.assert_array_equal(degrade(photograph(), DegradationSpec(screen=(scale, kernel))), expected)


@pytest.mark.parametrize(("amount", "sigma"), [(0.5, 0.6), (1.5, 1.0)])
def test_sharpening_gives_an_edge_a_rim_on_both_sides_and_leaves_what_is_even(amount, sigma):
    step = even(80)
    step[:, 32:] = 160
    sharp = degrade(step, DegradationSpec(sharpen=(amount, sigma))).astype(int)
    softened = degrade(step, DegradationSpec(blur=sigma)).astype(int)
    # Unsharp masking: as far beyond the edge's levels as a blur falls short of them, times the amount
    np.testing.assert_allclose(sharp - step, amount * (step.astype(int) - softened), atol=1)
    assert sharp[:, 31].max() < 80 < 160 < sharp[:, 32].min()
    assert (sharp[:, :20] == 80).all()
    assert (sharp[:, 44:] == 160).all()


@pytest.mark.parametrize("sigma", [0.5, 2.0, 10.0])
def test_noise_has_its_strength_no_bias_and_a_seed(sigma):
    grey = even(128, 200, 200)
    drawn = degrade(grey, DegradationSpec(noise=(sigma, 3))).astype(float) - 128
    assert drawn.std() == pytest.approx(np.hypot(sigma, 0.29), rel=0.05)
    assert abs(drawn.mean()) < 0.05 * sigma
    assert abs(np.corrcoef(drawn[..., 0].ravel(), drawn[..., 1].ravel())[0, 1]) < 0.03
    other = degrade(grey, DegradationSpec(noise=(sigma, 4))).astype(float) - 128
    assert abs(np.corrcoef(drawn.ravel(), other.ravel())[0, 1]) < 0.03


def test_webp_keeps_colours_in_their_order_and_comes_closer_with_quality():
    red = np.full((32, 32, 3), (200, 40, 90), dtype=np.uint8)
    assert np.abs(degrade(red, DegradationSpec(webp=80)).astype(int) - red).max() <= 8
    errors = [np.abs(degrade(photograph(), DegradationSpec(webp=quality)).astype(int) - photograph()).mean()
              for quality in (10, 60, 95)]  # fmt: skip
    assert errors[0] > errors[1] > errors[2] > 0


def test_second_jpeg_compresses_what_the_first_one_left():
    first = degrade(photograph(), DegradationSpec(jpeg=40))
    both = degrade(photograph(), DegradationSpec(first_jpeg=40, jpeg=85))
    np.testing.assert_array_equal(both, degrade(first, DegradationSpec(jpeg=85)))


def test_what_came_later_has_its_own_share_and_range_and_is_off_by_default():
    later = dict.fromkeys(("twice", "webp", "screen", "noise", "sharpen"), 0.5)
    generator = np.random.default_rng(0)
    drawn = [sampler(**later, jpeg_quality=(40, 60))(generator) for _ in range(600)]
    for field in ("first_jpeg", "webp", "screen", "noise", "sharpen"):
        assert np.mean([getattr(spec, field) is not None for spec in drawn]) == pytest.approx(0.5, abs=0.07)
    assert all(40 <= spec.first_jpeg <= 60 for spec in drawn if spec.first_jpeg is not None)
    assert all(50 <= spec.webp <= 95 for spec in drawn if spec.webp is not None)
    assert all(0.6 <= spec.screen[0] <= 1.5 for spec in drawn if spec.screen is not None)
    assert {spec.screen[1] for spec in drawn if spec.screen is not None} == {"area", "cubic", "lanczos"}
    assert all(0.5 <= spec.noise[0] <= 4 for spec in drawn if spec.noise is not None)
    sharpened = [spec.sharpen for spec in drawn if spec.sharpen is not None]
    assert all(0.3 <= amount <= 2 and 0.5 <= sigma <= 1.5 for amount, sigma in sharpened)
    never = [sampler(jpeg=0.0, twice=1.0)(generator) for _ in range(20)]
    assert all(spec.first_jpeg is None for spec in never)  # only what is compressed can be compressed twice


@pytest.mark.parametrize(
    ("key", "value"),
    [("twice", 1.1), ("webp", -0.1), ("screen", 2), ("noise", float("nan")), ("webp_quality", (0, 50)),
     ("screen_scale", (0.01, 1)), ("noise_sigma", (3, 1)), ("sharpen", -0.1), ("sharpen_amount", (0, 11)),
     ("sharpen_sigma", (0, 1))],
)  # fmt: skip
def test_wrong_value_of_what_came_later_is_refused_by_name(key, value):
    with pytest.raises(UserError, match=rf"^synthesis\.degradation\.{key}="):
        sampler(**{key: value})
