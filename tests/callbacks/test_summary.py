import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from wm_lightning.callbacks import RunSummary, read_history
from wm_lightning.trained import read

OWN = [{"epoch": 1, "val/loss": 2.0}, {"epoch": 2, "val/loss": 1.0}]
WHOLE = [*OWN, {"epoch": 3, "val/loss": 1.5}]
CHECKPOINT = {"callbacks": {"RunSummary": {"history": OWN, "seconds": 1.0}, "Other": {}}}


@pytest.fixture
def saved(tmp_path):
    """Writes a run's summary; returns the path of its checkpoint."""

    def save(summary=None):
        (tmp_path / "checkpoints").mkdir()
        if summary is not None:
            (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        return tmp_path / "checkpoints" / "best.ckpt"

    return save


def test_a_summary_beside_the_checkpoint_tells_of_the_whole_run(saved):
    assert read_history(saved({"best_loss": 1.0, "history": WHOLE}), CHECKPOINT) == WHOLE


def test_a_relative_path_finds_its_summary_too(saved, monkeypatch):
    path = saved({"history": WHOLE})
    monkeypatch.chdir(path.parent.parent)
    assert read_history(path.relative_to(path.parent.parent), CHECKPOINT) == WHOLE
    monkeypatch.chdir(path.parent)
    assert read_history(path.relative_to(path.parent), CHECKPOINT) == WHOLE


def test_without_a_summary_the_checkpoint_tells_of_its_own_epochs(saved):
    assert read_history(saved(), CHECKPOINT) == OWN


@pytest.mark.parametrize("summary", [{}, {"history": WHOLE[:1]}], ids=["none", "of before a resume"])
def test_a_summary_that_knows_less_than_the_checkpoint_is_not_asked(saved, summary):
    assert read_history(saved(summary), CHECKPOINT) == OWN


def test_an_older_checkpoint_without_a_history_has_none(saved):
    assert read_history(saved(), {"callbacks": {}}) == []


def test_an_older_checkpoint_with_a_summary_beside_it_has_that(saved):
    assert read_history(saved({"history": WHOLE}), {"callbacks": {}}) == WHOLE


@pytest.mark.parametrize(
    ("monitor", "mode"), [("val/psnr", "max"), ("val/psnr", "min"), ("val/loss", "max"), ("val/ssim", "max")]
)
def test_the_objective_is_that_of_the_best_checkpoints_epoch(command, tiny, monitor, mode):
    chosen = (f"callbacks.best_checkpoint.monitor={monitor}", f"callbacks.best_checkpoint.mode={mode}")
    outcome = command("train", *tiny, "hydra.run.dir=run", *chosen, "trainer.max_epochs=3", "test=false")
    assert outcome.status == 0, outcome.err
    summary = json.loads(Path("run/summary.json").read_text())
    better = max if mode == "max" else min
    best = better(summary["history"], key=lambda epoch: epoch[monitor])
    assert summary["best_epoch"] == best["epoch"] == read("run/checkpoints/best.ckpt")["epoch"] + 1
    assert summary["best_loss"] == best["val/loss"]
    assert summary["objective"]["value"] == best["val/psnr"]
    assert len({epoch[monitor] for epoch in summary["history"]}) == 3


HISTORY = [
    {"epoch": 1, "val/loss": 3.0, "val/psnr": 20.0, "val/ssim": math.nan},
    {"epoch": 2, "val/loss": math.nan, "val/psnr": 25.0, "val/ssim": math.nan},
    {"epoch": 3, "val/loss": 1.0, "val/psnr": 22.0, "val/ssim": math.nan},
    {"epoch": 4, "val/loss": 1.0, "val/psnr": 25.0, "val/ssim": math.nan},
]


@pytest.mark.parametrize(
    ("monitor", "mode", "epoch"),
    [("val/loss", "min", 3), ("val/loss", "max", 1), ("val/psnr", "max", 2), ("val/psnr", "min", 1),
     ("val/ssim", "max", None), ("val/iou", "max", None)],
)  # fmt: skip
def test_the_best_epoch_by_hand(monitor, mode, epoch):
    summary = RunSummary("summary.json")
    summary.history = HISTORY
    assert summary.best()["epoch"] == 3  # by the loss, until a training says otherwise
    trainer = SimpleNamespace(checkpoint_callback=ModelCheckpoint(monitor=monitor, mode=mode))
    summary.setup(trainer, None, "fit")
    assert summary.best().get("epoch") == epoch


def test_without_an_epoch_there_is_no_best():
    assert RunSummary("summary.json").best() == {}


def test_a_run_that_had_finished_keeps_its_objective(command, tiny):
    chosen = ("callbacks.best_checkpoint.monitor=val/psnr", "callbacks.best_checkpoint.mode=min", "test=false")
    arguments = (*tiny, *chosen, "hydra.run.dir=run", "trainer.max_epochs=3")
    summaries = []
    for go_on in ((), ("ckpt_path=run/checkpoints/last.ckpt",)):
        outcome = command("train", *arguments, *go_on)
        assert outcome.status == 0, outcome.err
        summaries.append(json.loads(Path("run/summary.json").read_text()))
    whole, again = summaries
    assert whole["objective"]["value"] == min(epoch["val/psnr"] for epoch in whole["history"])
    assert (again["objective"], again["best_epoch"]) == (whole["objective"], whole["best_epoch"])
