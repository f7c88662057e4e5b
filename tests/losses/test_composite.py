import logging

import pytest
import torch

from wm_lightning.errors import UserError
from wm_lightning.losses import (
    CompositeLoss,
    Lab,
    Laplacian,
    MaskBce,
    MaskedL1,
    NegativePsnr,
    OpacityL1,
    Perceptual,
    PerceptualLoss,
    Ssim,
    Term,
    UnmaskedL1,
    functional,
)
from wm_lightning.types import Prediction, Sample

WEIGHTS = {"alpha": 0.3, "beta": 0.3, "gamma": 0.4, "delta": 0.1}
TERM_OF = {"alpha": "perceptual", "beta": "lab", "gamma": "ssim", "delta": "laplacian"}
KINDS = {"l1": MaskedL1, "perceptual": Perceptual, "lab": Lab, "ssim": Ssim, "laplacian": Laplacian}


class Unbuildable(Perceptual):
    def build(self):
        raise AssertionError("must not be built")


def five(**others):
    """The terms of the notebook's loss by name."""
    return {"l1": MaskedL1(), "perceptual": Perceptual("random"), "lab": Lab(), "ssim": Ssim(),
            "laplacian": Laplacian(), **others}  # fmt: skip


@pytest.fixture
def batch():
    """A picture as a network without a mask predicts it, what it should be, and the batch."""
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.rand((2, 3, 24, 16), generator=generator) for _ in range(2))
    mask = (torch.rand((2, 1, 24, 16), generator=generator) > 0.8).float()
    return Prediction(prediction), target, Sample(target, None, target, mask, ["a", "b"])


def with_mask(batch):
    prediction, target, sample = batch
    logits = torch.linspace(-2, 2, 2 * 24 * 16).view(2, 1, 24, 16)
    return prediction._replace(mask_logits=logits), target, sample


def test_terms_are_those_of_the_functions(batch):
    (prediction, *_), target, sample = batch
    terms = CompositeLoss(five(), **WEIGHTS)(*batch).terms
    expected = {
        "l1": functional.masked_l1(prediction, target, sample.mask),
        "perceptual": PerceptualLoss("random")(prediction, target),
        "lab": functional.lab(prediction, target),
        "ssim": functional.ssim(prediction, target),
        "laplacian": functional.laplacian_l1(prediction, target, sample.mask),
    }
    assert list(terms) == list(expected)
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-6)


@pytest.mark.parametrize("weights", [(0.3, 0.3, 0.4, 0.1), (2.0, 0.5, 0.0, 7.0), (0.0, 0.0, 0.0, 0.0)])
def test_total_is_the_weighted_sum(batch, weights):
    alpha, beta, gamma, delta = weights
    total, terms = CompositeLoss(five(), alpha, beta, gamma, delta)(*batch)
    factors = {"l1": 1.0, "perceptual": alpha, "lab": beta, "ssim": gamma, "laplacian": delta}
    assert set(terms) == {name for name, factor in factors.items() if factor}
    assert total.item() == pytest.approx(sum(factors[name] * term.item() for name, term in terms.items()), rel=1e-5)


def test_a_term_has_its_own_weight_where_no_letter_says_otherwise(batch):
    loss = CompositeLoss({"l1": MaskedL1(weight=3), "lab": Lab(weight=0.5), "ssim": Ssim(weight=0.25)}, gamma=2)
    assert loss.weights == {"l1": 3, "lab": 0.5, "ssim": 2}
    total, terms = loss(*batch)
    wanted = 3 * terms["l1"] + 0.5 * terms["lab"] + 2 * terms["ssim"]
    assert total.item() == pytest.approx(wanted.item(), rel=1e-6)


@pytest.mark.parametrize("name", ["own", "half", "type", "values"])  # PyTorch's modules have some for themselves
def test_any_name_is_a_term(batch, name):
    total, terms = CompositeLoss({"tenth": NegativePsnr(0.1), name: MaskedL1(0.5)})(*batch)
    assert list(terms) == ["tenth", name]
    assert total.item() == pytest.approx(0.1 * terms["tenth"].item() + 0.5 * terms[name].item(), rel=1e-6)


