import math
from itertools import product

import pytest
import torch

from wm_lightning.errors import UserError
from wm_lightning.metrics import (
    COLUMNS,
    EXTRAS,
    PRESETS,
    TRAIN_COLUMNS,
    choose_columns,
    count_defined,
    measure,
    metric_collection,
    ssim,
    ssim_uniform,
    ssim_zero_padded,
    suite,
)
from wm_lightning.types import Sample

EVERY = tuple(dict.fromkeys(column for columns in PRESETS.values() for column in columns))
NAN = math.nan


def hand_made():
    """Clean is grey 0.5; the mark, a quarter of the picture, adds 0.4 to the input and the reference differs by 0.2."""
    clean = torch.full((1, 3, 16, 16), 0.5)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8, :8] = 1
    return Sample(clean + 0.4 * mask, clean + 0.2, clean, mask, ["a"])


def noisy(batch=8, height=37, width=31) -> tuple[torch.Tensor, Sample]:
    """Random pictures; the second has an empty mask and the third a full one."""
    generator = torch.Generator().manual_seed(0)
    watermarked, reference, clean, prediction = (
        torch.rand((batch, 3, height, width), generator=generator) for _ in range(4)
    )
    mask = (torch.rand((batch, 1, height, width), generator=generator) > 0.7).float()
    mask[1], mask[2] = 0, 1
    return 1.4 * prediction - 0.2, Sample(watermarked, reference, clean, mask, [str(n) for n in range(batch)])


def db(mse):
    return -10 * math.log10(mse)


def test_columns_of_a_hand_made_sample():
    sample = hand_made()
    # Above white within the mask: what is clamped and what is not shows.
    sample = sample._replace(
        clean=torch.ones_like(sample.clean), watermarked=1 - 0.4 * sample.mask.expand(1, 3, 16, 16)
    )
    prediction = 1 + 0.3 * sample.mask - 0.01 * (1 - sample.mask).expand(1, 3, 16, 16)
    restored = prediction.clamp(max=1)
    scores = measure(prediction, sample, EVERY)
    expected = {
        "psnr": db(0.75 * 0.0001),
        "psnr_in": 100,
        "psnr_out": 40,
        "psnr_ref": db(0.25 * 0.09 + 0.75 * 0.29**2),
        "psnr_slbr": db(0.25 * 0.09 + 0.75 * 0.0001),
        "psnr_input": db(0.25 * 0.16),
        "psnr_input_in": db(0.16),
        "psnr_input_ref": db(0.25 * 0.01 + 0.75 * 0.09),
        "psnr_marked": db(0.75 * 0.0001),
        "psnr_unmarked": math.nan,
        "psnr_input_marked": db(0.25 * 0.16),
        "gain": db(0.75 * 0.0001) - db(0.25 * 0.16),
        "gain_in": 100 - db(0.16),
        "ssim": ssim(restored, sample.clean).item(),
        "ssim_ref": ssim(restored, sample.reference).item(),
        "ssim_uniform": ssim_uniform(restored, sample.clean).item(),
        "ssim_slbr": ssim_zero_padded(prediction, sample.clean).item(),
        "ssim_input": ssim(sample.watermarked, sample.clean).item(),
        "ssim_input_ref": ssim(sample.watermarked, sample.reference).item(),
        "ssim_input_uniform": ssim_uniform(sample.watermarked, sample.clean).item(),
        "ssim_input_slbr": ssim_zero_padded(sample.watermarked, sample.clean).item(),
        "rmse": 256 * math.sqrt(0.75 * 0.0001),
        "rmse_w": 0,
        "rmse_slbr": 256 * math.sqrt(0.25 * 0.09 + 0.75 * 0.0001),
        "rmse_slbr_w": 256 * 0.3,
        "rmse_input": 256 * math.sqrt(0.25 * 0.16),
        "rmse_input_w": 256 * 0.4,
        "iou": 1,
        "f1": 1,
        "precision": 1,
        "recall": 1,
    }
    assert set(scores) == set(EVERY) == set(expected)
    for column, value in expected.items():
        assert scores[column].item() == pytest.approx(value, abs=2e-3, nan_ok=True), column


def test_changed_pixels_are_the_mask_of_a_model_that_predicts_none():
    sample = hand_made()
    prediction = sample.watermarked.clone()
    prediction[..., :8, :4] = 0.5  # half of the mark is removed
    prediction[..., 8:, :] = 0.3  # and half of the picture is spoilt
    scores = measure(prediction, sample, ["iou", "f1", "precision", "recall"])
    assert [scores[column].item() for column in scores] == [
        pytest.approx(value) for value in (32 / (160 + 32), 2 * 32 / (160 + 64), 32 / 160, 32 / 64)
    ]


def test_a_predicted_mask_is_judged_in_place_of_the_changed_pixels():
    sample = hand_made()
    predicted = torch.zeros(1, 1, 16, 16)
    predicted[..., :8, :] = 0.9
    scores = measure(sample.watermarked, sample, ["iou", "f1", "precision", "recall"], predicted_mask=predicted)
    assert [scores[column].item() for column in scores] == [pytest.approx(value) for value in (1 / 2, 2 / 3, 1 / 2, 1)]


