import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wm_lightning.models import SWCNN


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = SWCNN(head="direct").eval()
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.uniform_(module.bias, -0.2, 0.2)
    return net


def picture(height, width, batch=1, seed=1):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


def conv_parameters(inputs, outputs):
    return inputs * outputs * 9 + outputs


def by_hand(state, image):
    """The network from its state dict, in functions only, level by level."""

    def conv(features, prefix):
        return F.conv2d(features, state[f"{prefix}.weight"], state[f"{prefix}.bias"], padding=1)

    def relu_conv(features, prefix):
        return conv(features, prefix).clamp(min=0)

    def up(features, prefix):
        weight, bias = state[f"{prefix}.weight"], state[f"{prefix}.bias"]
        return F.conv_transpose2d(features, weight, bias, stride=2, padding=1, output_padding=1)

    def decode(features, skip, prefix):
        features = relu_conv(relu_conv(torch.cat([features, skip], dim=1), f"{prefix}.0"), f"{prefix}.2")
        return up(features, f"{prefix}.4")

    half = F.max_pool2d(relu_conv(relu_conv(image, "enc1.0"), "enc1.2"), 2)
    quarter = F.max_pool2d(relu_conv(half, "enc_shared.0"), 2)
    eighth = F.max_pool2d(relu_conv(quarter, "enc_shared.0"), 2)
    sixteenth = F.max_pool2d(relu_conv(eighth, "enc_shared.0"), 2)
    lowest = F.max_pool2d(relu_conv(sixteenth, "enc_shared.0"), 2)
    features = up(relu_conv(lowest, "bottleneck.0"), "bottleneck.2")
    features = decode(features, sixteenth, "dec1")
    features = decode(features, eighth, "dec_shared")
    features = decode(features, quarter, "dec_shared")
    features = decode(features, half, "dec_shared")
    features = relu_conv(relu_conv(torch.cat([features, image], dim=1), "dec5.0"), "dec5.2")
    maps = conv(features, "final_conv")
    return torch.where(maps > 0, maps, 0.1 * maps)


def outputs(net, layer, image):
    """What a layer puts out, run by run."""
    seen = []
    hook = net.get_submodule(layer).register_forward_hook(lambda _, inputs, output: seen.append(output.clone()))
    with torch.no_grad():
        net(image)
    hook.remove()
    return seen


@pytest.mark.parametrize(("head", "maps"), [("direct", 3), ("residual", 3), ("masked", 4), ("decomposition", 11)])
def test_parameters_are_those_of_its_fourteen_convolutions(head, maps):
    pairs = [
        (3, 48), (48, 48),  # encoder level 1
        (48, 48),  # levels 2 to 5
        (48, 48), (48, 48),  # the lowest level, and up
        (96, 96), (96, 96), (96, 96),  # decoder level 1, and up
        (144, 96), (96, 96), (96, 96),  # levels 2 to 4
        (99, 64), (64, 32), (32, maps),  # level 5, beside the picture
    ]  # fmt: skip
    net = SWCNN(head=head)
    assert sum(p.numel() for p in net.parameters()) == sum(conv_parameters(*pair) for pair in pairs)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert sorted((m.in_channels, m.out_channels) for m in convolutions) == sorted(pairs)
    if head == "direct":
        assert sum(p.numel() for p in net.parameters()) == 700_611


def test_whole_net_equals_its_formula_written_out(net):
    image = picture(96, 64, batch=2)
    with torch.no_grad():
        wanted = by_hand(net.state_dict(), image)
        got = net(image)
    assert wanted.std() > 0.01
    assert (wanted < 0).any()
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize(("layer", "sides"), [("enc_shared", (16, 8, 4, 2)), ("dec_shared", (16, 32, 64))])
def test_shared_block_serves_its_levels_and_changing_it_changes_them_all(net, layer, sides):
    image = picture(64, 64)
    before = outputs(net, layer, image)
    assert [features.shape[-1] for features in before] == list(sides)
    last = [m for m in net.get_submodule(layer) if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)][-1]
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, 0.625)
    for old, new in zip(before, outputs(net, layer, image), strict=True):
        assert not (old == 0.625).any()
        assert (new == 0.625).all()


def test_layers_have_their_shapes(net):
    expected = {"enc1": (48, 32), "bottleneck": (48, 4), "dec1": (96, 8), "dec5": (32, 64), "final_conv": (3, 64)}
    for layer, (channels, side) in expected.items():
        (features,) = outputs(net, layer, picture(64, 64))
        assert features.shape == (1, channels, side, side)


def test_last_level_sees_the_picture_itself(net):
    nn.init.zeros_(net.dec_shared[4].weight)  # nothing else arrives there
    with torch.no_grad():
        assert not torch.equal(net(picture(32, 32)), net(picture(32, 32, seed=2)))


@pytest.mark.parametrize(("maps", "wanted"), [(-1.0, -0.1), (0.0, 0.0), (0.5, 0.5), (2.0, 2.0)])
def test_end_lets_a_tenth_of_what_is_negative_through(net, maps, wanted):
    nn.init.zeros_(net.final_conv.weight)
    nn.init.constant_(net.final_conv.bias, maps)
    with torch.no_grad():
        torch.testing.assert_close(net(picture(32, 32)), torch.full((1, 3, 32, 32), wanted))


def test_weights_start_as_rectifiers_need_them():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = SWCNN(head="direct")
    for layer in (net.dec1[0], net.dec1[4]):
        assert layer.weight.std().item() == pytest.approx((2 / (96 * 9)) ** 0.5, rel=0.05)
    net(picture(64, 64)).sum().backward()
    norms = {key: float(p.grad.norm()) for key, p in net.named_parameters() if key.endswith("weight")}
    assert min(norms.values()) > 1e-4 * max(norms.values())


def test_the_layer_head_is_the_default():
    assert SWCNN().final_conv.out_channels == SWCNN(head="decomposition").final_conv.out_channels == 11
    assert SWCNN().predict(picture(32, 32)).layer is not None