@pytest.mark.parametrize("key", WEIGHTS)
def test_weight_0_removes_exactly_its_term(batch, key):
    terms = CompositeLoss(five(), **{**WEIGHTS, key: 0})(*batch).terms
    assert list(terms) == [name for name in KINDS if name != TERM_OF[key]]


def test_a_term_of_weight_0_is_not_built():
    loss = CompositeLoss(five(perceptual=Unbuildable()), alpha=0)
    assert "perceptual" not in loss.terms
    assert not any(isinstance(module, Perceptual | PerceptualLoss) for module in loss.modules())
    with pytest.raises(AssertionError, match="must not be built"):
        CompositeLoss(five(perceptual=Unbuildable()), alpha=0.1)


def test_no_terms_at_all_are_a_loss_of_0(batch):
    assert CompositeLoss({})(*batch) == (0, {})


@pytest.mark.parametrize("key", WEIGHTS)
def test_negative_weight_is_refused_by_name(key):
    with pytest.raises(ValueError, match=rf"^{key}=-0\.1 must not be negative"):
        CompositeLoss(five(), **{**WEIGHTS, key: -0.1})


@pytest.mark.parametrize("key", WEIGHTS)
def test_a_weight_of_a_term_that_is_not_there_is_refused_unless_it_is_0(key):
    terms = {name: term for name, term in five().items() if name != TERM_OF[key]}
    with pytest.raises(ValueError, match=rf"^{key}=0\.3 needs a term terms\.{TERM_OF[key]}\.$"):
        CompositeLoss(terms, **{key: 0.3})
    assert TERM_OF[key] not in CompositeLoss(terms, **{key: 0}).weights


def test_a_term_that_is_null_is_left_out_and_what_is_no_term_is_refused(batch):
    assert list(CompositeLoss(five(lab=None), alpha=0)(*batch).terms) == ["l1", "ssim", "laplacian"]
    with pytest.raises(ValueError, match=r"^terms\.mine is a Identity; it must be a wm_lightning\.losses\.Term"):
        CompositeLoss(five(mine=torch.nn.Identity()), alpha=0)


class Gated(Term):
    predicted = ("gate",)

    def forward(self, prediction, target, sample):
        return prediction.gate.mean()


@pytest.mark.parametrize(
    ("term", "heads"),
    [(MaskBce(), "masked or decomposition"), (OpacityL1(), "decomposition"), (Gated(), "decomposition")],
)
def test_a_refused_term_names_the_heads_that_feed_it(batch, term, heads):
    with pytest.raises(UserError, match=rf": head={heads}; or set terms\.mine\.weight=0\.$"):
        CompositeLoss({"mine": term})(*batch)


def test_terms_are_detached_and_the_total_is_not(batch):
    (prediction, *_), target, sample = batch
    prediction.requires_grad_()
    total, terms = CompositeLoss(five(), **WEIGHTS)(Prediction(prediction), target, sample)
    assert not any(term.requires_grad for term in terms.values())
    total.backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad.abs().max() > 0


def test_gradient_is_that_of_the_weighted_sum(batch):
    (prediction, *_), target, sample = batch
    prediction.requires_grad_()
    CompositeLoss(five(), 0, 0.5, 0.25, 2)(Prediction(prediction), target, sample).total.backward()
    got, prediction.grad = prediction.grad, None
    (
        functional.masked_l1(prediction, target, sample.mask)
        + 0.5 * functional.lab(prediction, target)
        + 0.25 * functional.ssim(prediction, target)
        + 2 * functional.laplacian_l1(prediction, target, sample.mask)
    ).backward()
    torch.testing.assert_close(got, prediction.grad)


def test_empty_mask_gives_a_finite_total(batch):
    prediction, target, sample = batch
    empty = sample._replace(mask=torch.zeros_like(sample.mask))
    total, terms = CompositeLoss(five(unmasked=UnmaskedL1()), **WEIGHTS)(prediction, target, empty)
    assert total.isfinite()
    assert terms["l1"] == terms["laplacian"] == 0
    assert terms["unmasked"] > 0


def test_extractor_is_in_no_checkpoint():
    loss = CompositeLoss(five(), **WEIGHTS)
    assert isinstance(loss.terms["perceptual"].extractor, PerceptualLoss)
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []


