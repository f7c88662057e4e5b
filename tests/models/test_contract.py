"""What every network keeps with every head. A new network is one more entry of NETS."""

from functools import cache
from io import BytesIO
from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from wm_lightning.models import SWCNN, DnCNN, HeterogeneousUNet, NAFNet, PixelUnshuffleUNet
from wm_lightning.models.heads import MASK_FLOOR, HeadName
from wm_lightning.models.inspect import activations, attention_maps, kernels

NETS = {
    "unet-gate": lambda head: HeterogeneousUNet("gate", head=head),
    "unet-sdpa": lambda head: HeterogeneousUNet("sdpa", head=head),
    "swcnn": lambda head: SWCNN(head=head),
    "dncnn": lambda head: DnCNN(head=head),
    "nafnet": lambda head: NAFNet(8, (1, 2), 1, (1, 1), head=head),
    "pixel_unshuffle_unet": lambda head: PixelUnshuffleUNet((12, 16, 24), attention=1, head=head),
}
CASES = list(product(NETS, get_args(HeadName)))
MASKING = [(name, head) for name, head in CASES if head in ("masked", "decomposition")]
SIZES = [(37, 31), (1, 1), (7, 50), (3, 200)]

every_net = pytest.mark.parametrize(("name", "head"), CASES)
every_net_with_a_mask = pytest.mark.parametrize(("name", "head"), MASKING)
every_size = pytest.mark.parametrize(("height", "width"), SIZES)


def untrained(name, head, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return NETS[name](head)


def last_of(net):
    """The convolution that makes the head's maps."""
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)][-1]


def build(name, head, seed=0):
    """A net in eval mode whose last convolution and norms have values of their own, so that all its layers show."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = NETS[name](head).eval()
        last_of(net).reset_parameters()  # it begins as the identity
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.2, 1.0)
    return net


built = cache(build)  # for tests that leave a net as it was


def picture(height, width, batch=1, seed=1):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


@cache
def predicted(name, head, height, width):
    with torch.no_grad():
        return built(name, head).predict(picture(height, width, batch=2))


def values(prediction):
    return {name: value for name, value in prediction._asdict().items() if value is not None}


def change_mask_logits(net, change):
    """What its last convolution would do with other weights for the head's first map."""
    net.head.register_forward_pre_hook(
        lambda _, inputs: (torch.cat((change(inputs[0][:, :1]), inputs[0][:, 1:]), dim=1), inputs[1])
    )


@pytest.mark.parametrize(("name", "head"), [case for case in CASES if case[1] != "direct"])
@every_size
@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_an_untrained_net_returns_its_input_to_the_bit(name, head, height, width, training):
    net, image = untrained(name, head).train(training), picture(height, width, batch=2)
    assert torch.equal(net(image), image)


@pytest.mark.parametrize("name", NETS)
@torch.no_grad()
def test_an_untrained_net_that_paints_every_pixel_cannot(name):
    assert (untrained(name, "direct").eval()(picture(32, 32)) - picture(32, 32)).abs().mean() > 0.01


@pytest.mark.parametrize(("name", "head"), [case for case in CASES if case[1] != "direct"])
def test_an_untrained_net_learns_from_its_first_step_where_to_change_something(name, head):
    net, image = untrained(name, head).train(), picture(32, 32, batch=2)
    found = net.predict(image)
    (found.image if found.mask_logits is None else found.mask_logits).mean().backward()
    last = last_of(net)
    rows = (3 if head == "residual" else 1) * (last.out_channels // net.head.channels)
    assert not last.weight[:rows].any()
    assert last.weight.grad[:rows].flatten(1).any(dim=1).all()


@every_net
@every_size
def test_any_size_comes_out_as_it_went_in(name, head, height, width):
    found = predicted(name, head, height, width)
    assert found.image.shape == (2, 3, height, width)
    for field, value in values(found).items():
        assert value.shape[-2:] == (height, width), field
        assert value.isfinite().all(), field


@every_net
@torch.no_grad()
def test_forward_returns_the_picture(name, head):
    assert torch.equal(built(name, head)(picture(37, 31, batch=2)), predicted(name, head, 37, 31).image)


@every_net
@every_size
@torch.no_grad()
def test_padded_result_is_that_of_a_picture_padded_by_hand(name, head, height, width):
    net, image = built(name, head), picture(height, width, batch=2)
    bottom, right = -height % net.size.multiple, -width % net.size.multiple
    mode = "reflect" if bottom < height and right < width else "edge"
    padded = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (0, 0), (0, bottom), (0, right)), mode=mode))
    found, wanted = values(predicted(name, head, height, width)), values(net.restore(padded))
    assert set(found) == set(wanted)
    for field, value in found.items():
        assert torch.equal(value, wanted[field][..., :height, :width]), field