def test_doing_nothing_scores_as_the_input_columns():
    _, sample = noisy()
    scores = measure(sample.watermarked, sample, EVERY)
    for ours, theirs in (
        ("psnr", "psnr_input"),
        ("ssim", "ssim_input"),
        ("psnr_in", "psnr_input_in"),
        ("psnr_ref", "psnr_input_ref"),
        ("ssim_ref", "ssim_input_ref"),
        ("ssim_uniform", "ssim_input_uniform"),
        ("ssim_slbr", "ssim_input_slbr"),
        ("psnr_slbr", "psnr_input"),
        ("rmse", "rmse_input"),
        ("rmse_w", "rmse_input_w"),
    ):
        torch.testing.assert_close(scores[ours], scores[theirs], equal_nan=True)
    assert scores["gain"].nan_to_num(nan=-1).tolist() == [0, -1, *[0] * 6]  # the second has no mark
    assert scores["gain_in"].nan_to_num(nan=-1).tolist() == [0, -1, *[0] * 6]  # the second has no inside
    assert scores["iou"].nan_to_num(nan=-1).tolist() == [
        0,
        -1,
        0,
        0,
        0,
        0,
        0,
        0,
    ]  # nothing is changed, so none is found


def test_prediction_is_clamped():
    sample = hand_made()._replace(clean=torch.ones(1, 3, 16, 16))
    scores = measure(torch.full((1, 3, 16, 16), 3.0), sample, ["psnr", "rmse", "psnr_slbr"])
    assert scores["psnr"].item() == 100
    assert scores["rmse"].item() == 0
    assert scores["psnr_slbr"].item() == pytest.approx(db(4))


def test_only_the_columns_asked_for_are_computed(monkeypatch):
    prediction, sample = noisy()
    every = measure(prediction, sample)
    for name in ("ssim", "ssim_uniform", "ssim_zero_padded", "found_mask"):
        monkeypatch.setattr(suite, name, None)
    some = measure(prediction, sample, ["psnr_out", "psnr_input"])
    assert list(some) == ["psnr_out", "psnr_input"]
    assert torch.equal(some["psnr_input"], every["psnr_input"])


def test_what_columns_share_is_computed_once(monkeypatch):
    calls = []

    def counted(function):
        return lambda *arguments: calls.append(function.__name__) or function(*arguments)

    for name in ("mse", "overlap", "found_mask"):
        monkeypatch.setattr(suite, name, counted(getattr(suite, name)))
    measure(*noisy())
    # Prediction whole, in and outside the mask; input whole and in it.
    assert sorted(calls) == ["found_mask", *["mse"] * 5, "overlap"]


def test_empty_and_full_masks_are_nan_in_their_column():
    scores = measure(*noisy(), EVERY)
    inside = ("psnr_in", "psnr_input_in", "gain_in", "rmse_w", "rmse_input_w", "rmse_slbr_w")
    for column in inside:
        assert scores[column].isnan().tolist() == [False, True, *[False] * 6], column
    assert scores["psnr_out"].isnan().tolist() == [False, False, True, *[False] * 5]
    apart = ("psnr_marked", "psnr_input_marked", "gain", "psnr_unmarked")
    for column in apart[:3]:
        assert scores[column].isnan().tolist() == [False, True, *[False] * 6], column
    assert scores["psnr_unmarked"].isnan().tolist() == [True, False, *[True] * 6]
    # Something is changed everywhere, so that only `psnr_in` and its like are undefined.
    for column in set(EVERY) - {*inside, *apart, "psnr_out"}:
        assert scores[column].isfinite().all(), column


def test_equal_pictures_have_the_best_scores():
    _, sample = noisy()
    scores = measure(sample.clean, sample._replace(watermarked=sample.clean, mask=torch.zeros(8, 1, 37, 31)), EVERY)
    bests = {"psnr": 100, "psnr_unmarked": 100, "rmse": 0, "ssim": 1, "ssim_uniform": 1, "ssim_slbr": 1}
    for column, best in bests.items():
        assert scores[column].tolist() == pytest.approx([best] * 8, abs=1e-5), column
    for column in ("iou", "f1", "precision", "recall", "psnr_in", "rmse_w", "gain", "psnr_marked"):
        assert scores[column].isnan().all(), column


def test_data_without_a_second_view_has_no_columns_against_it():
    prediction, sample = noisy()
    scores = measure(prediction, sample._replace(reference=None))
    for column, values in scores.items():
        assert values.shape == (8,)
        assert values.isnan().all() == column.endswith("_ref"), column


