import math

import numpy as np
import pytest
import torch

from wm_lightning.reports.figures import activation_maps, attention_maps, feature_grid, first_kernels


def arrays(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def test_gates_share_a_scale_and_lie_over_the_picture(clean, render):
    low, high = torch.full((37, 31), 0.1), torch.full((37, 31), 0.3)
    high[10, 20] = 0.9
    figure = attention_maps(clean, {"gate1": low, "gate2": high})
    maps = [figure.axes[column].images[0] for column in (1, 2)]
    assert np.allclose(maps[0].get_array(), 0.1)
    assert maps[1].get_array()[10, 20] == pytest.approx(0.9)
    assert maps[0].get_clim() == maps[1].get_clim()
    grey, over = figure.axes[5].images
    assert np.allclose(grey.get_array()[..., 0], 0.25 + 0.75 * clean.mean(dim=0))
    assert np.unravel_index(over.get_array().argmax(), (37, 31)) == (10, 20)
    assert figure.axes[1].get_title() == "gate1: mean 0.10"
    assert any(axes.get_xlabel() == "gate (0..1)" for axes in figure.axes)
    render(figure)


def test_activations_show_the_mean_and_the_most_varying_channels(clean, render):
    features = torch.zeros(4, 10, 8)
    features[2, 3, 4], features[0, 5, 5] = -8.0, 4.0
    figure = activation_maps(clean, {"enc1": features, "dec1": features[:1]}, channels=2)
    _, mean, first, second = arrays(figure)[:4]
    assert mean[3, 4] == pytest.approx(2.0)
    assert mean[5, 5] == pytest.approx(1.0)
    assert first[3, 4] == -8
    assert second[5, 5] == 4
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[2].startswith("#2: ")
    assert titles[3].startswith("#0: ")
    assert figure.axes[1].get_ylabel() == "enc1\n4 x 10 x 8"
    assert figure.axes[1].images[0].get_extent() == [0, 31, 37, 0]  # as large as the picture
    render(figure)


def test_each_panel_states_its_own_scale(clean):
    ramp = torch.linspace(-1, 3, 1001).expand(1, 20, 1001)
    figure = activation_maps(clean, {"enc1": ramp}, channels=1)
    assert figure.axes[2].get_title() == "#0: -0.98 to 3"
    assert figure.axes[2].images[0].get_clim() == pytest.approx((-0.98, 2.98))


def test_channels_are_tiles_from_their_own_lowest_to_their_highest():
    features = torch.stack((torch.linspace(0, 1, 101).expand(5, 101), torch.linspace(-50, 50, 101).expand(5, 101)))
    figure = feature_grid(features, "dec3")
    first, second = arrays(figure)
    assert np.allclose(first, second, atol=1e-6)
    assert first.min() == 0
    assert first.max() == 1
    assert [axes.get_title() for axes in figure.axes] == ["#0: 0.01 to 0.99", "#1: -49 to 49"]


def test_silent_channels_are_counted_and_drawn(render):
    features = torch.rand(11, 6, 5)
    features[3] = 0.25
    figure = feature_grid(features, "dec3", count=10)
    assert figure.get_suptitle() == "dec3: 10 of 11 channels, 1 silent (the same everywhere)"
    assert (arrays(figure)[3] == 0).all()
    assert len(arrays(figure)) == 10
    render(figure)


def test_kernels_are_colour_tiles_around_grey(render):
    weights = torch.zeros(10, 3, 3, 3)
    weights[0, 0, 1, 1] = 0.5  # red
    weights[9, 2, 0, 0] = -0.5  # no blue
    figure = first_kernels(weights, "enc1.conv.0")
    mosaic = figure.axes[0].images[0].get_array()
    assert mosaic.shape == (2 * 5, 8 * 5, 3)
    assert mosaic[2, 2].tolist() == [1.0, 0.5, 0.5]
    assert mosaic[6, 6].tolist() == [0.5, 0.5, 0.0]
    assert mosaic[0, 0].tolist() == [1, 1, 1]  # between tiles
    assert "±0.50" in figure.axes[0].get_title()
    render(figure)


def test_spectra_tell_smooth_kernels_from_rough_ones():
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    weights = torch.stack((torch.full((3, 2, 2), 0.25), 0.25 * checks.expand(3, 2, 2)))
    figure = first_kernels(weights, "first")
    spectra = figure.axes[1].images[0].get_array()
    smooth, rough = spectra[3:35, 3:35], spectra[3:35, 41:73]
    assert smooth[16, 16] == pytest.approx(1.0)  # a mean lets what is even through
    assert smooth[0, 0] == pytest.approx(0.0, abs=1e-6)
    assert rough[16, 16] == pytest.approx(0.0, abs=1e-6)
    assert rough[0, 0] == pytest.approx(1.0)
    assert math.isnan(spectra.filled(math.nan)[0, 0])
    assert "cycles per pixel" in figure.axes[1].get_title()


def test_a_network_that_puts_out_nothing_is_drawn_without_a_warning(clean, render):
    nothing = torch.zeros(3, 37, 31)
    render(attention_maps(clean, {"gate": nothing[0]}))
    render(activation_maps(clean, {"enc1": nothing}))
    render(feature_grid(nothing, "enc1"))
    render(first_kernels(torch.zeros(2, 3, 3, 3), "enc1"))
