import functools

import pytest
import torch

from wm_lightning.losses import ColorAwareLoss, PerceptualLoss, functional

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


def test_defaults_are_the_notebooks_weights():
    loss = ColorAwareLoss(perceptual=random_extractor)
    assert loss.weights == {"l1": 1.0, "perceptual": 0.3, "lab": 0.3, "ssim": 0.4, "laplacian": 0.1}


def test_terms_are_those_of_the_functions(batch):
    loss = ColorAwareLoss(perceptual=random_extractor)
    prediction, target, mask = batch
    terms = loss(prediction, target, mask).terms
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
    total, terms = ColorAwareLoss(alpha, beta, gamma, delta, random_extractor)(*batch)
    factors = {"l1": 1.0, "perceptual": alpha, "lab": beta, "ssim": gamma, "laplacian": delta}
    assert total.item() == pytest.approx(sum(factors[name] * term.item() for name, term in terms.items()), rel=1e-5)


def test_loss_without_mask_uses_plain_means(batch):
    prediction, target, _ = batch
    total, terms = ColorAwareLoss(0, 0, 0, 0.5, forbidden)(prediction, target)
    assert terms["l1"].item() == pytest.approx((prediction - target).abs().mean().item())
    assert total.item() == pytest.approx(terms["l1"].item() + 0.5 * functional.laplacian_l1(prediction, target).item())


@pytest.mark.parametrize("key", WEIGHTS)
def test_weight_0_removes_exactly_its_term(batch, key):
    terms = ColorAwareLoss(**{**WEIGHTS, key: 0}, perceptual=random_extractor)(*batch).terms
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
    total, terms = ColorAwareLoss(perceptual=random_extractor)(prediction, target, mask)
    assert not any(term.requires_grad for term in terms.values())
    total.backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad.abs().max() > 0


def test_gradient_is_that_of_the_weighted_sum(batch):
    prediction, target, mask = batch
    prediction.requires_grad_()
    ColorAwareLoss(0, 0.5, 0.25, 2, forbidden)(prediction, target, mask).total.backward()
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
    total, terms = ColorAwareLoss(perceptual=random_extractor)(prediction, target, torch.zeros_like(mask))
    assert total.isfinite()
    assert terms["l1"] == terms["laplacian"] == 0


def test_extractor_is_in_no_checkpoint():
    loss = ColorAwareLoss(perceptual=random_extractor)
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []


@pytest.mark.parametrize(("alpha", "origin"), [(0.3, "random"), (0, "off")])
def test_description_has_weights_and_origin(alpha, origin):
    assert ColorAwareLoss(alpha=alpha, perceptual=random_extractor).describe() == {
        "name": "ColorAwareLoss", "l1": 1.0, "perceptual": alpha, "lab": 0.3, "ssim": 0.4, "laplacian": 0.1,
        "perceptual_weights": origin,
    }  # fmt: skip