def test_nothing_of_the_batch_is_changed():
    prediction, sample = noisy()
    before = [tensor.clone() for tensor in (prediction, *sample[:4])]
    measure(prediction, sample, EVERY)
    assert all(torch.equal(a, b) for a, b in zip(before, (prediction, *sample[:4]), strict=True))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_hold_columns_of_their_protocol(preset):
    protocol = {
        "full": {"psnr", "ssim", "psnr_in", "psnr_out", "rmse", "rmse_w", "iou", "f1", "precision", "recall", "gain"},
        "swcnn": {"psnr", "ssim_uniform", "psnr_input"},
        "slbr": {"psnr_slbr", "ssim_slbr", "rmse_slbr", "rmse_slbr_w", "iou", "f1"},
        "watermarkcnn": {"psnr_ref", "ssim_ref"},
    }[preset]
    assert protocol <= set(PRESETS[preset]) == set(measure(*noisy(), choose_columns(preset)))


def test_scores_of_a_column_do_not_depend_on_the_preset():
    whole = measure(*noisy(), EVERY)
    for preset in PRESETS:
        for column, values in measure(*noisy(), choose_columns(preset)).items():
            assert torch.equal(values.nan_to_num(nan=-1), whole[column].nan_to_num(nan=-1)), (preset, column)


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (("fulll",), "There are no metrics fulll; choose from: full, swcnn, slbr, watermarkcnn"),
        (("full", ["lpisp"]), "There are no metrics lpisp; choose from: lpips, niqe"),
    ],
)
def test_unknown_metrics_are_refused_by_name(choice, sentence):
    with pytest.raises(UserError, match=sentence):
        choose_columns(*choice)


def test_extras_come_beside_a_preset(monkeypatch):
    monkeypatch.setattr(suite, "require", lambda name: None)
    assert choose_columns("watermarkcnn", ["niqe", "lpips"]) == (
        *PRESETS["watermarkcnn"], "niqe", "niqe_input", "lpips", "lpips_input",
    )  # fmt: skip
    assert not set(EVERY) & {column for columns in EXTRAS.values() for column in columns}


def test_extras_are_measured_on_clamped_pictures(monkeypatch):
    prediction, sample = noisy()
    monkeypatch.setattr(suite, "lpips", lambda picture, clean: (picture - clean).amax(dim=(1, 2, 3)))
    monkeypatch.setattr(suite, "niqe", lambda picture: picture.amax(dim=(1, 2, 3)))
    scores = measure(prediction, sample, ["lpips", "lpips_input", "niqe", "niqe_input"])
    assert scores["niqe"].tolist() == [1] * 8  # the prediction itself reaches 1.2
    torch.testing.assert_close(scores["niqe_input"], sample.watermarked.amax(dim=(1, 2, 3)))
    torch.testing.assert_close(scores["lpips_input"], (sample.watermarked - sample.clean).amax(dim=(1, 2, 3)))
    torch.testing.assert_close(scores["lpips"], (prediction.clamp(0, 1) - sample.clean).amax(dim=(1, 2, 3)))


def test_collection_has_its_columns_under_its_stage():
    assert set(metric_collection("test", COLUMNS).keys()) == {f"test/{column}" for column in COLUMNS}


def test_training_has_the_input_row_but_not_all_of_it():
    assert set(TRAIN_COLUMNS) == {"psnr", "ssim", "psnr_in", "psnr_out", "psnr_ref", "ssim_ref", "psnr_input"}


@pytest.mark.parametrize(("preset", "size"), list(product(PRESETS, [1, 3, 8])))
def test_mean_over_pictures_does_not_depend_on_the_batches(preset, size):
    prediction, sample = noisy()
    columns = choose_columns(preset)
    collection = metric_collection("val", columns)
    metrics = dict(collection.items(keep_base=True))
    for start in range(0, 8, size):
        part = slice(start, start + size)
        batch = Sample._make(None if value is None else value[part] for value in sample)
        for column, value in measure(prediction[part], batch, columns).items():
            metrics[column].update(value)
    means = collection.compute()
    for column, values in measure(prediction, sample, columns).items():
        counted = [value for value in values.tolist() if not math.isnan(value)]
        assert means[f"val/{column}"].item() == pytest.approx(sum(counted) / len(counted), rel=1e-5), column


def test_pictures_are_counted_where_a_column_is_defined():
    scores = measure(*noisy(), ["psnr", "psnr_in", "psnr_out", "rmse_w"])
    columns = {column: values.tolist() for column, values in scores.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert count_defined(rows) == {"psnr": 8, "psnr_in": 7, "psnr_out": 7, "rmse_w": 7}
    assert count_defined([{"psnr_ref": NAN}, {"psnr_ref": NAN}]) == {"psnr_ref": 0}
    assert count_defined([{"psnr": math.inf}]) == {"psnr": 1}


@pytest.mark.parametrize(
    ("metric", "shape"),
    [
        (lambda restored, sample: restored.mean(), r"\(\)"),
        (lambda restored, sample: 0.5, r"\(\)"),
        (lambda restored, sample: restored.mean(dim=1), r"\(8, 37, 31\)"),
    ],
)
def test_a_metric_that_does_not_score_each_picture_is_named(metric, shape):
    with pytest.raises(UserError, match=rf"^own_metrics\.mine must return .*, \(8,\); it returned {shape}\.$"):
        measure(*noisy(), ["psnr"], own={"mine": metric})
