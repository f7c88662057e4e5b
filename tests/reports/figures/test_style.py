import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from wm_lightning.reports.figures.style import (
    LIMIT,
    error_scale,
    for_display,
    heat,
    new_figure,
    overlay,
    percent,
    picture_grid,
    quantiles,
    show,
)


def test_small_pictures_are_drawn_as_they_are(clean):
    assert np.array_equal(for_display(clean), clean.permute(1, 2, 0).numpy())


def test_colours_outside_the_range_are_clamped_but_maps_are_not():
    picture = torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1)
    assert for_display(picture).tolist() == [[[0.0, 0.5, 1.0]]]
    assert for_display(torch.tensor([[-7.0, 9.0]])).tolist() == [[-7.0, 9.0]]


def test_large_pictures_are_averaged_and_keep_their_form():
    picture = torch.zeros((4 * LIMIT, 2 * LIMIT))
    picture[::2] = 1
    shown = for_display(picture)
    assert shown.shape == (LIMIT, LIMIT // 2)
    assert np.allclose(shown, 0.5)


def test_pictures_lie_in_their_own_pixels_even_when_they_are_reduced():
    axes = Figure().subplots()
    image = show(axes, torch.rand(3, 3 * LIMIT, 2 * LIMIT))
    assert image.get_extent() == [0, 2 * LIMIT, 3 * LIMIT, 0]
    coarse = heat(axes, torch.rand(3, 2), size=(37, 31))
    assert coarse.get_extent() == [0, 31, 37, 0]


def test_a_constant_map_has_a_scale():
    image = heat(Figure().subplots(), torch.full((3, 4), 2.0))
    assert image.get_clim() == (2.0, 3.0)


def test_a_higher_value_covers_more_of_the_picture():
    axes = Figure().subplots()
    overlay(axes, torch.rand(3, 1, 3), torch.tensor([[0.0, 0.5, 1.0]]))
    assert np.allclose(axes.images[1].get_alpha(), [[0, 0.425, 0.85]])


def test_error_scale_is_shared_and_follows_the_square_root():
    scale = error_scale(torch.tensor([0.0, 0.1]), torch.full((10,), 0.4))
    assert scale.vmax == pytest.approx(0.4)
    assert float(scale(0.1)) == pytest.approx(0.5)


def test_no_colour_of_the_error_map_is_black():
    figure = new_figure(2)
    image = heat(figure.subplots(), torch.linspace(0, 1, 99)[None])
    assert image.get_cmap()(np.linspace(0, 1, 50))[:, :3].max(axis=1).min() > 0.2


def test_a_figure_is_a_page_wide_and_as_high_as_its_pictures(render):
    figure, panels = picture_grid(2, 4, torch.zeros(3, 50, 100), "Title", bars=1)
    assert panels.shape == (2, 4)
    height, width, _ = render(figure).shape
    assert width == 1000
    assert 250 < height < 450


@pytest.mark.parametrize("shape", [(3, 2000, 10), (3, 10, 2000), (3, 1, 1)])
def test_odd_forms_make_no_endless_page(shape):
    figure, _ = picture_grid(1, 2, torch.zeros(shape))
    assert 1 < figure.get_figheight() < 6


def test_nothing_global_changes():
    before, known = dict(matplotlib.rcParams), plt.get_fignums()
    picture_grid(1, 2, torch.zeros(3, 9, 9), "Title")
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == known


def test_percent_and_quantiles():
    assert percent(torch.tensor([0.0, 1.0, 3.0, 0.0])) == "50 %"
    assert quantiles(torch.arange(101.0), 0.1, 0.5) == (10.0, 50.0)
