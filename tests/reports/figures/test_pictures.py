import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from wm_lightning.reports.figures import batch_view, residual_error, side_by_side, watermark_residual
from wm_lightning.reports.figures.style import IDENTITY


def planted(clean, value=0.3):
    """A picture with one residue at row 20, column 7, and the rows and columns it fills."""
    picture = clean.clone()
    picture[:, 20:23, 7:9] += value
    return picture.clamp(0, 1)


def arrays(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_pictures_and_amplified_differences_lie_side_by_side(clean):
    watermarked, predicted = planted(clean, 0.1), planted(clean, -0.05)
    shown = arrays(side_by_side(watermarked, predicted, clean))
    for array, picture in zip(shown[:3], (clean, watermarked, predicted), strict=True):
        assert np.array_equal(array, picture.permute(1, 2, 0))
    assert np.allclose(shown[4][21, 7], 1.0)
    assert np.allclose(shown[5][21, 7], 0.25)
    assert np.allclose(shown[4][0, 0], 0.5)
    assert np.allclose(shown[3][21, 7], 0.25)  # the mark is dark on white
    assert np.allclose(shown[3][0, 0], 1.0)


def test_differences_say_how_much_they_are_amplified(clean):
    figure = side_by_side(planted(clean), clean, clean, amplify=3)
    assert titles(figure)[1].endswith(" dB")
    assert titles(figure)[2] == "predicted: exact"
    assert titles(figure)[3] == f"where the input differs (dark): {100 * 6 / (37 * 31):.3g} %"
    assert "x3" in titles(figure)[4]


def test_psnr_in_the_title_is_that_of_the_picture(clean):
    figure = side_by_side((clean + 0.1), clean, clean)
    assert titles(figure)[1] == "watermarked: 20.00 dB"


def test_a_planted_residue_is_the_brightest_place(clean):
    left, _, changed = arrays(watermark_residual(clean, planted(clean), clean))
    for heat in (left, changed):
        assert np.unravel_index(heat.argmax(), heat.shape) in [
            (row, column) for row in (20, 21, 22) for column in (7, 8)
        ]
        assert heat.max() > 0.15
    assert left[0, 0] == 0


def test_the_threshold_marks_the_residue_alone(clean):
    figure = watermark_residual(clean, planted(clean, 0.15), clean, threshold=0.1)
    marked = np.isclose(arrays(figure)[1], to_rgb(IDENTITY)).all(axis=2)
    assert marked.sum() == 6
    assert marked[20:23, 7:9].all()
    assert titles(figure)[1] == f"left more than 0.1: {100 * 6 / (37 * 31):.3g} % of the pixels"
    unmarked = watermark_residual(clean, planted(clean, 0.15), clean, threshold=0.2)
    assert titles(unmarked)[1] == "left more than 0.2: 0 % of the pixels"
    assert arrays(unmarked)[1].min() >= 0.5  # the picture shows where nothing is marked


def test_compared_maps_share_their_scale(clean):
    figure = watermark_residual(planted(clean), planted(clean, -0.1), clean)
    left, changed = figure.axes[0].images[0], figure.axes[2].images[0]
    assert left.get_clim() == changed.get_clim()
    before, after = (axes.images[0] for axes in residual_error(planted(clean), clean, clean).axes[:2])
    assert before.get_clim() == after.get_clim()


def test_gain_is_the_error_removed(clean):
    watermarked = planted(clean, 0.15)
    predicted = clean.clone()
    predicted[:, 0, :5] += 0.1
    figure = residual_error(watermarked, predicted, clean)
    gain = arrays(figure)[2]
    assert np.allclose(gain[20:23, 7:9], 0.15, atol=1e-6)
    assert np.allclose(gain[0, :5], -0.1, atol=1e-6)
    total = 37 * 31
    assert titles(figure)[2] == f"by over 1/255: {100 * 6 / total:.3g} % better, {100 * 5 / total:.3g} % worse"
    low, high = figure.axes[2].images[0].get_clim()
    assert low == -high


def test_scales_say_their_unit(clean):
    for figure in (watermark_residual(clean, clean, clean), residual_error(clean, clean, clean)):
        assert any("1 = black to white" in axes.get_xlabel() for axes in figure.axes)


@pytest.mark.parametrize("draw", [side_by_side, watermark_residual, residual_error])
def test_constant_pictures_draw_without_a_warning(draw, render):
    grey = torch.full((3, 37, 31), 0.5)
    pixels = render(draw(grey, grey, grey))
    assert pixels.std() > 0


def batch(count=3):
    generator = torch.Generator().manual_seed(0)
    pictures = [torch.rand((count, 3, 37, 31), generator=generator) for _ in range(4)]
    return pictures, (torch.rand((count, 1, 37, 31), generator=generator) > 0.5).float()


def test_a_row_for_each_pair(render):
    (watermarked, predicted, clean, reference), mask = batch()
    figure = batch_view(watermarked, predicted, clean, mask, reference, ["a.jpg", "b.jpg", "c.jpg"], count=2)
    shown = arrays(figure)
    assert len(shown) == 10
    for row in range(2):
        for column, pictures in enumerate((watermarked, reference, predicted, clean)):
            assert np.array_equal(shown[5 * row + column], pictures[row].permute(1, 2, 0))
        assert np.allclose(shown[5 * row + 4][..., 0], 1 - 0.75 * mask[row, 0])
        assert figure.axes[5 * row].get_ylabel() == ["a.jpg", "b.jpg"][row]
    assert [title.partition(":")[0] for title in titles(figure)[:5]] == [
        "input", "reference", "predicted", "clean", "mask",
    ]  # fmt: skip
    render(figure)


def test_pairs_without_a_reference_have_no_column_for_it():
    (watermarked, predicted, clean, _), mask = batch()
    figure = batch_view(watermarked, predicted, clean, mask)
    assert len(arrays(figure)) == 3 * 4
    assert not any("reference" in title for title in titles(figure))
