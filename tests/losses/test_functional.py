import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.color import rgb2lab

from wm_lightning.losses import functional

KERNEL = np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]]) / 16
TERMS = [functional.masked_l1, functional.lab, functional.ssim, functional.laplacian_l1]
MASKED = [functional.masked_l1, functional.laplacian_l1]


def pictures(height=37, width=31, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand((batch, 3, height, width), generator=generator) for _ in range(2))


def laplace(image):
    """Each channel filtered on its own; scipy's "mirror" repeats no edge pixel."""
    return ndimage.correlate(image.double().numpy(), KERNEL[None, None], mode="mirror")


def ssim_map(first, second):
    """Wang et al.'s formula with an 11x11 Gaussian window of sigma 1.5."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def mean(image):
        return ndimage.correlate(image, window[None, None], mode="mirror")

    x, y = first.double().numpy(), second.double().numpy()
    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y, covariance = mean(x * x) - mu_x**2, mean(y * y) - mu_y**2, mean(x * y) - mu_x * mu_y
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mu_x * mu_y + c1) * (2 * covariance + c2) / ((mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2))


def test_l1_without_mask_is_the_mean_over_pixels_and_channels():
    prediction, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    prediction[0, 0, 0, 0], prediction[0, 2, 1, 1] = 0.6, 0.3
    assert functional.masked_l1(prediction, target).item() == pytest.approx(0.9 / 12)


def test_masked_l1_adds_the_channels_up_and_divides_by_masked_pixels():
    prediction, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    prediction[0, :, 0, 0] = torch.tensor([0.1, 0.2, 0.3])
    prediction[0, :, 0, 1] = torch.tensor([0.4, 0.0, 0.2])
    prediction[0, :, 1, 1] = 0.9  # outside the mask
    mask = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert functional.masked_l1(prediction, target, mask).item() == pytest.approx((0.6 + 0.6) / 2)


def test_masked_l1_counts_mask_pixels_of_the_whole_batch():
    prediction, target = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    prediction[0, 0, 0, 0] = 1
    mask = torch.zeros(2, 1, 2, 2)
    mask[0, 0, 0, 0] = mask[1, 0, 0, 0] = mask[1, 0, 0, 1] = mask[1, 0, 1, 1] = 1
    assert functional.masked_l1(prediction, target, mask).item() == pytest.approx(1 / 4)


def test_masked_l1_ignores_what_is_outside_the_mask():
    prediction, target = pictures()
    mask = torch.zeros(2, 1, 37, 31)
    mask[..., 5:20, 3:9] = 1
    elsewhere = torch.where(mask == 1, prediction, 1 - prediction)
    assert functional.masked_l1(elsewhere, target, mask) == functional.masked_l1(prediction, target, mask)


@pytest.mark.parametrize("term", MASKED)
def test_full_mask_is_three_times_the_plain_mean(term):
    prediction, target = pictures()
    full = torch.ones(2, 1, 37, 31)
    torch.testing.assert_close(term(prediction, target, full), 3 * term(prediction, target))


@pytest.mark.parametrize("term", MASKED)
def test_empty_mask_gives_0_and_a_gradient_of_0(term):
    prediction, target = pictures()
    prediction.requires_grad_()
    loss = term(prediction, target, torch.zeros(2, 1, 37, 31))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(prediction.grad, torch.zeros_like(prediction))


def test_l1_gradient_is_the_sign_over_the_mask_count():
    prediction = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    target = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(1, 3, 2, 2)
    mask = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    functional.masked_l1(prediction, target, mask).backward()
    expected = torch.tensor([[0.5, -0.5], [0.0, 0.0]]).expand(1, 3, 2, 2)
    torch.testing.assert_close(prediction.grad, expected)


def test_lab_equals_scikit_image():
    prediction, target = pictures()
    first, second = (rgb2lab(image.double().permute(0, 2, 3, 1).numpy()) for image in (prediction, target))
    error = np.abs(first - second)
    expected = 0.7 * error[..., 0].mean() + 0.3 * error[..., 1:].mean()
    assert functional.lab(prediction, target).item() == pytest.approx(expected, rel=1e-3)


def test_black_against_white_differs_by_lightness_100():
    black, white = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert functional.lab(black, white).item() == pytest.approx(70, abs=0.02)


def test_lab_clamps_what_lies_outside_the_range():
    target = torch.full((1, 3, 4, 4), 0.5)
    assert functional.lab(torch.full_like(target, 1.7), target) == functional.lab(torch.ones_like(target), target)
    assert functional.lab(torch.full_like(target, -0.4), target) == functional.lab(torch.zeros_like(target), target)


@pytest.mark.parametrize("wanted", [0.0, 0.5, 1.0])
def test_lab_gradient_is_finite_at_black_pixels(wanted):
    prediction = torch.zeros(1, 3, 8, 8, requires_grad=True)
    functional.lab(prediction, torch.full((1, 3, 8, 8), wanted)).backward()
    assert prediction.grad.isfinite().all()
    assert (prediction.grad.sum() < 0) == (wanted > 0)


def test_ssim_equals_the_formula():
    prediction, target = pictures()
    target = (0.7 * prediction + 0.3 * target).clamp(0, 1)
    expected = 1 - ssim_map(prediction, target).mean()
    assert 0.01 < expected < 0.9
    assert functional.ssim(prediction, target).item() == pytest.approx(expected, abs=1e-5)


def test_ssim_of_two_even_greys_is_the_luminance_term():
    first, second = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), 0.6)
    luminance = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert functional.ssim(first, second).item() == pytest.approx(1 - luminance, abs=1e-4)


def test_laplacian_of_one_bright_pixel_is_eight_neighbours_over_sixteen():
    picture, nothing = torch.zeros(1, 3, 9, 9), torch.zeros(1, 3, 9, 9)
    picture[:, 0, 4, 4] = 1
    only_centre, only_corner = torch.zeros(1, 1, 9, 9), torch.zeros(1, 1, 9, 9)
    only_centre[..., 4, 4] = only_corner[..., 3, 3] = 1
    assert functional.laplacian_l1(picture, nothing, only_centre).item() == pytest.approx(8 / 16)
    assert functional.laplacian_l1(picture, nothing, only_corner).item() == pytest.approx(1 / 16)
    assert functional.laplacian_l1(picture, nothing).item() == pytest.approx(1 / (3 * 81))


def test_laplacian_equals_an_explicit_convolution():
    prediction, target = pictures()
    expected = np.abs(laplace(prediction) - laplace(target)).mean()
    assert functional.laplacian_l1(prediction, target).item() == pytest.approx(expected, rel=1e-5)


def test_masked_laplacian_equals_an_explicit_convolution():
    prediction, target = pictures()
    mask = (torch.rand((2, 1, 37, 31), generator=torch.Generator().manual_seed(1)) > 0.7).float()
    error = np.abs(laplace(prediction) - laplace(target)) * mask.numpy()
    expected = error.sum() / mask.sum().item()
    assert functional.laplacian_l1(prediction, target, mask).item() == pytest.approx(expected, rel=1e-5)


def test_laplacian_does_not_see_a_constant_offset():
    prediction, _ = pictures()
    assert functional.laplacian_l1(0.5 * prediction, 0.5 * prediction + 0.25).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("term", TERMS)
def test_equal_pictures_cost_nothing(term):
    prediction, _ = pictures()
    assert term(prediction, prediction.clone()).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("term", TERMS)
def test_terms_are_symmetric(term):
    prediction, target = pictures()
    torch.testing.assert_close(term(prediction, target), term(target, prediction))


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gradients_are_finite_on_even_pictures(term, level):
    prediction = torch.full((1, 3, 16, 16), level, requires_grad=True)
    for target in (torch.full((1, 3, 16, 16), level), pictures(16, 16, 1)[1]):
        (gradient,) = torch.autograd.grad(term(prediction, target), prediction)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("term", TERMS)
def test_gradient_step_lowers_the_term(term):
    prediction, target = pictures(16, 16)
    prediction.requires_grad_()
    before = term(prediction, target)
    before.backward()
    after = term(prediction.detach() - 1e-3 * prediction.grad / prediction.grad.abs().max(), target)
    assert after < before.detach()


@pytest.mark.parametrize("term", TERMS)
def test_terms_under_autocast_equal_those_outside(term):
    prediction, target = pictures()
    wanted = term(prediction, target)
    with torch.autocast("cpu", torch.bfloat16):
        got = term(prediction, target)
    assert got.dtype == torch.float32
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("term", TERMS)
def test_bfloat16_pictures_are_computed_in_float32(term):
    prediction, target = pictures()
    low, low_target = prediction.bfloat16(), target.bfloat16()
    assert torch.equal(term(low, target), term(low.float(), target))
    assert torch.equal(term(low, low_target), term(low.float(), low_target.float()))


@pytest.mark.parametrize("term", MASKED)
def test_masked_terms_under_autocast_equal_those_outside(term):
    prediction, target = pictures()
    mask = torch.zeros(2, 1, 37, 31)
    mask[..., 4:30, 2:17] = 1
    wanted = term(prediction, target, mask)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(term(prediction, target, mask), wanted)


def test_unmasked_l1_adds_up_what_the_mask_leaves_out_and_divides_by_what_it_marks():
    prediction, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    prediction[0, :, 0, 0] = torch.tensor([0.1, 0.2, 0.3])
    prediction[0, :, 0, 1] = 0.9  # marked
    prediction[0, 0, 1, 1] = 0.5
    mask = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert functional.unmasked_l1(prediction, target, mask).item() == pytest.approx((0.6 + 0.5) / 1)


def test_unmasked_l1_divides_by_a_hundredth_of_the_pixels_where_nothing_is_marked():
    prediction, target = torch.full((1, 3, 20, 10), 0.1), torch.zeros(1, 3, 20, 10)
    value = functional.unmasked_l1(prediction, target, torch.zeros(1, 1, 20, 10))
    assert value.item() == pytest.approx(0.1 * 3 * 200 / 2)


def test_both_sides_of_a_mask_add_up_to_the_whole():
    prediction, target = pictures()
    mask = (torch.rand(2, 1, 37, 31, generator=torch.Generator().manual_seed(4)) > 0.7).float()
    both = functional.masked_l1(prediction, target, mask) + functional.unmasked_l1(prediction, target, mask)
    assert both.item() == pytest.approx((prediction - target).abs().sum().item() / mask.sum().item(), rel=1e-5)


def test_negative_psnr_is_that_of_each_picture():
    target = torch.zeros(2, 3, 4, 5)
    prediction = torch.stack((torch.full((3, 4, 5), 0.1), torch.full((3, 4, 5), 0.01)))
    wanted = (10 * np.log10(0.01 + 1e-5) + 10 * np.log10(0.0001 + 1e-5)) / 2
    assert functional.negative_psnr(prediction, target).item() == pytest.approx(wanted, rel=1e-5)
    assert functional.negative_psnr(target, target).item() == pytest.approx(-50)


def test_halving_a_small_error_gains_as_much_psnr_as_halving_a_large_one():
    target = torch.full((1, 3, 8, 8), 0.5)
    large, small = (
        functional.negative_psnr(target + error, target) - functional.negative_psnr(target + error / 2, target)
        for error in (0.4, 0.04)
    )
    assert large.item() == pytest.approx(6.02, abs=0.01)
    assert small.item() == pytest.approx(6.02, abs=0.15)


def test_mask_bce_by_hand():
    logits = torch.tensor([2.0, -1.0, 0.5, 0.0]).view(1, 1, 2, 2)
    mask = torch.tensor([1.0, 0.0, 0.0, 1.0]).view(1, 1, 2, 2)
    p = 1 / (1 + np.exp(-logits.double().numpy()))
    m = mask.double().numpy()
    assert functional.mask_bce(logits, mask).item() == pytest.approx(-(m * np.log(p) + (1 - m) * np.log(1 - p)).mean())


def test_soft_iou_by_hand():
    logits = torch.tensor([2.0, -1.0, 0.5, 0.0]).view(1, 1, 2, 2)
    mask = torch.tensor([1.0, 0.0, 0.0, 1.0]).view(1, 1, 2, 2)
    p = 1 / (1 + np.exp(-logits.double().numpy().ravel()))
    wanted = 1 - (p[0] + p[3]) / (p.sum() + 2 - p[0] - p[3])
    assert functional.soft_iou(logits, mask).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_soft_iou_of_a_sure_mask_that_is_right_is_0_and_of_its_opposite_1(share):
    mask = (torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(4)) < share).float()
    sure = 40 * (2 * mask - 1)
    assert functional.soft_iou(-sure, mask).item() == pytest.approx(1, abs=1e-6)
    if share:
        assert functional.soft_iou(sure, mask).item() == pytest.approx(0, abs=1e-6)
