"""Two processes on the CPU score what one does."""

import csv
import json
from pathlib import Path

import pytest

from wm_lightning.data.sharding import optimize
from wm_lightning.data.sources import split_names
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


def test_two_processes_train_on_shards_of_their_own_and_evaluate_scores_the_checkpoint(
    command, photographs, in_two_processes, tmp_path
):
    optimize(str(photographs), str(tmp_path / "shards"), shard_bytes=8000)
    chosen = ("data=streaming", "data.root=shards", "data.cache_dir=kept", "hydra.run.dir=run")
    outcome = in_two_processes(*chosen)
    assert outcome.returncode == 0, outcome.stderr
    summary = json.loads(Path("run/summary.json").read_text())
    counts = summary["photographs"]
    assert sum(counts.values()) == 20
    assert [epoch["step"] for epoch in summary["history"]] == [-(-counts["train"] // 2) // 2]
    tested = rows_of("run/metrics.csv")
    assert [row["name"] for row in tested] == Path("run/split/test.txt").read_text().split()

    alone = ("report=false", "ckpt=run/checkpoints/best.ckpt", "hydra.run.dir=alone", "trainer.accelerator=cpu")
    outcome = command("evaluate", *alone)
    assert outcome.status == 0, outcome.err
    scores = json.loads(Path("alone/metrics.json").read_text())
    assert scores["pictures"] == len(tested) == counts["test"]
    for column in MEASURED:
        assert scores["test"][column] == pytest.approx(summary["test"][column], abs=1e-4)
    assert "THE SPLIT" not in outcome.out


def test_what_either_process_finds_broken_is_named_counted_and_left_out(own_photographs, in_two_processes):
    names = sorted(path.name for path in own_photographs.iterdir())
    split = split_names(names, 0, [0.5, 0.25, 0.25])
    # The first process tests the first, third and fifth picture, the second process the others.
    broken = {split.train[4], split.val[1], split.test[1], split.test[2]}
    for name in broken:
        (own_photographs / name).write_bytes(b"no picture")
    chosen = (f"data.root={own_photographs}", "data.fractions=[0.5,0.25,0.25]", "hydra.run.dir=run")
    outcome = in_two_processes(*chosen)
    assert outcome.returncode == 0, outcome.stderr
    summary = json.loads((own_photographs.parent / "run/summary.json").read_text())
    assert summary["photographs_skipped"] == sorted(broken)
    assert summary["photographs"] == {"train": 9, "val": 4, "test": 3}
    tested = [row["name"] for row in rows_of(own_photographs.parent / "run/metrics.csv")]
    assert tested == [name for name in split.test if name not in broken]
    log = (own_photographs.parent / "run/train.log").read_text()
    assert all(log.count(f"skipped: {name} cannot be used") == 1 for name in broken)
    assert "4 photographs could not be used and were skipped" in log
