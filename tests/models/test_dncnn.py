import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wm_lightning.models import DnCNN


def build(seed=0, **arguments):
    """A net in eval mode whose last layer and batch norms have values of their own, so that all its layers show."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = DnCNN(**arguments).eval()
        net.final_conv.reset_parameters()  # it begins as the identity
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.2, 1.0)
    return net


def picture(height, width, batch=1, seed=1):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


def by_hand(state, image, depth):
    """The network from its state dict, in functions only."""
    features = F.conv2d(image, state["first.0.weight"], state["first.0.bias"], padding=1).clamp(min=0)
    for number in range(depth - 2):
        features = F.conv2d(features, state[f"middle.{number}.0.weight"], padding=1)
        mean, variance, weight, bias = (
            state[f"middle.{number}.1.{name}"].view(1, -1, 1, 1)
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        features = ((features - mean) / torch.sqrt(variance + 1e-5) * weight + bias).clamp(min=0)
    return image + F.conv2d(features, state["final_conv.weight"], state["final_conv.bias"], padding=1)


def test_parameter_count_is_the_papers():
    first = 3 * 64 * 9 + 64
    middle = 15 * (64 * 64 * 9 + 2 * 64)  # no bias, but the normalisation's two vectors
    last = 64 * 3 * 9 + 3
    assert sum(p.numel() for p in DnCNN().parameters()) == first + middle + last == 558_403


@pytest.mark.parametrize(("depth", "width"), [(3, 1), (4, 8), (20, 5)])
@pytest.mark.parametrize(("head", "maps"), [("direct", 3), ("residual", 3), ("masked", 4), ("decomposition", 11)])
def test_parameters_are_those_of_its_depth_and_width(depth, width, head, maps):
    net = DnCNN(depth, width, head)
    wanted = 28 * width + (depth - 2) * (9 * width**2 + 2 * width) + (9 * width + 1) * maps
    assert sum(p.numel() for p in net.parameters()) == wanted
    assert sum(isinstance(m, nn.Conv2d) for m in net.modules()) == depth
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == depth - 2


@pytest.mark.parametrize(("depth", "width"), [(17, 64), (3, 8), (6, 12)])
def test_whole_net_equals_its_formula_written_out(depth, width):
    net, image = build(depth=depth, width=width), picture(13, 22, batch=2)
    with torch.no_grad():
        wanted = by_hand(net.state_dict(), image, depth)
        got = net(image)
    assert (wanted - image).std() > 0.01
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (13, 22), (32, 32)])
def test_net_whose_last_convolution_is_zero_is_the_identity(height, width):
    net, image = build(), picture(height, width)
    nn.init.zeros_(net.final_conv.weight)
    nn.init.zeros_(net.final_conv.bias)
    with torch.no_grad():
        assert torch.equal(net(image), image)


def test_pixel_sees_as_far_as_there_are_convolutions():
    net, image = build(depth=5, width=8), picture(1, 21)
    changed = image.clone()
    changed[..., 10] = 1 - changed[..., 10]
    with torch.no_grad():
        moved = (net(changed) - net(image)).abs().amax(dim=(0, 1, 2)) > 0
    assert moved.nonzero().flatten().tolist() == list(range(5, 16))


def test_picture_is_never_padded():
    assert DnCNN.size.padded(37) == 37


@pytest.mark.parametrize("depth", [-1, 0, 2])
def test_too_few_layers_are_refused(depth):
    with pytest.raises(ValueError, match=rf"^depth={depth} must be at least 3"):
        DnCNN(depth=depth)


@pytest.mark.parametrize("width", [-8, 0])
def test_too_few_channels_are_refused(width):
    with pytest.raises(ValueError, match=rf"^width={width} must be at least 1"):
        DnCNN(width=width)
