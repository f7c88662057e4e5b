import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from wm_lightning.metrics import change_mask, overlap

RATIOS = ("iou", "f1", "precision", "recall")


def rows(first, last, height=37, width=31):
    """A mask of the rows first..last, without the last."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., first:last, :] = 1
    return mask


def ratios(predicted, true):
    found = overlap(predicted, true)
    return {name: getattr(found, name)().tolist() for name in RATIOS}


def test_ratios_by_hand():
    # 20 rows claimed, 10 marked, 5 of them in both.
    assert ratios(rows(0, 20), rows(15, 25)) == {
        "iou": [pytest.approx(5 / 25)],
        "f1": [pytest.approx(10 / 30)],
        "precision": [pytest.approx(5 / 20)],
        "recall": [pytest.approx(5 / 10)],
    }


def test_pixels_are_counted():
    found = overlap(rows(0, 20), rows(15, 25))
    assert [count.item() for count in found] == [5 * 31, 20 * 31, 10 * 31]


@pytest.mark.parametrize(
    ("predicted", "true", "value"),
    [
        (rows(0, 0), rows(0, 0), math.nan),  # nothing to find, nothing claimed: not defined
        (rows(3, 9), rows(0, 0), 0),  # claimed where there is nothing
        (rows(0, 0), rows(3, 9), 0),  # missed
        (rows(0, 5), rows(6, 9), 0),  # elsewhere
        (rows(3, 9), rows(3, 9), 1),
        (rows(0, 37), rows(0, 37), 1),
    ],
)
def test_ratios_at_their_ends(predicted, true, value):
    for name, got in ratios(predicted, true).items():
        assert got == [pytest.approx(value, nan_ok=True)], name


def test_full_masks_against_part_of_them():
    assert ratios(rows(0, 37), rows(0, 10))["recall"] == [1]
    assert ratios(rows(0, 37), rows(0, 10))["precision"] == [pytest.approx(10 / 37)]
    assert ratios(rows(0, 10), rows(0, 37))["precision"] == [1]
    assert ratios(rows(0, 10), rows(0, 37))["recall"] == [pytest.approx(10 / 37)]


def test_each_picture_is_judged_by_itself():
    predicted = torch.cat([rows(0, 0), rows(0, 20), rows(3, 9)])
    true = torch.cat([rows(0, 0), rows(15, 25), rows(3, 9)])
    assert ratios(predicted, true)["iou"] == [pytest.approx(value, nan_ok=True) for value in (math.nan, 0.2, 1)]


def test_probabilities_count_above_one_half():
    predicted = torch.tensor([0.2, 0.5, 0.51, 1.0]).view(1, 1, 2, 2)
    assert overlap(predicted, torch.ones(1, 1, 2, 2)).predicted.item() == 2


@settings(max_examples=50, deadline=None)
@given(
    claimed=st.lists(st.booleans(), min_size=35, max_size=35), marked=st.lists(st.booleans(), min_size=35, max_size=35)
)
def test_ratios_agree_with_sets_of_pixels(claimed, marked):
    predicted, true = (torch.tensor(mask).float().view(1, 1, 5, 7) for mask in (claimed, marked))
    first, second = ({pixel for pixel, inside in enumerate(mask) if inside} for mask in (claimed, marked))
    found = ratios(predicted, true)
    if not first | second:
        assert all(math.isnan(value) for (value,) in found.values())
        return
    precision, recall = (len(first & second) / max(1, len(whole)) for whole in (first, second))
    f1 = 2 * precision * recall / (precision + recall) if first & second else 0
    iou = len(first & second) / len(first | second)
    expected = dict(zip(RATIOS, (iou, f1, precision, recall), strict=True))
    assert {name: value for name, (value,) in found.items()} == pytest.approx(expected)


def test_a_pixel_is_changed_where_any_channel_is_by_more_than_the_threshold():
    watermarked = torch.full((1, 3, 1, 5), 0.5)
    prediction = watermarked.clone()
    prediction[0, 0, 0, 1] += 0.11
    prediction[0, 2, 0, 2] -= 0.11
    prediction[0, :, 0, 3] += 0.09
    assert change_mask(prediction, watermarked).tolist() == [[[[0, 1, 1, 0, 0]]]]
    assert change_mask(prediction, watermarked, threshold=0.05).tolist() == [[[[0, 1, 1, 1, 0]]]]
    assert change_mask(watermarked, watermarked, threshold=0).sum() == 0