@every_net
@torch.no_grad()
def test_net_works_on_every_size_it_declares(name, head):
    net = built(name, head)
    least = net.size.padded(1)
    following = net.size.padded(least + 1)
    for height, width in ((least, least), (least, following), (following, least)):
        image = picture(height, width)
        assert net.restore(image).image.shape == image.shape


@every_net
def test_net_declares_no_size_that_is_coarser_than_needed(name, head):
    net = built(name, head)
    if net.size.multiple == 1:
        return
    length = 3 * (net.size.multiple // 2)
    with pytest.raises(RuntimeError):
        net.restore(picture(length, length))


@every_net
@torch.no_grad()
def test_input_is_not_changed(name, head):
    image = picture(32, 32)  # allowed as it is: a padded one would be a copy
    before = image.clone()
    built(name, head)(image)
    assert torch.equal(image, before)


@every_net
@torch.no_grad()
def test_pictures_of_a_batch_do_not_influence_each_other(name, head):
    net, image = built(name, head), picture(21, 18, batch=3)
    together = values(net.predict(image))
    for number, single in enumerate(image):
        for field, value in values(net.predict(single[None])).items():
            torch.testing.assert_close(together[field][number], value[0], msg=lambda text, field=field: field + text)


@every_net
def test_every_parameter_gets_a_finite_gradient(name, head):
    net = build(name, head).train()
    found = values(net.predict(picture(16, 16, batch=2)))
    sum(value.float().square().mean() for value in found.values()).backward()
    for key, parameter in net.named_parameters():
        assert parameter.requires_grad, key
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    for layer in filter(None, (net.first_layer, net.decoder_layer)):
        assert sum(parameter.grad.abs().sum() for parameter in net.get_submodule(layer).parameters()) > 0, layer


@every_net
@torch.no_grad()
def test_saved_net_gives_the_same_output_after_loading(name, head):
    net, other, image, file = built(name, head), build(name, head, seed=9), picture(16, 16), BytesIO()
    torch.save(net.state_dict(), file)
    assert not torch.equal(other(image), net(image))
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True), strict=True)
    assert torch.equal(other(image), net(image))


@every_net
def test_layers_it_names_can_be_looked_at(name, head):
    net, image = built(name, head), picture(37, 31)
    for layer, features in activations(net, image, net.activation_layers).items():
        assert features.ndim == 4, layer
        assert features.isfinite().all(), layer
        assert features.std() > 0, layer
    for layer, gate in attention_maps(net, image).items():
        assert gate.shape == (1, 37, 31), layer
        assert gate.min() >= 0, layer
        assert gate.max() <= 1, layer
    if net.decoder_layer is not None:
        assert activations(net, image, [net.decoder_layer])[net.decoder_layer].shape[-2:] == image.shape[-2:]
    if net.first_layer is not None:
        assert kernels(net, net.first_layer).shape[1] == 3


@every_net
@torch.no_grad()
def test_layers_it_names_run_once(name, head):
    net, runs = build(name, head), []
    layers = {*net.activation_layers, *net.attention_layers, *filter(None, (net.decoder_layer, net.first_layer))}
    for layer in layers:
        net.get_submodule(layer).register_forward_hook(lambda *_, layer=layer: runs.append(layer))
    net(picture(16, 16))
    assert sorted(runs) == sorted(layers)


@every_net
def test_head_adds_no_parameters(name, head):
    found, full = built(name, head).state_dict(), built(name, "direct").state_dict()
    assert not [key for key in found if "head" in key]
    assert found.keys() == full.keys()
    other = {key.rpartition(".")[0] for key, value in found.items() if value.shape != full[key].shape}
    assert len(other) == (head in ("masked", "decomposition"))  # the last convolution, which makes the head's maps


@pytest.mark.parametrize("name", NETS)
def test_unknown_head_is_refused_by_name(name):
    with pytest.raises(ValueError, match=r"^head=nowhere must be one of"):
        NETS[name]("nowhere")


@every_net_with_a_mask
@torch.no_grad()
def test_without_a_mask_the_picture_stays_to_the_bit(name, head):
    net, image = build(name, head), picture(37, 31, batch=2)
    change_mask_logits(net, lambda logits: torch.full_like(logits, -20))
    found = net.predict(image)
    assert not found.mask.any()
    assert torch.equal(found.image, image)
    assert not torch.equal(found.background, image)


@every_net_with_a_mask
@torch.no_grad()
def test_outside_a_mask_the_picture_stays_to_the_bit(name, head):
    net, image = build(name, head), picture(37, 31, batch=2)
    shift = np.log(MASK_FLOOR / (1 - MASK_FLOOR)) - net.predict(image).mask_logits.median()  # about half of the pixels
    change_mask_logits(net, lambda logits: logits + shift)
    found = net.predict(image)
    outside = (found.mask == 0).expand_as(image)
    assert 0.2 < outside.float().mean() < 0.8
    assert torch.equal(found.image[outside], image[outside])
    assert not torch.equal(found.image[~outside], image[~outside])
