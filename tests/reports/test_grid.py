import pytest
import torch

from wm_lightning.reports.grid import GRID_COLUMNS, grid_columns, sample_grid
from wm_lightning.types import Sample


def batch(count=3, height=5, width=7):
    generator = torch.Generator().manual_seed(0)
    watermarked, reference, clean, prediction = (
        torch.rand((count, 3, height, width), generator=generator) for _ in range(4)
    )
    mask = (torch.rand((count, 1, height, width), generator=generator) > 0.5).float()
    return Sample(watermarked, reference, clean, mask, ["a"] * count), prediction


def test_every_picture_lies_in_its_row_and_column():
    sample, prediction = batch()
    grid = sample_grid(sample, prediction)
    columns = [sample.watermarked, sample.reference, prediction, sample.clean, sample.mask.repeat(1, 3, 1, 1)]
    assert grid.shape == (3, 3 * (5 + 8), 5 * (7 + 8))
    for row in range(3):
        for column, pictures in enumerate(columns):
            top, left = row * 13 + 4, column * 15 + 4
            assert torch.equal(grid[:, top : top + 5, left : left + 7], pictures[row])


def test_a_missing_reference_leaves_its_column_out():
    sample, prediction = batch()
    alone = sample._replace(reference=None)
    assert grid_columns(sample) == GRID_COLUMNS
    assert grid_columns(alone) == ("watermarked", "prediction", "clean", "mask")
    whole = sample_grid(sample, prediction)
    assert torch.equal(sample_grid(alone, prediction), torch.cat([whole[..., :15], whole[..., 30:]], dim=2))


def test_gaps_are_white():
    sample, prediction = batch()
    grid = sample_grid(sample, prediction)
    gap = torch.ones(grid.shape[1:], dtype=torch.bool)
    for row in range(3):
        for column in range(5):
            gap[row * 13 + 4 : row * 13 + 9, column * 15 + 4 : column * 15 + 11] = False
    assert (grid[:, gap] == 1).all()


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_no_more_rows_than_told_or_there_are(count, rows):
    sample, prediction = batch()
    grid = sample_grid(sample, prediction, count)
    assert grid.shape[1] == rows * 13
    assert torch.equal(grid, sample_grid(sample, prediction)[:, : rows * 13])


def test_four_rows_are_the_default():
    sample, prediction = batch(6)
    assert torch.equal(sample_grid(sample, prediction), sample_grid(sample, prediction, 4))


def test_values_are_clamped():
    sample, prediction = batch(1)
    grid = sample_grid(sample, prediction * 4 - 1)
    assert grid.min() == 0
    assert grid.max() == 1
    assert torch.equal(grid[:, 4:9, 34:41], (prediction[0] * 4 - 1).clamp(0, 1))


def test_low_precision_predictions_become_float32():
    sample, prediction = batch(1)
    grid = sample_grid(sample, prediction.bfloat16())
    assert grid.dtype == torch.float32
    assert torch.equal(grid[:, 4:9, 34:41], prediction[0].bfloat16().float())
    assert torch.equal(grid[:, 4:9, 4:11], sample.watermarked[0])
