import pytest
import torch
import torch.nn.functional as F

from wm_lightning import losses
from wm_lightning.errors import UserError
from wm_lightning.losses import CompositeLoss, Perceptual, PerceptualLoss, Term, functional
from wm_lightning.types import Prediction, Sample

KINDS = {
    name: kind for name, kind in vars(losses).items()
    if isinstance(kind, type) and issubclass(kind, Term) and kind is not Term
}  # fmt: skip
OF_HEADS = ("MaskBce", "MaskIou", "BackgroundL1", "InpaintingL1", "OpacityL1", "LayerL1")
OF_PICTURES = tuple(name for name in KINDS if name not in (*OF_HEADS, "Perceptual"))
every_term = pytest.mark.parametrize("name", KINDS)


@pytest.fixture
def predicted():
    """A whole prediction of two pictures, its target, and what is known of them."""
    generator = torch.Generator().manual_seed(3)
    image, background, inpainting, alpha, layer, target = torch.rand((6, 2, 3, 24, 16), generator=generator)
    logits = torch.randn((2, 1, 24, 16), generator=generator)
    true_alpha, true_layer, reference = torch.rand((3, 2, 3, 24, 16), generator=generator)
    mask = (torch.rand((2, 1, 24, 16), generator=generator) > 0.8).float()
    prediction = Prediction(image, logits, logits.sigmoid(), background, inpainting, alpha, layer)
    return prediction, target, Sample(image, reference, target, mask, ["a", "b"], alpha=true_alpha, layer=true_layer)


def build(name, **options):
    term = Perceptual("random", **options) if name == "Perceptual" else KINDS[name](**options)
    term.build()
    return term


def test_each_term_is_that_of_its_function(predicted):
    prediction, target, sample = predicted
    mask = sample.mask
    expected = {
        "MaskedL1": functional.masked_l1(prediction.image, target, mask),
        "UnmaskedL1": functional.unmasked_l1(prediction.image, target, mask),
        "MaskBce": functional.mask_bce(prediction.mask_logits, mask),
        "MaskIou": functional.soft_iou(prediction.mask_logits, mask),
        "BackgroundL1": functional.masked_l1(prediction.background, target, mask),
        "InpaintingL1": functional.masked_l1(prediction.inpainting, target, mask),
        "OpacityL1": functional.masked_l1(prediction.alpha, sample.alpha, mask),
        "LayerL1": functional.masked_l1(prediction.layer, sample.layer, mask),
        "NegativePsnr": functional.negative_psnr(prediction.image, target),
        "Perceptual": PerceptualLoss("random")(prediction.image, target),
        "Lab": functional.lab(prediction.image, target),
        "Ssim": functional.ssim(prediction.image, target),
        "Laplacian": functional.laplacian_l1(prediction.image, target, mask),
    }
    assert set(expected) == set(KINDS)
    for name, value in expected.items():
        assert build(name)(*predicted).item() == pytest.approx(value.item(), rel=1e-6), name
    assert len({round(value.item(), 5) for value in expected.values()}) == len(expected)


@every_term
def test_the_value_knows_no_weight(name, predicted):
    assert torch.equal(build(name, weight=0.7)(*predicted), build(name)(*predicted))
    assert build(name).weight == 1


@every_term
def test_a_perfect_prediction_costs_less(name, predicted):
    _, target, sample = predicted
    perfect = Prediction(target, 40 * (2 * sample.mask - 1), sample.mask, target, target, sample.alpha, sample.layer)
    term = build(name)
    assert term(perfect, target, sample) < term(*predicted) - 0.05
    if name != "NegativePsnr":
        assert term(perfect, target, sample).item() == pytest.approx(0, abs=1e-5)


@every_term
def test_a_negative_weight_is_refused(name):
    with pytest.raises(ValueError, match="weight=-1 must not be negative; 0 switches the term off"):
        build(name, weight=-1)


