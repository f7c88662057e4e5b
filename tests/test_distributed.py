"""Two processes on the CPU score what one does."""

import csv
import json
from pathlib import Path

import pytest

from wm_lightning.metrics import COLUMNS

MEASURED = [column for column in COLUMNS if column != "psnr_unmarked"]  # all pictures have a mark


def rows_of(path):
    with Path(path).open() as file:
        return list(csv.DictReader(file))


def test_two_processes_train_one_network_and_score_each_picture_once(command, tiny, in_two_processes):
    options = [option for option in tiny if not option.startswith("trainer.accelerator")]
    # 10, 5 and 5 photographs: one process has a picture less to validate and to test.
    chosen = ("data.fractions=[0.5,0.25,0.25]", "trainer.max_epochs=2", "hydra.run.dir=run")
    options += [*chosen, "data.batch_size=2"]
    outcome = in_two_processes(*chosen)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.count("│ identity") == 1  # the first process speaks for both

    summary = json.loads(Path("run/summary.json").read_text())
    # Ten photographs for two processes in batches of two: two whole steps an epoch.
    assert [epoch["step"] for epoch in summary["history"]] == [2, 4]
    tested = rows_of("run/metrics.csv")
    assert [row["name"] for row in tested] == Path("run/split/test.txt").read_text().split()
    for column in MEASURED:
        mean = sum(float(row[column]) for row in tested) / len(tested)
        assert summary["test"][column] == pytest.approx(mean, abs=1e-4)

    # One process, the same network and pictures.
    alone = command(
        "evaluate", "report=false", "ckpt=run/checkpoints/best.ckpt", "hydra.run.dir=alone", "trainer.accelerator=cpu"
    )
    assert alone.status == 0, alone.err
    for one, other in zip(rows_of("alone/metrics.csv"), tested, strict=True):
        assert one["name"] == other["name"]
        for column in MEASURED:
            assert float(one[column]) == pytest.approx(float(other[column]), abs=1e-4)
    scores = json.loads(Path("alone/metrics.json").read_text())["test"]
    for column in MEASURED:
        assert scores[column] == pytest.approx(summary["test"][column], abs=1e-4)

    # Validation within training shares out the pictures too: its mean is that of all five.
    best = summary["history"][summary["best_epoch"] - 1]
    again = ("weights=run/checkpoints/best.ckpt", "trainer=cpu", "hydra.run.dir=again", "trainer.max_epochs=1")
    still = ("optim.scheduler=null", "optim.optimizer.lr=0", "optim.optimizer.adamw_lr=0", "test=false")
    one = command("train", *options, *again, *still, "callbacks.freeze_batchnorm.from_epoch=0")
    assert one.status == 0, one.err
    validated = json.loads(Path("again/summary.json").read_text())["history"][-1]
    for column in ("val/psnr", "val/ssim", "val/psnr_input", "val/psnr_in"):
        assert validated[column] == pytest.approx(best[column], abs=1e-4)
