import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wm_lightning.models import HeterogeneousUNet
from wm_lightning.models.attention import SelfAttention

NETS = {
    "gate": lambda: HeterogeneousUNet("gate", head="direct"),
    "sdpa": lambda: HeterogeneousUNet("sdpa", head="direct"),
}


def build(name, seed=0):
    """A net in eval mode whose batch norms have statistics of their own, so that the order of layers shows."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = NETS[name]().eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.2, 1.0)
        nn.init.normal_(net.final_conv.weight)
    return net


@pytest.fixture(scope="module")
def nets():
    return {name: build(name) for name in NETS}


def picture(height, width, batch=1, seed=1):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


def double_conv_entries(prefix, inputs, outputs):
    entries = {}
    for convolution, norm, channels in ((0, 1, inputs), (3, 4, outputs)):
        entries[f"{prefix}.conv.{convolution}.weight"] = (outputs, channels, 3, 3)
        entries[f"{prefix}.conv.{convolution}.bias"] = (outputs,)
        for name in ("weight", "bias", "running_mean", "running_var"):
            entries[f"{prefix}.conv.{norm}.{name}"] = (outputs,)
        entries[f"{prefix}.conv.{norm}.num_batches_tracked"] = ()
    return entries


def notebook_entries():
    """Key and shape of every tensor in the notebook's checkpoint, written down from its table of layers."""
    entries = {
        **double_conv_entries("enc1", 3, 48),
        **double_conv_entries("enc2.1", 48, 96),
        **double_conv_entries("enc3.1", 96, 144),
        **double_conv_entries("bottleneck.1", 144, 256),
        "bottleneck.2.weight": (256, 256, 3, 3),
        "bottleneck.2.bias": (256,),
        "final_conv.weight": (3, 48, 1, 1),
        "final_conv.bias": (3,),
    }
    for level, below, here in ((1, 256, 144), (2, 144, 96), (3, 96, 48)):
        entries[f"up{level}.0.weight"] = (below, here, 2, 2)
        entries[f"up{level}.0.bias"] = (here,)
        entries[f"attn_gate{level}.0.weight"] = (here, 2 * here, 3, 3)
        entries[f"attn_gate{level}.0.bias"] = (here,)
        entries[f"attn_gate{level}.2.weight"] = (1, here, 1, 1)
        entries[f"attn_gate{level}.2.bias"] = (1,)
        entries.update(double_conv_entries(f"dec{level}", 2 * here, here))
    return entries


