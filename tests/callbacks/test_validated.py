"""Epochs without a validation: no figures of an older one are taken for theirs."""

import json
from pathlib import Path

import optuna
import pytest

RUN = "hydra.run.dir=run"
EVERY_SECOND = ("+trainer.check_val_every_n_epoch=2", "trainer.limit_train_batches=1", "test=false")


def history_of(folder):
    return json.loads(Path(folder, "summary.json").read_text())["history"]


def lines_of(log):
    return [line.split("Epoch ", 1)[1] for line in Path(log).read_text().splitlines() if " Epoch " in line]


@pytest.mark.parametrize("sanity", [0, 1])
def test_only_epochs_with_a_validation_have_figures_of_one(command, tiny, sanity):
    arguments = (*EVERY_SECOND, "trainer.max_epochs=5", f"trainer.num_sanity_val_steps={sanity}")
    outcome = command("train", *tiny, RUN, *arguments)
    assert outcome.status == 0, outcome.err
    history = history_of("run")
    assert [epoch["epoch"] for epoch in history] == [2, 4]
    assert history[0]["val/loss"] != history[1]["val/loss"]
    lines = lines_of("run/train.log")
    assert [line.partition(":")[0] for line in lines] == [f"{number}/5" for number in range(1, 6)]
    assert [("Val Loss" in line, "over the identity" in line) for line in lines] == [
        (False, False), (True, True), (False, False), (True, True), (False, False),
    ]  # fmt: skip
    assert all("Train Loss=" in line and "LR=" in line for line in lines)
    for epoch in history:
        assert f"Val Loss={epoch['val/loss']:.4f}" in lines[int(epoch["epoch"]) - 1]


def test_the_best_of_a_run_is_of_an_epoch_that_was_validated(command, tiny):
    assert command("train", *tiny, RUN, *EVERY_SECOND, "trainer.max_epochs=4").status == 0
    summary = json.loads(Path("run/summary.json").read_text())
    best = {epoch["epoch"]: epoch for epoch in summary["history"]}[summary["best_epoch"]]
    assert best["val/loss"] == summary["best_loss"] == min(epoch["val/loss"] for epoch in summary["history"])
    assert summary["objective"]["value"] == best["val/psnr"]
    assert summary["epochs_run"] == 4


def test_a_trial_hears_of_no_figure_twice(command, tiny):
    arguments = (
        "space=none",
        "+space.loss.beta=[0.1]",
        "sweep.trials=1",
        "logger=none",
        "callbacks.learning_rate=null",
    )
    outcome = command("sweep", *tiny, *arguments, *EVERY_SECOND, "trainer.max_epochs=4")
    assert outcome.status == 0, outcome.err
    (trial,) = optuna.load_study(study_name="none", storage="sqlite:///outputs/sweep/none/study.db").trials
    history = history_of("outputs/sweep/none/0")
    assert trial.intermediate_values == {1: history[0]["val/psnr"], 3: history[1]["val/psnr"]}
