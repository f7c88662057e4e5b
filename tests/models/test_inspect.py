import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wm_lightning.models import HeterogeneousUNet, RestorationNet, SizeRequirement
from wm_lightning.models.inspect import Box, activations, attention_maps, grad_cam, gradients, kernels
from wm_lightning.types import Prediction


class Small(RestorationNet):
    """Features at half the size, a gate, and a red channel that alone depends on them."""

    size = SizeRequirement(multiple=8)
    attention_layers = ("gate",)

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 4, 2, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.gate = nn.Sequential(nn.Conv2d(4, 1, 1), nn.Sigmoid())
        self.unused = nn.Linear(2, 2)
        self.up = nn.Conv2d(4, 3, 1)

    def restore(self, image):
        features = self.norm(self.down(image)).relu()
        features = features * self.gate(features)
        return Prediction(F.interpolate(self.up(features), scale_factor=2))


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Small()
        net.norm.running_mean.uniform_(-0.2, 0.2)
        return net.train()


@pytest.fixture
def image():
    return torch.rand((2, 3, 37, 31), generator=torch.Generator().manual_seed(1))


def mean_square(restored):
    return restored.square().mean()


USES = {
    "activations": lambda net, image: activations(net, image, ["down", "gate"])["gate"],
    "attention_maps": lambda net, image: attention_maps(net, image)["gate"],
    "gradients": lambda net, image: gradients(net, image, mean_square).saliency,
    "grad_cam": lambda net, image: grad_cam(net, image, Box(3, 4, 9, 12), "down"),
}
every_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


@every_use
def test_the_network_is_left_as_it_was(use, net, image):
    net.norm.eval()  # a mode of its own
    net.down.weight.requires_grad_(False)
    net.up.weight.grad = torch.full_like(net.up.weight, 7.0)
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    use(net, image)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in net.modules())
    assert {name for name, value in net.named_parameters() if not value.requires_grad} == {"down.weight"}
    assert {name for name, value in net.named_parameters() if value.grad is not None} == {"up.weight"}
    assert (net.up.weight.grad == 7).all()


def test_hooks_go_and_modes_return_when_the_network_fails(net, image):
    def broken(restored):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        gradients(net, image, broken)
    with pytest.raises(RuntimeError, match="channels"):
        activations(net, image[:, :1], ["down"])
    assert net.training
    assert not net.down._forward_hooks


@every_use
def test_results_do_not_depend_on_the_callers_mode(use, net, image):
    expected = use(net.eval(), image)
    assert not expected.requires_grad
    assert expected.dtype == torch.float32
    with torch.inference_mode():
        assert torch.equal(use(net.train(), image.clone()), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert torch.equal(use(net, image), expected)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    assert torch.equal(use(net, image), expected)


def test_activations_are_what_the_layer_puts_out_without_the_padding(net, image):
    net.eval()
    padded = F.pad(image, (0, 1, 0, 3), mode="reflect")
    with torch.no_grad():
        expected = net.down(padded)
    assert expected.shape[-2:] == (20, 16)
    found = activations(net, image, ["down", "up"])
    assert list(found) == ["down", "up"]
    assert torch.equal(found["down"], expected[..., :19, :16])


def test_layers_that_work_in_place_change_nothing_that_was_seen(image):
    net = HeterogeneousUNet().eval()
    seen = activations(net, image, ["enc1.conv.1", "enc1.conv.2"])  # batch norm, then ReLU in place
    assert (seen["enc1.conv.1"] < 0).any()
    assert torch.equal(seen["enc1.conv.1"].relu(), seen["enc1.conv.2"])


def test_a_layer_that_is_not_there_is_named(net, image):
    with pytest.raises(AttributeError, match="nowhere"):
        activations(net, image, ["nowhere"])


def test_gates_lie_over_the_picture(net, image):
    maps = attention_maps(net, image)["gate"]
    coarse = activations(net, image, ["gate"])["gate"][:, 0]
    assert maps.shape == (2, 37, 31)
    assert torch.equal(maps, coarse.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :37, :31])


def test_norms_are_autograds(net, image):
    found = gradients(net, image, mean_square).norms
    net.eval()
    mean_square(net(image)).backward()
    assert list(found) == ["down", "norm", "gate.0", "unused", "up"]
    assert found["unused"] == 0
    for layer in ("down", "norm", "gate.0", "up"):
        module = net.get_submodule(layer)
        by_hand = torch.cat((module.weight.grad.flatten(), module.bias.grad)).norm()
        assert found[layer] == pytest.approx(float(by_hand), rel=1e-5)


def test_saliency_is_the_largest_derivative_of_the_channels(net, image):
    picture = image.clone().requires_grad_()
    mean_square(net.eval()(picture)).backward()
    assert torch.allclose(gradients(net, image, mean_square).saliency, picture.grad.abs().amax(dim=1), atol=1e-9)


