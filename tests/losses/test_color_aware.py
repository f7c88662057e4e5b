import functools

import pytest
import torch

from wm_lightning.errors import UserError
from wm_lightning.losses import ColorAwareLoss, PerceptualLoss, functional
from wm_lightning.types import Prediction, Sample

NAMES = ["l1", "perceptual", "lab", "ssim", "laplacian"]
WEIGHTS = {"alpha": 0.3, "beta": 0.3, "gamma": 0.4, "delta": 0.1}
TERM_OF = {"alpha": "perceptual", "beta": "lab", "gamma": "ssim", "delta": "laplacian"}
random_extractor = functools.partial(PerceptualLoss, "random")


def forbidden():
    raise AssertionError("the extractor must not be built")


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.rand((2, 3, 24, 16), generator=generator) for _ in range(2))
    mask = (torch.rand((2, 1, 24, 16), generator=generator) > 0.8).float()
    return prediction, target, mask


def compare(loss, prediction, target, mask):
    """The loss of a plain picture."""
    return loss(Prediction(prediction), target, sample_of(target, mask))


def sample_of(target, mask, **others):
    return Sample(target, None, target, mask, ["a", "b"], **others)


def test_defaults_are_the_notebooks_weights():
    loss = ColorAwareLoss(perceptual=random_extractor)
    on = {name: weight for name, weight in loss.weights.items() if weight}
    assert on == {"l1": 1.0, "perceptual": 0.3, "lab": 0.3, "ssim": 0.4, "laplacian": 0.1}


def test_terms_are_those_of_the_functions(batch):
    loss = ColorAwareLoss(perceptual=random_extractor)
    prediction, target, mask = batch
    terms = compare(loss, prediction, target, mask).terms
    assert list(terms) == NAMES
    expected = {
        "l1": functional.masked_l1(prediction, target, mask),
        "perceptual": PerceptualLoss("random")(prediction, target),
        "lab": functional.lab(prediction, target),
        "ssim": functional.ssim(prediction, target),
        "laplacian": functional.laplacian_l1(prediction, target, mask),
    }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-6)


@pytest.mark.parametrize("weights", [(0.3, 0.3, 0.4, 0.1), (2.0, 0.5, 0.0, 7.0), (0.0, 0.0, 0.0, 0.0)])
def test_total_is_the_weighted_sum(batch, weights):
    alpha, beta, gamma, delta = weights
    total, terms = compare(ColorAwareLoss(alpha, beta, gamma, delta, random_extractor), *batch)
    factors = {"l1": 1.0, "perceptual": alpha, "lab": beta, "ssim": gamma, "laplacian": delta}
    assert total.item() == pytest.approx(sum(factors[name] * term.item() for name, term in terms.items()), rel=1e-5)


@pytest.mark.parametrize("key", WEIGHTS)
def test_weight_0_removes_exactly_its_term(batch, key):
    terms = compare(ColorAwareLoss(**{**WEIGHTS, key: 0}, perceptual=random_extractor), *batch).terms
    assert list(terms) == [name for name in NAMES if name != TERM_OF[key]]


def test_alpha_0_builds_no_extractor():
    loss = ColorAwareLoss(alpha=0, perceptual=forbidden)
    assert list(loss.modules()) == [loss]
    with pytest.raises(AssertionError, match="must not be built"):
        ColorAwareLoss(alpha=0.1, perceptual=forbidden)


@pytest.mark.parametrize("key", WEIGHTS)
def test_negative_weight_is_refused_by_name(key):
    with pytest.raises(ValueError, match=rf"loss\.{key}=-0\.1"):
        ColorAwareLoss(**{**WEIGHTS, key: -0.1}, perceptual=random_extractor)


def test_terms_are_detached_and_the_total_is_not(batch):
    prediction, target, mask = batch
    prediction.requires_grad_()
    total, terms = compare(ColorAwareLoss(perceptual=random_extractor), prediction, target, mask)
    assert not any(term.requires_grad for term in terms.values())
    total.backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad.abs().max() > 0


def test_gradient_is_that_of_the_weighted_sum(batch):
    prediction, target, mask = batch
    prediction.requires_grad_()
    compare(ColorAwareLoss(0, 0.5, 0.25, 2, forbidden), prediction, target, mask).total.backward()
    got, prediction.grad = prediction.grad, None
    (
        functional.masked_l1(prediction, target, mask)
        + 0.5 * functional.lab(prediction, target)
        + 0.25 * functional.ssim(prediction, target)
        + 2 * functional.laplacian_l1(prediction, target, mask)
    ).backward()
    torch.testing.assert_close(got, prediction.grad)