@pytest.mark.parametrize(("alpha", "more"), [(0.3, {"perceptual_weights": "random"}), (0, {})])
def test_description_has_weights_and_origin(alpha, more):
    description = CompositeLoss(
        five(unmasked=UnmaskedL1(0.7), mask=MaskBce(0)), **{**WEIGHTS, "alpha": alpha}
    ).describe()
    assert description == {
        "name": "CompositeLoss", "l1": 1.0, "perceptual": alpha, "lab": 0.3, "ssim": 0.4, "laplacian": 0.1,
        "unmasked": 0.7, "mask": 0, **more,
    }  # fmt: skip


def test_an_optional_term_that_nothing_feeds_is_left_out_and_said_once(batch, caplog):
    loss = CompositeLoss({"l1": MaskedL1(2), "mask": MaskBce(5, optional=True)})
    assert loss.left_out == set()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            total, terms = loss(*batch)
    assert list(terms) == ["l1"]
    assert total.item() == pytest.approx(2 * terms["l1"].item())
    assert loss.left_out == {"mask"}
    assert [record.getMessage() for record in caplog.records] == [
        "loss: mask is left out: the network's head does not predict mask_logits"
    ]
    assert loss.describe() == {"name": "CompositeLoss", "l1": 2, "mask": 0}


def test_an_optional_term_that_is_fed_counts(batch, caplog):
    with caplog.at_level(logging.INFO):
        loss = CompositeLoss({"l1": MaskedL1(), "mask": MaskBce(5, optional=True)})
        total, terms = loss(*with_mask(batch))
    assert total.item() == pytest.approx(terms["l1"].item() + 5 * terms["mask"].item(), rel=1e-6)
    assert loss.describe()["mask"] == 5
    assert not caplog.records
    assert loss.left_out == set()


@pytest.mark.parametrize(
    ("predicted", "reason"),
    [(False, "the network's head does not predict alpha"), (True, "these pairs have no alpha")],
)
def test_the_head_is_at_fault_before_the_pairs_are(batch, caplog, predicted, reason):
    prediction, target, sample = batch
    with caplog.at_level(logging.INFO):
        loss = CompositeLoss({"opacity": OpacityL1(optional=True)})
        assert loss(prediction._replace(alpha=target if predicted else None), target, sample).terms == {}
    assert caplog.messages == [f"loss: opacity is left out: {reason}"]


class UpperHalf(Term):
    """A term of one's own."""

    known = ("reference",)

    def __init__(self, rows: int, **options):
        super().__init__(**options)
        self.rows = rows

    def describe(self):
        return {"rows": str(self.rows)}

    def forward(self, prediction, target, sample):
        return (prediction.image - sample.reference)[..., : self.rows, :].abs().mean()


def test_a_term_of_ones_own_says_what_it_needs_and_of_itself(batch):
    prediction, target, sample = batch
    loss = CompositeLoss({"l1": MaskedL1(), "own": UpperHalf(12, weight=0.5)})
    with pytest.raises(UserError, match=r"^terms\.own needs .* set terms\.own\.weight=0\.$"):
        loss(prediction, target, sample)
    total, terms = loss(prediction, target, sample._replace(reference=target.flip(0)))
    wanted = (prediction.image - target.flip(0))[..., :12, :].abs().mean()
    assert terms["own"].item() == pytest.approx(wanted.item(), rel=1e-6)
    assert total.item() == pytest.approx((terms["l1"] + 0.5 * wanted).item(), rel=1e-6)
    assert loss.describe() == {"name": "CompositeLoss", "l1": 1, "own": 0.5, "rows": "12"}


def test_a_term_that_is_no_scalar_is_named(batch):
    class Each(Term):
        def forward(self, prediction, target, sample):
            return (prediction.image - target).abs().mean(dim=(1, 2, 3))

    loss = CompositeLoss(five(mine=Each()), **{**WEIGHTS, "alpha": 0})
    with pytest.raises(UserError, match=r"^loss\.terms\.mine must return one number, a scalar; it returned \(2,\)\.$"):
        loss(*batch)
