import numpy as np
import pytest
import torch

from wm_lightning.metrics.functional import psnr, ssim
from wm_lightning.reports.figures import local_psnr, local_psnr_map, local_ssim, local_ssim_map


def damaged(clean, value=0.2):
    """Damage in rows 16 to 24, columns 8 to 16: one patch of 8."""
    picture = clean.clone()
    picture[:, 16:24, 8:16] += value
    return picture


def test_psnr_is_lowest_in_the_damaged_patch(clean):
    patches = local_psnr(damaged(clean), clean, patch=8)
    assert patches.shape == (5, 4)
    assert patches[2, 1] == pytest.approx(-20 * np.log10(0.2), abs=1e-3)
    rest = patches.clone()
    rest[2, 1] = 50
    assert (rest == 50).all()


def test_each_patch_is_scored_as_a_picture_of_its_own(clean):
    other = clean.flip(1)
    patches = local_psnr(other, clean, patch=16)
    for row in range(3):
        for column in range(2):
            here = (..., slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16))
            assert patches[row, column] == pytest.approx(float(psnr(other[None][here], clean[None][here])), abs=1e-3)


def test_mean_of_local_ssim_is_the_ssim(clean):
    for other in (damaged(clean), clean.flip(2), clean * 0.5):
        assert float(local_ssim(other, clean).mean()) == pytest.approx(float(ssim(other[None], clean[None])), abs=1e-4)


def test_ssim_is_lowest_at_the_damage_and_one_far_from_it(clean):
    values = local_ssim(damaged(clean, 0.6), clean)
    row, column = divmod(int(values.argmin()), 31)
    assert 15 <= row <= 24
    assert 7 <= column <= 16
    assert torch.allclose(values[:10], torch.ones(()), atol=1e-5)
    assert values.shape == (37, 31)


@pytest.mark.parametrize(
    ("draw", "local", "digits"), [(local_psnr_map, local_psnr, 1), (local_ssim_map, local_ssim, 3)]
)
def test_maps_lie_under_their_pictures_on_one_scale(draw, local, digits, clean, render):
    watermarked, predicted = damaged(clean), damaged(clean, 0.05)
    figure = draw(watermarked, predicted, clean)
    shown = [axes.images[0] for axes in figure.axes[:6]]
    for image, picture in zip(shown[:3], (watermarked, predicted, clean), strict=True):
        assert np.allclose(image.get_array(), picture.permute(1, 2, 0))
    before, after = local(watermarked, clean), local(predicted, clean)
    for image, values in zip(shown[3:], (before, after, after - before), strict=True):
        assert np.allclose(image.get_array(), values, atol=1e-6)
        assert image.get_extent() == [0, 31, 37, 0]
    assert shown[3].get_clim() == shown[4].get_clim()
    assert figure.axes[4].get_title().startswith(f"model: mean {after.mean():.{digits}f}")
    assert (after - before).max() > 0
    render(figure)


def test_units_stand_at_the_scales(clean):
    assert any(axes.get_xlabel() == "PSNR (dB)" for axes in local_psnr_map(clean, clean, clean).axes)
    assert any(axes.get_xlabel() == "SSIM (-1..1)" for axes in local_ssim_map(clean, clean, clean).axes)


@pytest.mark.parametrize("draw", [local_psnr_map, local_ssim_map])
def test_constant_pictures_draw_without_a_warning(draw, render):
    grey = torch.full((3, 37, 31), 0.5)
    render(draw(grey, grey, grey))
