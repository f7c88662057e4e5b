import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wm_lightning.models import NAFNet
from wm_lightning.models.nafnet import ChannelNorm, NAFBlock, simple_gate


def filled(module, seed=0):
    """The module with every parameter drawn, so that nothing hides behind a zero."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return module.eval()


def features_of(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_channel_norm_normalises_each_position_over_its_channels():
    norm = filled(ChannelNorm(6, eps=1e-6))
    features = features_of(2, 6, 3, 5)
    x = features.double().numpy()
    scaled = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    weight, bias = (value.detach().double().numpy()[None, :, None, None] for value in (norm.weight, norm.bias))
    np.testing.assert_allclose(norm(features).detach().numpy(), scaled * weight + bias, rtol=1e-4, atol=1e-5)


def test_simple_gate_multiplies_one_half_with_the_other():
    features = features_of(1, 4, 2, 2)
    assert torch.equal(simple_gate(features), features[:, :2] * features[:, 2:])


def test_a_block_equals_the_papers_equations_written_out():
    block, features = filled(NAFBlock(4)), features_of(2, 4, 5, 7)
    state = block.state_dict()

    def norm(x, name):
        mean, variance = x.mean(dim=1, keepdim=True), x.var(dim=1, keepdim=True, unbiased=False)
        weight, bias = (state[f"{name}.{key}"].view(1, -1, 1, 1) for key in ("weight", "bias"))
        return (x - mean) / torch.sqrt(variance + 1e-6) * weight + bias

    def conv(x, name, **options):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    wide = conv(conv(norm(features, "norm1"), "widen"), "depthwise", padding=1, groups=8)
    gated = wide[:, :4] * wide[:, 4:]
    gated = gated * conv(gated.mean(dim=(2, 3), keepdim=True), "attention")
    middle = features + state["beta"] * conv(gated, "project")
    fed = conv(norm(middle, "norm2"), "feed")
    wanted = middle + state["gamma"] * conv(fed[:, :4] * fed[:, 4:], "forth")
    with torch.no_grad():
        torch.testing.assert_close(block(features), wanted)


def test_a_new_block_is_the_identity():
    features = features_of(1, 8, 4, 4)
    with torch.no_grad():
        assert torch.equal(NAFBlock(8)(features), features)


def test_parameters_of_the_default_by_hand():
    def block(c):
        norms, depthwise = 2 * 2 * c, 2 * c * 9 + 2 * c
        widen, feed = 2 * (2 * c * c + 2 * c), 3 * (c * c + c)  # and attention, project, forth
        return norms + depthwise + widen + feed + 2 * c

    widths = (32, 64, 128)
    first, last = 12 * 32 * 9 + 32, 32 * 44 * 9 + 44
    down = sum(c * 2 * c * 4 + 2 * c for c in widths)
    up = sum(2 * c * 4 * c for c in widths)
    blocks = 2 * sum(map(block, widths)) + 2 * block(256)
    assert sum(p.numel() for p in NAFNet().parameters()) == first + last + down + up + blocks


@pytest.mark.parametrize(("encoder", "shuffle", "multiple"), [((1,), 1, 2), ((1, 1, 1), 2, 16), ((1, 1), 4, 16)])
def test_sizes_follow_from_levels_and_shuffle(encoder, shuffle, multiple):
    net = NAFNet(4, encoder, 1, encoder, shuffle)
    assert net.size.multiple == multiple
    assert NAFNet.__dict__.get("size") is None  # one network's levels say nothing about another's


def test_attention_over_channels_sees_the_whole_picture():
    net = filled(NAFNet(8, (1,), 1, (1,), shuffle=1, head="residual"))
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    changed = image.clone()
    changed[..., 60:, 60:] = 0
    with torch.no_grad():
        assert (net(image)[..., :4, :4] - net(changed)[..., :4, :4]).abs().max() > 0
        for module in net.modules():
            if isinstance(module, NAFBlock):
                nn.init.zeros_(module.attention.weight)
        assert torch.equal(net(image)[..., :4, :4], net(changed)[..., :4, :4])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"encoder": (1, 1), "decoder": (1,)}, r"^encoder=\[1, 1\], decoder=\[1\] must have as many"),
        ({"encoder": (), "decoder": ()}, r"^encoder=\[\]"),
        ({"width": 0}, r"^width, encoder, middle, decoder and shuffle must be numbers from 1 up"),
        ({"shuffle": 0}, "from 1 up"),
    ],
)
def test_numbers_out_of_range_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        NAFNet(**options)