def by_hand(state, image):
    """The notebook's network from its state dict, in functions only."""

    def conv(features, prefix):
        weight = state[f"{prefix}.weight"]
        return F.conv2d(features, weight, state[f"{prefix}.bias"], padding=weight.shape[-1] // 2)

    def norm(features, prefix):
        mean, variance, weight, bias = (
            state[f"{prefix}.{name}"].view(1, -1, 1, 1) for name in ("running_mean", "running_var", "weight", "bias")
        )
        return (features - mean) / torch.sqrt(variance + 1e-5) * weight + bias

    def leaky(features):
        return torch.where(features > 0, features, 0.01 * features)

    def double(features, prefix):
        features = norm(conv(features, f"{prefix}.conv.0"), f"{prefix}.conv.1").clamp(min=0)
        return leaky(norm(conv(features, f"{prefix}.conv.3"), f"{prefix}.conv.4"))

    def decode(features, skip, level):
        raised = F.conv_transpose2d(features, state[f"up{level}.0.weight"], state[f"up{level}.0.bias"], stride=2)
        joined = torch.cat([raised.clamp(min=0), skip], dim=1)
        attention = conv(leaky(conv(joined, f"attn_gate{level}.0")), f"attn_gate{level}.2").sigmoid()
        return double(attention * joined, f"dec{level}")

    skip1 = double(image, "enc1")
    skip2 = double(F.max_pool2d(skip1, 2), "enc2.1")
    skip3 = double(F.max_pool2d(skip2, 2), "enc3.1")
    gate = conv(double(F.max_pool2d(skip3, 2), "bottleneck.1"), "bottleneck.2").sigmoid()
    features = decode(gate * gate, skip3, 1)
    features = decode(features, skip2, 2)
    features = decode(features, skip1, 3)
    return gate, conv(features, "final_conv").sigmoid()


def record(net, image, names):
    """Inputs and outputs of named layers in one pass."""
    seen = {}
    hooks = [
        net.get_submodule(name).register_forward_hook(
            lambda _, inputs, output, name=name: seen.update({name: (inputs[0].clone(), output.clone())})
        )
        for name in names
    ]
    with torch.no_grad():
        net(image)
    for hook in hooks:
        hook.remove()
    return seen


def test_parameter_count_is_the_notebooks():
    net = HeterogeneousUNet(head="direct")
    assert sum(parameter.numel() for parameter in net.parameters()) == 3_647_878


def test_every_parameter_is_trainable():
    assert all(parameter.requires_grad for parameter in HeterogeneousUNet().parameters())


def test_gate_and_the_layer_head_are_the_defaults(nets):
    assert set(HeterogeneousUNet().state_dict()) == set(nets["gate"].state_dict())
    assert HeterogeneousUNet().predict(picture(8, 8, batch=2)).layer is not None
    # The last convolution makes eleven maps in place of three.
    count = sum(parameter.numel() for parameter in HeterogeneousUNet().parameters())
    assert count == 3_647_878 + 8 * (48 + 1)


def test_state_dict_has_exactly_the_notebooks_keys_and_shapes(nets):
    assert {key: tuple(value.shape) for key, value in nets["gate"].state_dict().items()} == notebook_entries()


def test_notebook_checkpoint_loads_strictly_and_gives_its_output(tmp_path, nets):
    generator = torch.Generator().manual_seed(5)
    checkpoint = {}
    for key, shape in notebook_entries().items():
        value = 0.05 * torch.randn(shape, generator=generator)
        checkpoint[key] = torch.tensor(3) if key.endswith("tracked") else value
        if key.endswith("running_var"):
            checkpoint[key] = value.abs() + 0.1
    torch.save(checkpoint, tmp_path / "wm_best_model.pth")
    net = HeterogeneousUNet(head="direct").eval()
    net.load_state_dict(torch.load(tmp_path / "wm_best_model.pth", weights_only=True), strict=True)
    image = picture(16, 24)
    with torch.no_grad():
        torch.testing.assert_close(net(image), by_hand(checkpoint, image)[1])


def test_whole_net_equals_its_formula_written_out(nets):
    image = picture(32, 24, batch=2)
    with torch.no_grad():
        wanted = by_hand(nets["gate"].state_dict(), image)[1]
        got = nets["gate"](image)
    assert wanted.std() > 0.01
    torch.testing.assert_close(got, wanted)


def test_gate_map_is_multiplied_by_itself(nets):
    image = picture(32, 32)
    with torch.no_grad():
        gate, _ = by_hand(nets["gate"].state_dict(), image)
    seen = record(nets["gate"], image, ["bottleneck", "up1"])
    torch.testing.assert_close(seen["bottleneck"][1], gate)
    torch.testing.assert_close(seen["up1"][0], gate * gate)


def test_self_attention_output_is_not_squared(nets):
    seen = record(nets["sdpa"], picture(32, 32), ["bottleneck", "up1"])
    assert torch.equal(seen["up1"][0], seen["bottleneck"][1])


@pytest.mark.parametrize("attention", NETS)
def test_layers_have_the_tables_shapes(nets, attention):
    side = 64
    expected = {
        "enc1": (48, 1), "enc2": (96, 2), "enc3": (144, 4), "bottleneck": (256, 8),
        "up1": (144, 4), "attn_gate1": (1, 4), "dec1": (144, 4),
        "up2": (96, 2), "attn_gate2": (1, 2), "dec2": (96, 2),
        "up3": (48, 1), "attn_gate3": (1, 1), "dec3": (48, 1),
        "final_conv": (3, 1),
    }  # fmt: skip
    seen = record(nets[attention], picture(side, side), expected)
    assert {name: tuple(output.shape) for name, (_, output) in seen.items()} == {
        name: (1, channels, side // factor, side // factor) for name, (channels, factor) in expected.items()
    }


def test_attention_gates_lie_between_0_and_1_and_differ_from_place_to_place(nets):
    seen = record(nets["gate"], picture(64, 64), ["attn_gate1", "attn_gate2", "attn_gate3"])
    for _, attention in seen.values():
        assert attention.min() >= 0
        assert attention.max() <= 1
        assert attention.std() > 1e-3


def test_self_attention_equals_its_formula():
    torch.manual_seed(3)
    channels, heads, height, width = 24, 4, 3, 5
    layer = SelfAttention(channels, heads)
    nn.init.uniform_(layer.norm.weight, 0.5, 1.5)
    nn.init.uniform_(layer.norm.bias, -0.5, 0.5)
    features = torch.randn(2, channels, height, width)
    tensors = {key: value.double().numpy() for key, value in layer.state_dict().items()}
    depth = channels // heads
    expected = np.empty((2, channels, height, width))
    for number, x in enumerate(features.double().numpy().reshape(2, channels, -1)):
        scaled = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        scaled = scaled * tensors["norm.weight"][:, None] + tensors["norm.bias"][:, None]
        q, k, v = np.split(tensors["qkv.weight"][:, :, 0, 0] @ scaled + tensors["qkv.bias"][:, None], 3)
        attended = []
        for head in range(heads):
            part = slice(head * depth, (head + 1) * depth)
            scores = np.exp(q[part].T @ k[part] / np.sqrt(depth))
            attended.append(v[part] @ (scores / scores.sum(axis=1, keepdims=True)).T)
        projected = tensors["project.weight"][:, :, 0, 0] @ np.concatenate(attended)
        expected[number] = (x + projected + tensors["project.bias"][:, None]).reshape(channels, height, width)
    with torch.no_grad():
        np.testing.assert_allclose(layer(features).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_self_attention_knows_no_order_of_positions():
    torch.manual_seed(4)
    layer = SelfAttention(16, 2)
    features = torch.randn(1, 16, 4, 4)
    order = torch.randperm(16)
    with torch.no_grad():
        moved = layer(features.flatten(2)[..., order].view(1, 16, 4, 4)).flatten(2)
        torch.testing.assert_close(moved, layer(features).flatten(2)[..., order])


def test_self_attention_reaches_across_the_picture_and_the_gate_does_not(nets):
    image = picture(96, 8)
    changed = image.clone()
    changed[..., -8:, :] = 0
    with torch.no_grad():
        moved = {
            name: (
                record(net, image, ["up1"])["up1"][0] - record(net, changed, ["up1"])["up1"][0]
            )[..., 0, :].abs().max()
            for name, net in nets.items()
        }  # fmt: skip
    assert moved["gate"] == 0
    assert moved["sdpa"] > 0
