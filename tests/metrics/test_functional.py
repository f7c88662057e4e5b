import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity

from wm_lightning.metrics import psnr, rmse, ssim, ssim_uniform, ssim_zero_padded
from wm_lightning.metrics.functional import ssim_map

SSIMS = (ssim, ssim_uniform, ssim_zero_padded)


def noise(seed, batch=2, height=37, width=31):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


def gaussian_ssim_map(first, second, border):
    """The formula in double precision, with one of SciPy's borders, (B, 3, H, W)."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = (np.outer(line, line) / line.sum() ** 2)[None, None]
    x, y = first.double().numpy(), second.double().numpy()
    mean_x, mean_y, xx, yy, xy = (
        ndimage.correlate(image, window, mode=border) for image in (x, y, x * x, y * y, x * y)
    )
    upper = (2 * mean_x * mean_y + 1e-4) * (2 * (xy - mean_x * mean_y) + 9e-4)
    lower = (mean_x**2 + mean_y**2 + 1e-4) * (xx - mean_x**2 + yy - mean_y**2 + 9e-4)
    return upper / lower


def gaussian_ssim(first, second, border):
    """An array of one value a picture."""
    return gaussian_ssim_map(first, second, border).mean(axis=(1, 2, 3))


@pytest.mark.parametrize(("difference", "wanted"), [(0.1, 20), (0.01, 40), (1.0, 0), (0.5, 6.0206)])
def test_psnr_of_a_constant_difference(difference, wanted):
    target = torch.zeros(1, 3, 5, 7)
    assert psnr(target + difference, target).item() == pytest.approx(wanted, abs=1e-3)


def test_psnr_pools_channels_and_pixels_before_the_logarithm():
    prediction, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    prediction[0, 0, 0, 0], prediction[0, 1, 1, 1] = 0.6, 0.8
    assert psnr(prediction, target).item() == pytest.approx(10 * np.log10(12 / (0.36 + 0.64)), abs=1e-4)


def test_psnr_scores_each_picture_by_itself():
    target = torch.zeros(3, 3, 4, 4)
    prediction = torch.tensor([0.1, 1.0, 0.01]).view(3, 1, 1, 1).expand_as(target)
    torch.testing.assert_close(psnr(prediction, target), torch.tensor([20.0, 0.0, 40.0]), atol=1e-3, rtol=0)


def test_equal_pictures_score_100_db():
    assert psnr(noise(0), noise(0)).tolist() == [100, 100]


def test_region_leaves_out_what_is_outside():
    target = torch.zeros(1, 3, 4, 4)
    prediction = torch.full_like(target, 0.9)
    prediction[..., :2, :] = 0.1
    region = torch.zeros(1, 1, 4, 4)
    region[..., :2, :] = 1
    assert psnr(prediction, target, region).item() == pytest.approx(20, abs=1e-3)
    assert psnr(prediction, target, 1 - region).item() == pytest.approx(-20 * np.log10(0.9), abs=1e-3)


def test_full_region_equals_no_region():
    prediction, target = noise(0), noise(1)
    torch.testing.assert_close(psnr(prediction, target, torch.ones(2, 1, 37, 31)), psnr(prediction, target))


def test_empty_region_is_nan_for_that_picture_only():
    prediction, target = noise(0), noise(1)
    region = torch.zeros(2, 1, 37, 31)
    region[1] = 1
    first, second = psnr(prediction, target, region)
    assert first.isnan()
    assert second == pytest.approx(psnr(prediction, target)[1].item(), abs=1e-4)


def test_values_outside_the_range_count_as_they_are():
    prediction, target = torch.full((1, 3, 5, 7), 1.5), torch.ones(1, 3, 5, 7)
    assert psnr(prediction, target).item() == pytest.approx(6.0206, abs=1e-3)
    assert rmse(prediction, target).item() == 128


def test_rmse_is_in_256_grey_levels():
    prediction, target = noise(0), noise(1)
    difference = (prediction.double() - target.double()).numpy()
    expected = 256 * np.sqrt((difference**2).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(rmse(prediction, target).numpy(), expected, rtol=1e-5)
    assert rmse(target, target).tolist() == [0, 0]


def test_rmse_in_a_mask_is_the_published_formula():
    prediction, target = noise(0, 3), noise(1, 3)
    mask = (noise(2, 3)[:, :1] > 0.6).float()
    mask[1], mask[2] = 0, 1
    m, d = mask.double().numpy(), (prediction.double() - target.double()).numpy()
    with np.errstate(invalid="ignore"):
        expected = 256 * np.sqrt((m * d**2).sum(axis=(1, 2, 3)) / (3 * m.sum(axis=(1, 2, 3))))
    assert np.isnan(expected).tolist() == [False, True, False]
    np.testing.assert_allclose(rmse(prediction, target, mask).numpy(), expected, rtol=1e-5)


def test_ssim_equals_scikit_image():
    first, second = noise(0), noise(0)
    # Equal near the border, where the two mirror differently; the whole of scikit-image's map then counts.
    second[..., 11:26, 11:20] = noise(1)[..., 11:26, 11:20]
    expected = []
    for a, b in zip(first.double().numpy(), second.double().numpy(), strict=True):
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
        _, whole = structural_similarity(a, b, channel_axis=0, full=True, **options)
        expected.append(whole.mean())
    assert max(expected) < 0.9
    np.testing.assert_allclose(ssim(first, second).numpy(), expected, atol=1e-4)


def test_ssim_equals_the_formula_up_to_the_border():
    first = noise(0)
    second = 0.7 * first + 0.3 * noise(1)
    np.testing.assert_allclose(ssim(first, second).numpy(), gaussian_ssim(first, second, "mirror"), atol=1e-4)


def test_map_of_ssim_equals_the_formula_and_its_mean_is_the_ssim():
    first = noise(0)
    second = 0.7 * first + 0.3 * noise(1)
    found = ssim_map(first, second)
    assert found.shape == (2, 37, 31)
    expected = gaussian_ssim_map(first, second, "mirror").mean(axis=1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    torch.testing.assert_close(found.mean(dim=(1, 2)), ssim(first, second))


def test_uniform_ssim_is_scikit_images_default():
    first, second = noise(0), 0.6 * noise(0) + 0.3 * noise(1)
    expected = [
        structural_similarity(a, b, channel_axis=0, data_range=1)
        for a, b in zip(first.double().numpy(), second.double().numpy(), strict=True)
    ]
    assert max(expected) < 0.95
    np.testing.assert_allclose(ssim_uniform(first, second).numpy(), expected, atol=2e-6)


def test_zero_padded_ssim_equals_the_formula_with_black_around_the_picture():
    first, second = noise(0), 0.6 * noise(0) + 0.3 * noise(1)
    expected = gaussian_ssim(first, second, "constant")
    assert max(expected) < 0.95
    np.testing.assert_allclose(ssim_zero_padded(first, second).numpy(), expected, atol=2e-6)


def test_zero_padded_ssim_stays_precise_where_squares_nearly_cancel():
    first, second = (0.9 + 0.02 * noise(seed) for seed in (0, 1))  # bright, and nearly flat
    expected = gaussian_ssim(first, second, "constant")
    np.testing.assert_allclose(ssim_zero_padded(first, second).numpy(), expected, atol=2e-6)


def test_the_three_definitions_of_ssim_are_not_the_same():
    first, second = noise(0, 1), 0.6 * noise(0, 1) + 0.3 * noise(1, 1)
    values = sorted(score(first, second).item() for score in SSIMS)
    assert min(values[1] - values[0], values[2] - values[1]) > 1e-3


@pytest.mark.parametrize("score", SSIMS)
def test_ssim_of_equal_pictures_is_1(score):
    np.testing.assert_allclose(score(noise(0), noise(0)).numpy(), [1, 1], atol=1e-6)


@pytest.mark.parametrize("score", [ssim, ssim_uniform])  # the third sees a black frame
def test_ssim_of_two_even_greys_is_the_luminance_term(score):
    first, second = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), 0.6)
    assert score(first, second).item() == pytest.approx((2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4), abs=1e-4)


def test_one_picture_keeps_its_batch_dimension():
    for score in (psnr, rmse, *SSIMS):
        assert score(noise(0, batch=1), noise(1, batch=1)).shape == (1,)


@pytest.mark.parametrize("score", [psnr, rmse, *SSIMS])
def test_score_does_not_depend_on_the_batch(score):
    first, second = noise(0, 3), noise(1, 3)
    alone = torch.cat([score(a[None], b[None]) for a, b in zip(first, second, strict=True)])
    torch.testing.assert_close(score(first, second), alone)


@pytest.mark.parametrize("score", [psnr, rmse, *SSIMS])
def test_scores_under_autocast_are_float32(score):
    first, second = noise(0), noise(1)
    with torch.autocast("cpu", torch.bfloat16):
        inside = score(first, second)
        low = score(first.bfloat16(), second)
    assert torch.equal(inside, score(first, second))
    assert torch.equal(low, score(first.bfloat16().float(), second))
