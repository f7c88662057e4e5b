from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from wm_lightning.models.heads import (
    HEADS,
    LEAST_TRANSPARENCY,
    MASK_FLOOR,
    OVERSHOOT,
    DecompositionHead,
    Head,
    HeadName,
    build_head,
    correction_of,
    start_from_identity,
)
from wm_lightning.types import Prediction

FIELDS = {
    "direct": {"image": 3},
    "residual": {"image": 3},
    "masked": {"image": 3, "mask_logits": 1, "mask": 1, "background": 3},
    "decomposition": {
        "image": 3,
        "mask_logits": 1,
        "mask": 1,
        "background": 3,
        "inpainting": 3,
        "alpha": 3,
        "layer": 3,
        "gate": 1,
    },
}
CHANNELS = {"direct": 3, "residual": 3, "masked": 4, "decomposition": 11}
ODD = (0.0, 1.0, 1 / 3, 1e-40, 0.9999999, 1.0000001, -0.25, 7.7, 0.1 + 0.2, 254.5 / 255)
every_head = pytest.mark.parametrize("name", CHANNELS)
masking_heads = pytest.mark.parametrize("name", ["masked", "decomposition"])


def random_maps(name, height=6, width=5, batch=2, spread=2.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn((batch, CHANNELS[name], height, width), generator=generator)


def random_picture(height=6, width=5, batch=2, seed=1):
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(p):
    p = torch.as_tensor(p, dtype=torch.float64)
    return torch.log(p / (1 - p)).float()


def decomposition_maps(mask=40.0, alpha=0.5, colour=0.5, inpainting=0.5, gate=-40.0, shape=(1, 4, 4)):
    """Maps whose sigmoids are what is asked for; the mask and the gate are given as logits."""
    batch, height, width = shape
    parts = (
        (1, torch.tensor(mask)), (3, logit(alpha) + 1), (3, logit(colour) - 1), (3, logit(inpainting)),
        (1, torch.tensor(gate)),
    )  # fmt: skip
    return torch.cat([part.float().expand(batch, count, height, width) for count, part in parts], dim=1)


def assert_values(found, wanted):
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)


def mask_by_hand(logits):
    return np.maximum(0, (sigmoid(logits) - 0.02) / 0.98)


def test_every_head_is_tried():
    assert set(HEADS) == set(get_args(HeadName)) == set(CHANNELS)


def test_full_is_the_sigmoid_of_the_maps():
    maps, image = random_maps("direct"), random_picture()
    assert_values(build_head("direct")(maps, image).image, sigmoid(maps.double().numpy()))


def test_full_takes_another_activation():
    maps = random_maps("direct")
    assert torch.equal(build_head("direct", torch.tanh)(maps, random_picture()).image, maps.tanh())


def test_residual_adds_the_maps_to_the_picture():
    maps, image = random_maps("residual"), random_picture()
    wanted = image.double().numpy() + maps.double().numpy()
    assert_values(build_head("residual")(maps, image).image, wanted)


def test_residual_of_nothing_is_the_picture():
    image = torch.tensor(ODD).repeat(3).view(1, 3, 1, -1)
    maps = torch.zeros_like(image, dtype=torch.bfloat16)
    assert torch.equal(build_head("residual")(maps, image).image, image)


def test_masked_equals_its_formula():
    maps, image = random_maps("masked"), random_picture()
    found = build_head("masked")(maps, image)
    m, x = maps.double().numpy(), image.double().numpy()
    mask, inpainting = mask_by_hand(m[:, :1]), sigmoid(m[:, 1:])
    assert_values(found.mask_logits, m[:, :1])
    assert_values(found.mask, mask)
    assert_values(found.background, inpainting)
    assert_values(found.image, mask * inpainting + (1 - mask) * x)
    assert (mask == 0).any()


