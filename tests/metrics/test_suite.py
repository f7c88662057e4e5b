import math

import pytest
import torch

from wm_lightning.metrics import COLUMNS, measure, metric_collection, ssim
from wm_lightning.types import Sample


def hand_made():
    """Clean is grey 0.5; the mark, a quarter of the picture, adds 0.4 to the input and the reference differs by 0.2."""
    clean = torch.full((1, 3, 16, 16), 0.5)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8, :8] = 1
    return Sample(clean + 0.4 * mask, clean + 0.2, clean, mask, ["a"])


def noisy(batch=5, side=16):
    generator = torch.Generator().manual_seed(0)
    watermarked, reference, clean, prediction = (
        torch.rand((batch, 3, side, side), generator=generator) for _ in range(4)
    )
    mask = (torch.rand((batch, 1, side, side), generator=generator) > 0.7).float()
    mask[1] = 0
    return prediction, Sample(watermarked, reference, clean, mask, [str(n) for n in range(batch)])


def db(mse):
    return -10 * math.log10(mse)


def test_columns_of_a_hand_made_sample():
    sample = hand_made()
    prediction = sample.clean + 0.1 * sample.mask + 0.01 * (1 - sample.mask)
    scores = measure(prediction, sample)
    expected = {
        "psnr": db(0.25 * 0.01 + 0.75 * 0.0001),
        "psnr_in": 20,
        "psnr_out": 40,
        "psnr_ref": db(0.25 * 0.01 + 0.75 * 0.19**2),
        "psnr_input": db(0.25 * 0.16),
        "psnr_input_in": db(0.16),
        "psnr_input_ref": db(0.25 * 0.2**2 + 0.75 * 0.2**2),
        "ssim": ssim(prediction, sample.clean).item(),
        "ssim_ref": ssim(prediction, sample.reference).item(),
        "ssim_input": ssim(sample.watermarked, sample.clean).item(),
        "ssim_input_ref": ssim(sample.watermarked, sample.reference).item(),
    }
    assert set(scores) == set(COLUMNS) == set(expected)
    for column, value in expected.items():
        assert scores[column].item() == pytest.approx(value, abs=2e-3), column


def test_doing_nothing_scores_as_the_input_columns():
    _, sample = noisy()
    scores = measure(sample.watermarked, sample)
    for ours, theirs in (
        ("psnr", "psnr_input"),
        ("ssim", "ssim_input"),
        ("psnr_in", "psnr_input_in"),
        ("psnr_ref", "psnr_input_ref"),
        ("ssim_ref", "ssim_input_ref"),
    ):
        torch.testing.assert_close(scores[ours], scores[theirs], equal_nan=True)


def test_prediction_is_clamped():
    sample = hand_made()._replace(clean=torch.ones(1, 3, 16, 16))
    assert measure(torch.full((1, 3, 16, 16), 3.0), sample, ["psnr"])["psnr"].item() == 100


def test_only_the_columns_asked_for_are_computed():
    prediction, sample = noisy()
    every = measure(prediction, sample)
    some = measure(prediction, sample, ["psnr_out", "psnr_input"])
    assert list(some) == ["psnr_out", "psnr_input"]
    assert torch.equal(some["psnr_out"], every["psnr_out"])


def test_empty_and_full_masks_are_nan_in_their_column():
    prediction, sample = noisy()
    sample.mask[2] = 1
    scores = measure(prediction, sample)
    assert scores["psnr_in"].isnan().tolist() == [False, True, False, False, False]
    assert scores["psnr_input_in"].isnan().tolist() == [False, True, False, False, False]
    assert scores["psnr_out"].isnan().tolist() == [False, False, True, False, False]


def test_nothing_of_the_batch_is_changed():
    prediction, sample = noisy()
    before = [tensor.clone() for tensor in (prediction, *sample[:4])]
    measure(prediction, sample)
    assert all(torch.equal(a, b) for a, b in zip(before, (prediction, *sample[:4]), strict=True))


@pytest.mark.parametrize("stage", ["val", "test"])
def test_collection_has_every_column_under_its_stage(stage):
    assert set(metric_collection(stage).keys()) == {f"{stage}/{column}" for column in COLUMNS}


def test_training_collection_has_the_input_row_but_not_all_of_it():
    columns = {"psnr", "ssim", "psnr_in", "psnr_out", "psnr_ref", "ssim_ref", "psnr_input"}
    assert set(metric_collection("train").keys()) == {f"train/{column}" for column in columns}


@pytest.mark.parametrize("cuts", [[5], [2, 3], [1, 1, 1, 1, 1], [4, 1]])
def test_mean_over_pictures_does_not_depend_on_the_batches(cuts):
    prediction, sample = noisy()
    collection = metric_collection("val")
    metrics = dict(collection.items(keep_base=True))
    start = 0
    for count in cuts:
        part = slice(start, start + count)
        batch = Sample(*(tensor[part] for tensor in sample[:4]), sample.name[part])
        for column, value in measure(prediction[part], batch).items():
            metrics[column].update(value)
        start += count
    means = collection.compute()
    for column, values in measure(prediction, sample).items():
        counted = [value for value in values.tolist() if not math.isnan(value)]
        assert len(counted) == (4 if column in ("psnr_in", "psnr_input_in") else 5)
        assert means[f"val/{column}"].item() == pytest.approx(sum(counted) / len(counted), rel=1e-5), column