def test_empty_mask_gives_a_finite_total(batch):
    prediction, target, mask = batch
    total, terms = compare(ColorAwareLoss(perceptual=random_extractor), prediction, target, torch.zeros_like(mask))
    assert total.isfinite()
    assert terms["l1"] == terms["laplacian"] == 0


def test_extractor_is_in_no_checkpoint():
    loss = ColorAwareLoss(perceptual=random_extractor)
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []


@pytest.mark.parametrize(("alpha", "origin"), [(0.3, "random"), (0, "off")])
def test_description_has_weights_and_origin(alpha, origin):
    description = ColorAwareLoss(alpha=alpha, perceptual=random_extractor, outside=0.7).describe()
    off = dict.fromkeys(["mask", "iou", "opacity", "layer", "proposal", "content", "psnr"], 0.0)
    assert description == {
        "name": "ColorAwareLoss", "l1": 1.0, "perceptual": alpha, "lab": 0.3, "ssim": 0.4, "laplacian": 0.1,
        "outside": 0.7, **off, "perceptual_weights": origin,
    }  # fmt: skip


HEAD_TERMS = ("outside", "mask", "iou", "opacity", "layer", "proposal", "content", "psnr")


@pytest.fixture
def predicted():
    """A whole prediction of two pictures, its target, and what is known of them."""
    generator = torch.Generator().manual_seed(3)
    image, proposal, content, alpha, layer, target = torch.rand((6, 2, 3, 24, 16), generator=generator)
    logits = torch.randn((2, 1, 24, 16), generator=generator)
    true_alpha, true_layer = torch.rand((2, 2, 3, 24, 16), generator=generator)
    mask = (torch.rand((2, 1, 24, 16), generator=generator) > 0.8).float()
    prediction = Prediction(image, logits, logits.sigmoid(), proposal, content, alpha, layer)
    return prediction, target, sample_of(target, mask, alpha=true_alpha, layer=true_layer)


@pytest.mark.parametrize("name", HEAD_TERMS)
def test_a_head_term_is_that_of_its_function(name, predicted):
    prediction, target, sample = predicted
    mask = sample.mask
    expected = {
        "outside": functional.outside_l1(prediction.image, target, mask),
        "mask": functional.mask_bce(prediction.mask_logits, mask),
        "iou": functional.soft_iou(prediction.mask_logits, mask),
        "opacity": functional.masked_l1(prediction.alpha, sample.alpha, mask),
        "layer": functional.masked_l1(prediction.layer, sample.layer, mask),
        "proposal": functional.masked_l1(prediction.proposal, target, mask),
        "content": functional.masked_l1(prediction.content, target, mask),
        "psnr": functional.negative_psnr(prediction.image, target),
    }
    total, terms = ColorAwareLoss(0, 0, 0, 0, **{name: 0.7})(*predicted)
    assert list(terms) == ["l1", name]
    assert terms[name].item() == pytest.approx(expected[name].item(), rel=1e-6)
    assert total.item() == pytest.approx(terms["l1"].item() + 0.7 * expected[name].item(), rel=1e-6)
    assert len({value.item() for value in expected.values()}) == len(expected)


@pytest.mark.parametrize("name", [name for name in HEAD_TERMS if name not in ("outside", "psnr")])
def test_a_head_term_of_a_network_that_does_not_predict_it_is_refused(name, batch):
    with pytest.raises(UserError, match=rf"loss\.{name} needs a head .* model\.head=.*layer; or set loss\.{name}=0"):
        compare(ColorAwareLoss(0, 0, 0, 0, **{name: 1}), *batch)


@pytest.mark.parametrize("name", ["opacity", "layer"])
def test_a_term_of_marks_that_are_not_known_is_refused(name, predicted):
    prediction, target, sample = predicted
    with pytest.raises(UserError, match=rf"loss\.{name} needs pairs whose marks are known"):
        ColorAwareLoss(0, 0, 0, 0, **{name: 1})(prediction, target, sample_of(target, sample.mask))


@pytest.mark.parametrize("name", HEAD_TERMS)
def test_a_negative_weight_of_a_head_term_is_refused_by_name(name):
    with pytest.raises(ValueError, match=rf"loss\.{name}=-1"):
        ColorAwareLoss(0, 0, 0, 0, **{name: -1})


def test_head_terms_of_an_empty_mask_are_finite(predicted):
    prediction, target, sample = predicted
    logits = prediction.mask_logits.requires_grad_()
    empty = sample._replace(mask=torch.zeros_like(sample.mask))
    total, _ = ColorAwareLoss(0, 0, 0, 0, **dict.fromkeys(HEAD_TERMS, 1.0))(prediction, target, empty)
    total.backward()
    assert total.isfinite()
    assert logits.grad.isfinite().all()