def test_layer_equals_its_formula():
    maps, image = random_maps("decomposition"), random_picture()
    found = build_head("decomposition")(maps, image)
    m, x = maps.double().numpy(), image.double().numpy()
    mask = mask_by_hand(m[:, :1])
    alpha, colour, inpainting = sigmoid(m[:, 1:4] - 1), sigmoid(m[:, 4:7] + 1), sigmoid(m[:, 7:10])
    gate = sigmoid(m[:, 10:] - 1)
    behind = np.clip((x - alpha * colour) / np.maximum(1 - alpha, 0.1), -0.2, 1.2)
    background = gate * inpainting + (1 - gate) * behind
    wanted = {
        "mask_logits": m[:, :1], "mask": mask, "background": background, "inpainting": inpainting, "alpha": alpha,
        "layer": alpha * colour, "gate": gate, "image": mask * background + (1 - mask) * x,
    }  # fmt: skip
    assert set(wanted) == set(Prediction._fields) - {"recognition"}  # which a network adds
    for name, value in wanted.items():
        assert_values(getattr(found, name), value)
    assert ((behind == -0.2) | (behind == 1.2)).any()
    assert (1 - alpha < 0.1).any()


def test_mask_runs_from_0_at_the_floor_to_1():
    logits = torch.cat((logit([0.0001, 0.019, 0.021, 0.51, 0.999]), torch.tensor([40.0])))
    maps = torch.cat((logits.view(1, 1, 1, -1), torch.zeros(1, 3, 1, 6)), dim=1)
    mask = build_head("masked")(maps, torch.zeros(1, 3, 1, 6)).mask.flatten()
    assert mask[:2].tolist() == [0, 0]
    assert 0 < mask[2] < 0.002
    torch.testing.assert_close(mask[3:], torch.tensor([0.5, 0.979 / 0.98, 1.0]))
    assert mask.max() <= 1


@masking_heads
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("picture", ["random", "odd"])
def test_pixels_outside_the_mask_are_the_inputs_to_the_bit(name, dtype, picture):
    maps = random_maps(name, 20, 10, spread=4).to(dtype)
    image = random_picture(20, 10)
    if picture == "odd":
        image = torch.tensor(ODD).expand(2, 3, 20, 10).contiguous()
    found = build_head(name)(maps, image)
    outside = (found.mask == 0).expand_as(image)
    assert outside.any()
    assert not outside.all()
    assert torch.equal(found.image[outside].view(torch.int32), image[outside].view(torch.int32))
    assert not torch.equal(found.image[~outside], image[~outside])


@masking_heads
def test_a_pixel_below_the_floor_still_learns_that_it_is_marked(name):
    maps = random_maps(name)
    maps[:, 0] = -30
    maps.requires_grad_()
    found = build_head(name)(maps, random_picture())
    assert not found.mask.any()
    torch.nn.functional.softplus(-found.mask_logits).sum().backward()
    assert (maps.grad[:, 0] < -0.9).all()


@pytest.mark.parametrize("opacity", [0.3, 0.5, 0.7])
def test_layer_takes_an_exact_blend_away(opacity):
    clean = random_picture(4, 4, batch=1)
    alpha = opacity * torch.tensor([1.0, 0.9, 0.6]).view(1, 3, 1, 1)  # more of one channel than of another
    colour = torch.tensor([0.95, 0.2, 0.6]).view(1, 3, 1, 1)
    marked = (1 - alpha) * clean + alpha * colour
    found = build_head("decomposition")(decomposition_maps(alpha=alpha, colour=colour), marked)
    torch.testing.assert_close(found.image, clean, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.alpha, alpha.expand_as(clean))
    torch.testing.assert_close(found.layer, (alpha * colour).expand_as(clean))
    assert (marked - clean).abs().max() > 0.1


@pytest.mark.parametrize("alpha", [0.3, 0.97])
def test_layer_falls_back_to_content_where_the_gate_is_high(alpha):
    inpainting = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1)
    image = random_picture(4, 4, batch=1)
    found = build_head("decomposition")(decomposition_maps(alpha=alpha, inpainting=inpainting, gate=40.0), image)
    torch.testing.assert_close(found.image, inpainting.expand_as(image))


