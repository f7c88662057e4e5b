"""What a network's features say of marks is a linear function of them."""

import pytest
import torch

from wm_lightning.models import DnCNN, PixelUnshuffleUNet
from wm_lightning.models.recognition import Recognition


def fitted(widths=(8, 12, 16, 20)):
    net = PixelUnshuffleUNet(widths, attention=0).eval()
    net.recognition.weight.copy_(torch.linspace(-1, 1, len(net.recognition.weight)))
    return net


def test_features_of_each_level_are_weighed_enlarged_and_added_up():
    recognition = Recognition((2, 1))
    recognition.weight.copy_(torch.tensor([1.0, 10.0, 100.0]))
    fine = torch.stack([torch.arange(4.0).reshape(2, 2), torch.ones(2, 2)])[None]
    said = recognition((fine, torch.full((1, 1, 1, 1), 0.5)), (4, 4))
    assert said.shape == (1, 1, 4, 4)
    expected = torch.tensor([[60.0, 60, 61, 61], [60, 60, 61, 61], [62, 62, 63, 63], [62, 62, 63, 63]])
    torch.testing.assert_close(said[0, 0], expected)


def test_until_it_is_fitted_it_says_nothing():
    net = PixelUnshuffleUNet((8, 12, 16, 20), attention=0).eval()
    assert not net.recognises
    assert not net.restore(torch.rand(1, 3, 32, 48)).recognition.any()
    assert fitted().recognises
    assert not DnCNN().recognises


def test_it_is_of_the_pictures_size_and_none_in_training():
    net = fitted()
    said = net.predict(torch.rand(2, 3, 37, 51)).recognition
    assert said.shape == (2, 1, 37, 51)
    assert said.std() > 0
    assert net.train().restore(torch.rand(2, 3, 32, 48)).recognition is None


def test_training_leaves_its_weights_alone():
    assert "recognition.weight" not in dict(fitted().named_parameters())


@pytest.mark.parametrize("widths", [(8, 12), (8, 12, 16), (8, 12, 16, 20, 24)])
def test_a_network_of_few_levels_is_recognised_by_what_it_has(widths):
    assert fitted(widths).restore(torch.rand(1, 3, 64, 64)).recognition.shape == (1, 1, 64, 64)


def test_weights_of_earlier_versions_are_read():
    net, other = fitted(), fitted()
    state = {key: value for key, value in net.state_dict().items() if "recognition" not in key}
    assert other.load_state_dict(state)  # strict: neither missing nor unexpected keys
    assert other.load_state_dict(net.state_dict())
    assert other.recognises
