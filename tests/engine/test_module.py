import csv
import math
from functools import partial

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from wm_lightning.callbacks import PerImageTable
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import UserError
from wm_lightning.losses import CompositeLoss, MaskedL1
from wm_lightning.losses.functional import masked_l1
from wm_lightning.metrics import COLUMNS, PRESETS, TRAIN_COLUMNS, choose_columns, measure
from wm_lightning.models import RestorationNet
from wm_lightning.sizes import SizeRequirement
from wm_lightning.types import Prediction, Sample


class Brighter(RestorationNet):
    """Adds a trained grey, and leaves 0..1 where a picture is bright."""

    size = SizeRequirement()

    def __init__(self):
        super().__init__()
        self.grey = torch.nn.Parameter(torch.tensor(0.2))

    def restore(self, image):
        return Prediction(image + self.grey)


def pictures(reference=True):
    """Seven pairs in batches of three; the second mask is empty."""
    generator = torch.Generator().manual_seed(0)
    watermarked, second, clean = torch.rand((3, 7, 3, 16, 12), generator=generator)
    mask = (torch.rand((7, 1, 16, 12), generator=generator) > 0.5).float()
    mask[1] = 0
    names = [f"p{number}" for number in range(7)]
    parts = [slice(0, 3), slice(3, 6), slice(6, 7)]
    return [
        Sample(watermarked[p], second[p] if reference else None, clean[p], mask[p], names[p]) for p in parts
    ], Sample(watermarked, second if reference else None, clean, mask, names)


def run_test(batches, path, target="clean", **options):
    """Tests a module; returns its scores and the callback that wrote the table."""
    loss = CompositeLoss({"l1": MaskedL1()})
    module = WatermarkRemoval(Brighter(), loss, partial(torch.optim.SGD, lr=0), target=target, **options)
    table = PerImageTable(str(path))
    trainer = L.Trainer(
        accelerator="cpu", logger=False, callbacks=[table], enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False,
    )  # fmt: skip
    (scores,) = trainer.test(module, DataLoader(batches, batch_size=None), verbose=False)
    return scores, table


@pytest.mark.parametrize("preset", PRESETS)
def test_a_test_measures_the_columns_of_its_preset(preset, tmp_path):
    batches, whole = pictures()
    columns = choose_columns(preset)
    scores, table = run_test(batches, tmp_path / "metrics.csv", test_columns=columns)
    assert set(scores) == {"test/loss", "test/loss_l1", *(f"test/{column}" for column in columns)}
    with table.path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", *columns]
    assert [row["name"] for row in rows] == whole.name
    for column, values in measure(whole.watermarked + 0.2, whole, columns).items():
        assert [float(row[column]) for row in rows] == pytest.approx(values.tolist(), abs=2e-4, nan_ok=True), column
        assert scores[f"test/{column}"] == pytest.approx(values.nanmean().item(), abs=2e-4), column
        # The second picture has no mark.
        count = 1 if column == "psnr_unmarked" else 7 - (column == "gain" or column.endswith(("_in", "_w", "_marked")))
        assert table.defined[column] == values.isfinite().sum() == count, column


def test_values_above_white_reach_the_columns_that_do_not_clamp(tmp_path):
    batches, _ = pictures()
    scores, _ = run_test(batches, tmp_path / "metrics.csv", test_columns=["psnr", "psnr_slbr"])
    assert scores["test/psnr_slbr"] < scores["test/psnr"] - 0.1


def test_pairs_without_a_second_view_are_scored_without_it(tmp_path):
    batches, _ = pictures(reference=False)
    scores, table = run_test(batches, tmp_path / "metrics.csv")
    for column in COLUMNS:
        assert math.isnan(scores[f"test/{column}"]) == column.endswith("_ref"), column
        assert (table.defined[column] == 0) == column.endswith("_ref"), column


def test_a_loss_against_a_view_that_is_not_there_is_refused(tmp_path):
    batches, _ = pictures(reference=False)
    with pytest.raises(UserError, match=r"^target=reference: these pairs have none; set target=clean\.$"):
        run_test(batches, tmp_path / "metrics.csv", target="reference")


def test_training_measures_less_than_validation():
    module = WatermarkRemoval(Brighter(), CompositeLoss({}), partial(torch.optim.SGD, lr=0))
    measured = {stage: set(module.metrics[f"{stage}_metrics"].keys()) for stage in ("train", "val", "test")}
    assert measured == {
        "train": {f"train/{column}" for column in TRAIN_COLUMNS},
        "val": {f"val/{column}" for column in COLUMNS},
        "test": {f"test/{column}" for column in COLUMNS},
    }


@pytest.mark.parametrize(("every", "scored"), [(1, 7), (2, 4), (3, 3)])
def test_training_scores_every_so_manieth_batch_and_takes_the_loss_of_all(every, scored):
    batches, whole = pictures()
    loss = CompositeLoss({"l1": MaskedL1()})
    module = WatermarkRemoval(
        Brighter(), loss, partial(torch.optim.SGD, lr=0), target="clean", train_metrics_every_n_steps=every
    )
    trainer = L.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, max_epochs=1,
        enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader(batches, batch_size=None))
    rows = [number for first, size in ((0, 3), (3, 3), (6, 1)) for number in range(first, first + size)]
    seen = [row for row, batch in zip(rows, (0, 0, 0, 1, 1, 1, 2), strict=True) if batch % every == 0]
    assert len(seen) == scored
    wanted = measure(whole.watermarked + 0.2, whole, ["psnr"])["psnr"][seen].mean()
    assert trainer.callback_metrics["train/psnr"].item() == pytest.approx(wanted.item(), abs=1e-4)
    losses = [masked_l1(b.watermarked + 0.2, b.clean, b.mask).item() for b in batches]
    mean = sum(value * size for value, size in zip(losses, (3, 3, 1), strict=True)) / 7
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(mean, rel=1e-5)


def test_scoring_no_batch_at_all_is_refused():
    with pytest.raises(ValueError, match="train_metrics_every_n_steps=0 must be at least 1"):
        WatermarkRemoval(Brighter(), CompositeLoss({}), partial(torch.optim.SGD, lr=0), train_metrics_every_n_steps=0)


def test_a_network_that_does_not_say_which_sizes_it_takes_is_refused():
    class Silent(Brighter):
        size = 2

    with pytest.raises(UserError, match=r"^net: Silent must say which sizes it takes: size = SizeRequirement"):
        WatermarkRemoval(Silent(), CompositeLoss({"l1": MaskedL1()}), partial(torch.optim.SGD, lr=0))