def test_layer_opens_the_gate_in_between():
    image = torch.full((1, 3, 1, 1), 0.5)
    maps = decomposition_maps(alpha=0.5, colour=0.7, inpainting=0.8, gate=1.0, shape=(1, 1, 1))
    torch.testing.assert_close(build_head("decomposition")(maps, image).image, torch.full_like(image, (0.3 + 0.8) / 2))


@pytest.mark.parametrize("opacity", [2.0, 4.0, 10.0, 100.0, 1e4])
@pytest.mark.parametrize("colour", [-50.0, 0.0, 50.0])
def test_layer_stays_finite_where_nothing_shines_through(opacity, colour):
    maps = decomposition_maps(gate=-2.0)
    maps[:, 1:4], maps[:, 4:7] = opacity, colour
    image = random_picture(4, 4, batch=1).requires_grad_()
    maps.requires_grad_()
    found = build_head("decomposition")(maps, image)
    values = [value for value in found if value is not None]
    assert all(value.isfinite().all() for value in values)
    assert found.background.min() >= -OVERSHOOT
    assert found.background.max() <= 1 + OVERSHOOT
    sum(value.square().sum() for value in values).backward()
    for gradient in (maps.grad, image.grad):
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 1e3


@every_head
def test_head_says_what_it_knows_and_no_more(name):
    found = build_head(name)(random_maps(name), random_picture())
    shapes = {field: value.shape for field, value in zip(found._fields, found, strict=True) if value is not None}
    assert shapes == {field: (2, channels, 6, 5) for field, channels in FIELDS[name].items()}


@pytest.mark.parametrize("name", ["residual", "masked", "decomposition"])
@pytest.mark.parametrize("picture", [torch.float32, torch.bfloat16])
def test_coarse_maps_give_a_fine_picture(name, picture):
    found = build_head(name)(random_maps(name).bfloat16(), random_picture().to(picture))
    assert {value.dtype for value in found if value is not None} == {torch.float32}


@every_head
def test_head_has_no_weights_and_takes_as_many_maps_as_it_says(name):
    head = build_head(name)
    assert not head.state_dict()
    assert head.channels == CHANNELS[name]


@every_head
def test_maps_and_picture_are_not_changed(name):
    maps, image = random_maps(name), random_picture()
    before = maps.clone(), image.clone()
    build_head(name)(maps, image)
    assert torch.equal(maps, before[0])
    assert torch.equal(image, before[1])


def test_unknown_head_is_named_and_so_are_the_known():
    with pytest.raises(ValueError, match=r"^head=mask .*direct, residual, masked, decomposition"):
        build_head("mask")


def test_a_head_that_is_built_already_is_taken_as_it_is():
    class Own(DecompositionHead):
        pass

    head = Own()
    assert build_head(head) is head
    with pytest.raises(ValueError, match=r"^head=Conv2d must be a name or a wm_lightning"):
        build_head(nn.Conv2d(1, 1, 1))


def corrected(image, found, knows_layers):
    gain, offset, mask = correction_of(found, image, knows_layers)
    assert gain.shape == offset.shape == image.shape
    assert mask.shape == (2, 1, *image.shape[-2:])
    return image + gain * image + offset, mask


@every_head
def test_a_correction_does_to_each_pixel_what_the_head_does(name):
    """Where no inverted blend is limited, which no gain and offset can be."""
    maps, image = random_maps(name, 20, 10), random_picture(20, 10)
    head = build_head(name)
    found = head(maps, image)
    result, mask = corrected(image, found, head.knows_layers)
    exact = torch.ones_like(image, dtype=torch.bool)
    if head.knows_layers:
        behind = (image - found.layer) / (1 - found.alpha).clamp(min=LEAST_TRANSPARENCY)
        exact = (behind >= -OVERSHOOT) & (behind <= 1 + OVERSHOOT)
        assert 0.5 < exact.float().mean() < 1
    assert_values(result[exact], found.image[exact].numpy())
    assert torch.equal(mask, torch.ones_like(mask) if found.mask is None else found.mask)
    untouched = (mask == 0).expand_as(image)
    assert torch.equal(result[untouched], image[untouched])


