import numpy as np
import pytest
import torch

from wm_lightning.models.inspect import Box
from wm_lightning.reports.figures import grad_cam_overlay, gradient_norms, saliency_overlay


def frames(axes):
    """Left, top, width and height of each rectangle."""
    return [(frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) for frame in axes.patches]


def test_a_bar_for_each_layer_on_a_logarithmic_axis(render):
    figure = gradient_norms({"enc1": 1e-3, "dec1": 10.0, "frozen": 0.0}, "L1 loss")
    (axes,) = figure.axes
    assert [width for _, _, width, _ in frames(axes)][:2] == [1e-3, 10.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["enc1", "dec1", "frozen"]
    assert [text.get_text() for text in axes.texts] == ["0.001", "10", "none"]
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first layer on top
    assert axes.get_xlabel() == "L2 norm of the gradient (L1 loss per unit of weight)"
    render(figure)


def test_no_gradient_at_all_is_drawn(render):
    render(gradient_norms({"enc1": 0.0}))


def test_saliency_lies_over_the_picture_and_states_its_scale(clean, render):
    saliency = torch.zeros(37, 31)
    saliency[5:15, 12:20] = 0.02
    figure = saliency_overlay(clean, saliency, "L1 loss")
    over = figure.axes[1].images[1].get_array()
    assert np.allclose(over[5:15, 12:20], 1)
    assert over[0, 0] == 0
    assert any("1 being 0.02 (of the L1 loss for black to white)" in axes.get_xlabel() for axes in figure.axes)
    render(figure)


def test_saliency_of_one_pixel_and_of_none_is_drawn(clean, render):
    one = torch.zeros(37, 31)
    one[3, 4] = 1e-4
    assert saliency_overlay(clean, one).axes[1].images[1].get_array()[3, 4] == pytest.approx(1)
    render(saliency_overlay(clean, torch.zeros(37, 31)))


def test_the_box_is_drawn_on_every_panel_and_maps_over_the_picture(clean, render):
    cam = torch.zeros(37, 31)
    cam[20, 7] = 1
    figure = grad_cam_overlay(clean, {"dec1": cam, "dec2": torch.zeros(37, 31)}, Box(18, 5, 24, 15))
    for axes in figure.axes[:3]:
        assert set(frames(axes)) == {(5, 18, 10, 6)}
    assert np.array_equal(figure.axes[1].images[1].get_array(), cam)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["input; box of 6x10 pixels", "dec1", "dec2: nothing does"]
    render(figure)
