import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wm_lightning.models import PixelUnshuffleUNet


def build(**options):
    """A net in eval mode whose last layer and batch norms have values of their own."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = PixelUnshuffleUNet(**options).eval()
        net.last.reset_parameters()  # it begins as the identity
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.2, 1.0)
    return net


def picture(height, width, batch=1, seed=1):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


def by_hand(state, image, shuffle):
    """A network of three levels without attention, from its state dict."""

    def block(x, name):
        for conv, norm in ((0, 1), (3, 4)):
            x = F.conv2d(x, state[f"{name}.{conv}.weight"], padding=1)
            mean, variance, weight, bias = (
                state[f"{name}.{norm}.{key}"].view(1, -1, 1, 1)
                for key in ("running_mean", "running_var", "weight", "bias")
            )
            x = ((x - mean) / torch.sqrt(variance + 1e-5) * weight + bias).clamp(min=0)
        return x

    def up(x, number):
        return F.conv_transpose2d(x, state[f"up.{number}.weight"], state[f"up.{number}.bias"], stride=2)

    first = block(F.pixel_unshuffle(image, shuffle), "encoder.0")
    second = block(F.max_pool2d(first, 2), "encoder.1")
    third = block(F.max_pool2d(second, 2), "encoder.2")
    x = block(torch.cat((up(third, 0), second), dim=1), "decoder.0")
    x = block(torch.cat((up(x, 1), first), dim=1), "decoder.1")
    return F.pixel_shuffle(F.conv2d(x, state["last.weight"], state["last.bias"]), shuffle)


@pytest.mark.parametrize("shuffle", [1, 2, 4])
def test_whole_net_equals_its_formula_written_out(shuffle):
    net = build(widths=(8, 12, 16), shuffle=shuffle, attention=0, head="residual")
    image = picture(32, 48, batch=2)
    with torch.no_grad():
        maps = by_hand(net.state_dict(), image, shuffle)
        assert maps.std() > 0.01
        torch.testing.assert_close(net(image), image + maps)


def test_parameters_of_the_default_by_hand():
    def block(i, o):
        return 9 * (i * o + o * o) + 4 * o

    widths = (48, 96, 128, 160)
    encoder = sum(block(i, o) for i, o in zip((12, *widths), widths, strict=False))
    decoder = sum(block(2 * c, c) for c in widths[:-1])
    up = sum(4 * i * o + o for i, o in zip(widths[1:], widths, strict=False))
    count = encoder + decoder + up + 48 * 44 + 44
    attention = 2 * (2 * 160 + 4 * 160 * 160 + 4 * 160)
    for layers, wanted in ((0, count), (2, count + attention)):
        assert sum(p.numel() for p in PixelUnshuffleUNet(attention=layers).parameters()) == wanted


@pytest.mark.parametrize(("attention", "reaches"), [(0, False), (1, True)])
def test_attention_reaches_across_the_picture(attention, reaches):
    net = build(widths=(8, 12), attention=attention, head="residual")
    image = picture(128, 8)
    changed = image.clone()
    changed[..., -8:, :] = 0
    with torch.no_grad():
        moved = (net(image) - net(changed))[..., :8, :].abs().max()
    assert bool(moved > 0) == reaches


@pytest.mark.parametrize(("widths", "shuffle", "multiple"), [((8, 8), 1, 2), ((8, 8, 8), 2, 8), ((8, 8), 4, 8)])
def test_sizes_follow_from_levels_and_shuffle(widths, shuffle, multiple):
    net = PixelUnshuffleUNet(widths, shuffle)
    assert net.size.multiple == multiple
    assert PixelUnshuffleUNet.__dict__.get("size") is None  # one network's levels say nothing about another's


def test_the_memory_format_changes_no_value():
    net, image = build(widths=(8, 12)), picture(16, 24)
    with torch.no_grad():
        plain = net.predict(image)
        other = net.to(memory_format=torch.channels_last).predict(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain.image, other.image)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"widths": [8]}, r"^widths=\[8\] must be at least two numbers from 1 up"),
        ({"widths": [8, 0]}, r"^widths=\[8, 0\]"),
        ({"shuffle": 0}, r"^shuffle=0 must be at least 1"),
        ({"attention": -1}, r"^attention=-1 must be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        PixelUnshuffleUNet(**options)