@pytest.mark.parametrize("name", OF_PICTURES)
def test_a_term_of_the_picture_needs_nothing_else(name, predicted):
    (image, *_), target, sample = predicted
    sample = sample._replace(alpha=None, layer=None, reference=None)
    assert build(name).missing(Prediction(image), sample) == ([], [])
    assert torch.equal(build(name)(Prediction(image), target, sample), build(name)(*predicted))


@pytest.mark.parametrize("name", OF_HEADS)
def test_a_term_of_a_head_is_refused_without_it(name, predicted):
    (image, *_), target, sample = predicted
    heads = "masked or decomposition" if name in ("MaskBce", "MaskIou", "BackgroundL1") else "decomposition"
    sentence = rf"^terms\.own needs a head that predicts .*: head={heads}; or set terms\.own\.weight=0"
    with pytest.raises(UserError, match=sentence):
        CompositeLoss({"own": build(name)})(Prediction(image), target, sample)


@pytest.mark.parametrize("name", ["OpacityL1", "LayerL1"])
def test_a_term_of_marks_that_are_not_known_is_refused(name, predicted):
    prediction, target, sample = predicted
    unknown = sample._replace(alpha=None, layer=None)
    with pytest.raises(
        UserError,
        match=r"^terms\.own needs pairs with (alpha|layer); give others, or set terms\.own\.weight",
    ):
        CompositeLoss({"own": build(name)})(prediction, target, unknown)
    loss = CompositeLoss({"own": build(name, optional=True)})
    assert loss(prediction, target, unknown).terms == {}
    assert list(loss(*predicted).terms) == ["own"]  # pairs of another kind


@every_term
def test_an_empty_mask_is_finite_and_so_is_its_gradient(name, predicted):
    prediction, target, sample = predicted
    leaves = [value.requires_grad_() for value in prediction if value is not None]
    value = build(name)(prediction, target, sample._replace(mask=torch.zeros_like(sample.mask)))
    value.backward()
    assert value.isfinite()
    assert all(leaf.grad is None or leaf.grad.isfinite().all() for leaf in leaves)
    assert any(leaf.grad is not None for leaf in leaves)


def test_the_extractor_is_built_by_build_and_not_before():
    term = Perceptual("random", reduce=2, weight=0.3)
    assert not any(isinstance(module, PerceptualLoss) for module in term.modules())
    assert term.describe() == {}
    term.build()
    assert term.extractor.origin == "random"
    assert term.extractor.reduce == 2
    assert term.describe() == {"perceptual_weights": "random"}


@pytest.mark.parametrize("size", [(24, 16), (25, 17)])
@pytest.mark.parametrize("reduce", [2, 3])
def test_features_of_a_reduced_picture_are_those_of_its_average(size, reduce):
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand((2, 2, 3, *size), generator=generator)
    whole, reduced = PerceptualLoss("random"), PerceptualLoss("random", reduce=reduce)

    def averaged(image):
        height, width = (side // reduce for side in size)
        cropped = image[..., : height * reduce, : width * reduce]
        return cropped.reshape(2, 3, height, reduce, width, reduce).mean(dim=(3, 5))

    torch.testing.assert_close(reduced(one, other), whole(averaged(one), averaged(other)))
    assert reduced(one, other).item() != pytest.approx(whole(one, other).item(), rel=1e-2)
    term = build("Perceptual", reduce=reduce)
    value = term(Prediction(one), other, Sample(one, None, other, one[:, :1], ["a", "b"]))
    assert torch.equal(value, reduced(one, other))


def test_a_picture_smaller_than_the_reduction_is_averaged_as_far_as_it_goes():
    one, other = torch.rand((2, 1, 3, 1, 5), generator=torch.Generator().manual_seed(0))
    value = PerceptualLoss("random", reduce=4)(one, other)
    assert torch.equal(value, PerceptualLoss("random")(F.avg_pool2d(one, 1), F.avg_pool2d(other, 1)))


@pytest.mark.parametrize("reduce", [0, -2])
def test_a_reduction_below_1_is_refused(reduce):
    with pytest.raises(ValueError, match=f"reduce={reduce} must be at least 1"):
        PerceptualLoss("random", reduce=reduce)