def test_a_correction_by_layers_keeps_what_shines_through():
    """A mark of opacity 0.5 halves the photograph's contrast, so the correction doubles it."""
    image = random_picture(4, 4, batch=2)
    maps = decomposition_maps(alpha=0.5, colour=0.8, shape=(2, 4, 4))
    gain, offset, _ = correction_of(build_head("decomposition")(maps, image), image, knows_layers=True)
    assert_values(gain, np.ones((2, 3, 4, 4)))
    assert_values(offset, np.full((2, 3, 4, 4), -0.8))
    painted, offset, _ = correction_of(build_head("masked")(maps[:, :4], image), image, knows_layers=False)
    assert_values(painted, -np.ones((2, 3, 4, 4)))
    assert_values(offset, np.full((2, 3, 4, 4), sigmoid(1.0)))


def test_layers_without_content_are_inverted_everywhere():
    maps, image = random_maps("decomposition", spread=0.5), random_picture()
    found = build_head("decomposition")(maps, image)
    result, _ = corrected(image, found._replace(inpainting=None, gate=None), True)
    shut = found._replace(gate=torch.zeros_like(found.gate))
    assert_values(result, corrected(image, shut, True)[0].numpy())


@pytest.mark.parametrize(("name", "missing"), [("masked", "background"), ("decomposition", "alpha")])
def test_what_a_head_must_predict_is_named(name, missing):
    image = random_picture()
    found = build_head(name)(random_maps(name), image)._replace(**{missing: None})
    with pytest.raises(ValueError, match=rf"must predict .*{missing}"):
        correction_of(found, image, HEADS[name].knows_layers)


def test_only_the_layer_head_knows_layers():
    assert [name for name, head in HEADS.items() if head.knows_layers] == ["decomposition"]
    assert not Head.knows_layers


def test_floor_is_below_what_counts_as_marked():
    assert 0 < MASK_FLOOR < 0.5


@every_head
def test_cropping_crops_everything(name):
    whole = build_head(name)(random_maps(name), random_picture())
    cropped = whole.cropped(4, 3)
    for before, after in zip(whole, cropped, strict=True):
        assert (before is None) == (after is None)
        if before is not None:
            assert torch.equal(after, before[:, :, :4, :3])


@pytest.mark.parametrize(("name", "rows"), [("direct", 0), ("residual", 3), ("masked", 1), ("decomposition", 1)])
@pytest.mark.parametrize(("shuffle", "bias"), [(1, True), (2, True), (2, False)])
@torch.no_grad()
def test_a_net_starts_from_the_identity_by_as_few_weights_as_its_head_allows(name, rows, shuffle, bias):
    head, features = build_head(name), random_picture()
    last = nn.Conv2d(3, CHANNELS[name] * shuffle**2, 1, bias=bias)
    before = {key: value.clone() for key, value in last.state_dict().items()}
    start_from_identity(head, last)
    changed = rows * shuffle**2
    assert not last.weight[:changed].any()
    assert all(torch.equal(value[changed:], before[key][changed:]) for key, value in last.state_dict().items())
    image = random_picture(6 * shuffle, 5 * shuffle, seed=2)
    found = head(nn.functional.pixel_shuffle(last(features), shuffle), image)
    assert torch.equal(found.image, image) == (name == "residual" or (name != "direct" and bias))


@masking_heads
def test_a_closed_mask_is_just_below_the_floor(name):
    maps = random_maps(name)
    maps[:, 0] = HEADS[name].identity[1]
    assert not build_head(name)(maps, random_picture()).mask.any()
    maps[:, 0] += 0.5
    assert (build_head(name)(maps, random_picture()).mask > 0).all()