def test_saliency_is_zero_where_the_input_has_no_influence(net, image):
    saliency = gradients(net, image, lambda restored: restored[..., 10:20, 4:8].sum()).saliency
    inside = torch.zeros(37, 31, dtype=torch.bool)
    inside[10:20, 4:8] = True
    assert (saliency[:, ~inside] == 0).all()
    assert (saliency[:, inside] > 0).any()


def test_saliency_of_a_loss_without_the_network_is_zero(net, image):
    weight = torch.ones((), requires_grad=True)
    found = gradients(net, image, lambda restored: weight * 2)
    assert (found.saliency == 0).all()
    assert set(found.norms.values()) == {0.0}


class Corner(RestorationNet):
    """Adds to every pixel what its features say about the top left quarter, and nothing else."""

    size = SizeRequirement(multiple=2)

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.ones_(self.features.weight)

    def restore(self, image):
        features = self.features(image)
        height, width = image.shape[-2] // 2, image.shape[-1] // 2
        return Prediction(image.detach() + features[..., :height, :width].mean())


@pytest.mark.parametrize("local", [False, True])
def test_grad_cam_lights_where_the_output_comes_from(local):
    image = torch.zeros(1, 3, 36, 30)
    image[..., 4:8, 6:9] = 1  # the only feature of the quarter that counts
    image[..., 30:, 20:] = 0.5
    cam = grad_cam(Corner(), image, Box(20, 20, 22, 23), "features", local)[0]
    assert cam.shape == (36, 30)
    assert (cam[4:8, 6:9] == 1).all()
    assert (cam[:18, :15] > 0).sum() == 12
    # Pooled weights also show the same feature elsewhere; local ones only what the box depends on.
    assert bool((cam[30:, 20:] == 0).all()) == local


def test_grad_cam_by_hand(net, image):
    box = Box(6, 2, 20, 10)
    net.eval()
    features = net.down(F.pad(image, (0, 1, 0, 3), mode="reflect")).detach().requires_grad_()
    after = net.norm(features).relu()
    restored = F.interpolate(net.up(after * net.gate(after)), scale_factor=2)
    (restored - F.pad(image, (0, 1, 0, 3)))[..., 6:20, 2:10].abs().sum().backward()
    expected = (features.grad.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1, keepdim=True).relu()
    expected = F.interpolate(expected, (40, 32), mode="bilinear")[:, 0, :37, :31]
    expected = expected / expected.amax(dim=(1, 2), keepdim=True)
    assert torch.allclose(grad_cam(net, image, box, "down"), expected, atol=1e-5)


def test_grad_cam_of_a_layer_without_influence_is_zero():
    class Idle(Corner):
        def restore(self, image):
            self.features(image)
            return Prediction(image * 0.5)

    assert (grad_cam(Idle(), torch.rand(1, 3, 7, 5), Box(0, 0, 1, 1), "features") == 0).all()


@pytest.mark.parametrize("box", [Box(0, 0, 38, 5), Box(3, 3, 3, 9), Box(-1, 0, 4, 4), Box(0, 9, 4, 4)])
def test_boxes_outside_the_picture_are_refused(box, net, image):
    with pytest.raises(ValueError, match="37x31"):
        grad_cam(net, image, box, "down")


def test_kernels_are_a_copy(net):
    weights = kernels(net, "down")
    assert torch.equal(weights, net.down.weight)
    weights.zero_()
    assert net.down.weight.any()
    with pytest.raises(TypeError, match="BatchNorm2d"):
        kernels(net, "norm")


@pytest.mark.parametrize("attention", ["gate", "sdpa"])
def test_what_the_unet_names_can_be_looked_at(attention):
    net = HeterogeneousUNet(attention)
    image = torch.rand(1, 3, 19, 13)
    channels = {
        name: tuple(features.shape[1:]) for name, features in activations(net, image, net.activation_layers).items()
    }
    assert channels == {
        "enc1": (48, 19, 13), "enc2": (96, 10, 7), "dec1": (144, 5, 4), "dec2": (96, 10, 7), "dec3": (48, 19, 13),
    }  # fmt: skip
    maps = attention_maps(net, image)
    assert list(maps) == ["attn_gate1", "attn_gate2", "attn_gate3"]
    assert all(gate.shape == (1, 19, 13) and gate.min() >= 0 and gate.max() <= 1 for gate in maps.values())
    assert kernels(net, net.first_layer).shape == (48, 3, 3, 3)
    assert activations(net, image, [net.decoder_layer])[net.decoder_layer].shape[-2:] == image.shape[-2:]


def test_a_network_need_not_name_anything(image):
    net = Corner()
    assert (net.activation_layers, net.attention_layers, net.decoder_layer, net.first_layer) == ((), (), None, None)
    assert activations(net, image, net.activation_layers) == {}
    assert attention_maps(net, image) == {}
