"""The command, mostly with a stand-in for the training; three tests really train."""

import csv
import json
import math
import sys
import time
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

import wm_lightning.search.run as module
from tests.processes import start_script

REPOSITORY = Path(__file__).parents[2]
ALPHA = ("space=none", "+space.loss.alpha={low: 0, high: 1}")
LEAN = ("test=false", "logger=none", "callbacks.learning_rate=null", "trainer.limit_train_batches=1")


def trials_of(folder="outputs/sweep/none", name="none"):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/study.db").trials


def states_of(**options):
    return [trial.state.name for trial in trials_of(**options)]


def table(folder="outputs/sweep/none"):
    with Path(folder, "sweep.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def outcomes(monkeypatch):
    """What the stand-in returns or raises, one after another; without any, a function of alpha."""
    queue = []

    def train(config, callbacks=()):
        outcome = queue.pop(0) if queue else -abs(config.loss.alpha - 0.5)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(module, "train", train)
    return queue


@pytest.fixture
def search(command):
    def run(*arguments, status=0):
        outcome = command("sweep", *(ALPHA if not any("space" in entry for entry in arguments) else ()), *arguments)
        assert outcome.status == status, outcome.err
        return outcome

    return run


def test_the_same_command_with_more_trials_goes_on(command, tiny):
    arguments = (*tiny, *LEAN, "space=optim", "space.optim.scheduler=null")
    first = command("sweep", *arguments, "sweep.trials=1")
    assert first.status == 0, first.err
    assert "no pictures: they need two complete trials" in Path("outputs/sweep/optim/sweep.log").read_text()
    second = command("sweep", *arguments, "sweep.trials=2")
    assert second.status == 0, second.err
    folder = Path("outputs/sweep/optim")
    trials = trials_of(folder, "optim")
    assert [trial.number for trial in trials] == [0, 1]
    for trial in trials:
        summary = json.loads((folder / str(trial.number) / "summary.json").read_text())
        assert summary["objective"]["value"] == trial.value
        config = OmegaConf.load(folder / str(trial.number) / ".hydra" / "config.yaml")
        assert config.optim.optimizer.lr == trial.params["optim.optimizer.lr"]
        assert "sweep" not in config
        assert (folder / str(trial.number) / "checkpoints" / "best.ckpt").is_file()
        assert "Epoch 1/1" in (folder / str(trial.number) / "train.log").read_text()
        assert config.paths.output_dir == str(folder.resolve() / str(trial.number))
    assert {path.name for path in folder.glob("*.png")} == {"parallel_coordinates.png", "importance.png"}
    rows = table(folder)
    objectives = [float(row["val/psnr"]) for row in rows]
    assert objectives == sorted(objectives, reverse=True)
    assert "2 trials in" in second.out


def test_a_killed_search_runs_the_unfinished_trial_again(command, tiny):
    arguments = ("space=none", "+space.loss.beta={low: 0, high: 1}", *tiny, *LEAN, "sweep.trials=1")
    process = start_script(REPOSITORY / "sweep.py", (*arguments, "trainer.max_epochs=100000"), Path.cwd())
    log = Path("outputs/sweep/none/0/train.log")
    until = time.monotonic() + 600
    while not (log.is_file() and "Epoch 1" in log.read_text()) and time.monotonic() < until:
        assert process.exitcode is None
        time.sleep(0.1)
    held = command("sweep", *arguments)
    process.kill()
    process.join()
    assert held.status == 1
    assert "is in use by another search" in held.err
    assert states_of() == ["RUNNING"]

    resumed = command("sweep", *arguments)
    assert resumed.status == 0, resumed.err
    assert states_of() == ["FAIL", "COMPLETE"]
    before, after = trials_of()
    assert before.params == after.params
    assert {row["trial"]: row["note"] for row in table()} == {"0": "killed", "1": ""}
    # The killed command had other settings, which is worth a line.
    assert "begun with other settings" in Path("outputs/sweep/none/sweep.log").read_text()


def test_a_hopeless_learning_rate_is_pruned_and_its_summary_kept(command, tiny):
    arguments = (
        "space=none", "+space.optim.optimizer.lr=[3e-3, 100.0]", "sweep.trials=2", "sweep.pruner.n_startup_trials=1",
        "sweep.pruner.n_warmup_steps=0", "trainer.max_epochs=2", "trainer.limit_train_batches=1.0",
        "optim.scheduler=null", "data.target=clean", "sweep.seed=3",  # the good rate comes first
    )  # fmt: skip
    outcome = command("sweep", *tiny, *LEAN, *arguments)
    assert outcome.status == 0, outcome.err
    trials = trials_of()
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED"]
    assert [trial.params["optim.optimizer.lr"] for trial in trials] == [3e-3, 100.0]
    for trial in pruned:
        summary = json.loads(Path("outputs/sweep/none", str(trial.number), "summary.json").read_text())
        assert len(summary["history"]) == len(trial.intermediate_values) == 1
        assert [epoch["val/psnr"] for epoch in summary["history"]] == list(trial.intermediate_values.values())
        assert "objective" not in summary
        assert "pruned after epoch" in trial.user_attrs["note"]


def test_a_loss_that_is_no_number_is_a_pruned_trial(command, tiny):
    arguments = ("space=none", "+space.optim.optimizer.lr=[1e37]", "sweep.trials=1", "optim.scheduler=null")
    outcome = command("sweep", *tiny, *LEAN, *arguments, "trainer.limit_train_batches=1.0")
    assert outcome.status == 0, outcome.err
    assert states_of() == ["PRUNED"]
    assert table()[0]["note"] == "the loss became infinite or no number"


def test_a_group_choice_changes_the_run(command, tiny):
    arguments = ("space=none", "+space.augment=[none, full]", "sweep.trials=2")
    outcome = command("sweep", *tiny, *LEAN, *arguments)
    assert outcome.status == 0, outcome.err
    seen = {}
    for trial in trials_of():
        folder = Path("outputs/sweep/none", str(trial.number))
        (epoch,) = json.loads((folder / "summary.json").read_text())["history"]
        steps = OmegaConf.load(folder / ".hydra" / "config.yaml").augment.get("after_crop") or []
        seen[trial.params["augment"]] = (len(steps), epoch["train/psnr_input"])
    assert seen["none"][0] == 0
    assert seen["full"][0] > 5
    assert seen["none"][1] != seen["full"][1]


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1)])
def test_another_metric_than_the_objective_can_be_what_the_pruner_compares(search, monkeypatch, mode, sign):
    seen = []
    monkeypatch.setattr(module, "train", lambda config, callbacks: seen.extend(callbacks) or 1.0)
    monitor = (f"sweep.monitor.mode={mode}", "sweep.monitor.metric=val/loss")
    search("sweep.trials=1", *ALPHA, *monitor)
    assert (seen[0].metric, seen[0].sign) == ("val/loss", sign)


def test_equal_seeds_suggest_equal_values_also_across_a_stop(search, outcomes):
    arguments = (*ALPHA, "+sweep.sampler.n_startup_trials=2")  # from the third on, outcomes before matter
    search("sweep.trials=5", "sweep.name=whole", *arguments)
    search("sweep.trials=3", "sweep.name=parts", *arguments)
    search("sweep.trials=5", "sweep.name=parts", *arguments)
    search("sweep.trials=3", "sweep.name=other", "sweep.seed=1", *arguments)
    values = {
        name: [trial.params["loss.alpha"] for trial in trials_of(f"outputs/sweep/{name}", name)]
        for name in ("whole", "parts", "other")
    }
    assert values["whole"] == values["parts"]
    assert len(set(values["whole"])) == 5
    assert not set(values["whole"]) & set(values["other"])


def test_the_table_is_sorted_by_the_objective_and_names_the_rest(search, outcomes):
    outcomes += [2.0, optuna.TrialPruned("pruned after epoch 2"), ValueError("no such\nthing"), math.nan, 3.0, 1.0]
    outcome = search("sweep.trials=5")
    rows = table()
    assert [row["trial"] for row in rows] == ["4", "0", "5", "1", "3", "2"]
    assert [row["state"] for row in rows] == ["complete"] * 3 + ["pruned"] * 2 + ["failed"]
    assert [row["note"] for row in rows[3:]] == ["pruned after epoch 2", "val/psnr is nan", "ValueError: no such"]
    assert "Traceback" in Path("outputs/sweep/none/2/error.txt").read_text()
    assert "6 trials in" in outcome.out
    best = trials_of()[4].params["loss.alpha"]
    assert f"python train.py loss.alpha={best}" in Path("outputs/sweep/none/sweep.log").read_text()


def test_a_lower_objective_can_be_the_better_one(search, outcomes):
    outcomes += [2.0, 1.0]
    search("sweep.trials=2", "objective.metric=val/loss", "objective.mode=min")
    assert [row["val/loss"] for row in table()] == ["1.0", "2.0"]
    assert "val/loss does not compare" in Path("outputs/sweep/none/sweep.log").read_text()


def test_a_search_that_is_complete_only_reports(search, outcomes):
    search("sweep.trials=2")
    again = search("sweep.trials=2")
    assert len(trials_of()) == 2
    assert "2 trials in" in again.out


def test_three_failures_in_a_row_end_the_search_and_two_do_not(search, outcomes):
    outcomes += [ValueError("a"), ValueError("b"), 1.0, ValueError("c"), ValueError("d"), ValueError("e")]
    outcome = search("sweep.trials=5", status=1)
    assert "error: 3 trials in a row failed, the last with: ValueError: e" in outcome.err
    assert states_of() == ["FAIL", "FAIL", "COMPLETE", "FAIL", "FAIL", "FAIL"]
    search("sweep.trials=2")
    assert states_of().count("COMPLETE") == 2


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_a_stopped_search_says_how_to_go_on_and_keeps_the_values(search, outcomes, stop, status):
    outcomes += [1.0, stop]
    search("sweep.trials=3", status=status)
    assert (
        "search stopped at 1 of 3 trials; the same command goes on" in Path("outputs/sweep/none/sweep.log").read_text()
    )
    search("sweep.trials=3")
    trials = trials_of()
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[1].params == trials[2].params
    assert table()[-1]["note"] == "stopped"


def test_values_that_end_the_process_each_time_are_given_up(search, outcomes):
    class Killed(BaseException):
        """Leaves a trial as a killed process does."""

    for _ in range(3):
        outcomes += [Killed()]
        with pytest.raises(Killed):
            search("sweep.trials=1")
    search("sweep.trials=1")
    trials = trials_of()
    assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "FAIL", "COMPLETE"]
    assert trials[0].params == trials[1].params == trials[2].params != trials[3].params


def test_a_study_keeps_its_space_and_objective(search, outcomes):
    search("sweep.trials=1")
    changes = {
        ("+space.loss.alpha={low: 0, high: 2}",): "space.loss.alpha: the study none in",
        ("+space.loss.alpha={low: 0, high: 3}",): "was begun with 0.0 to 1.0, now with 0.0 to 3.0; undo this",
        (*ALPHA[1:], "+space.loss.beta={low: 0, high: 1}"): "was begun without it, now with 0.0 to 1.0",
        (*ALPHA[1:], "objective.mode=min"): "objective.mode: the study none in",
        (*ALPHA[1:], "objective.metric=val/ssim"): "was begun with val/psnr, now with val/ssim",
    }
    for change, sentence in changes.items():
        assert sentence in search("space=none", *change, status=1).err
    assert len(trials_of()) == 1


def test_a_space_of_your_own_is_a_file_in_a_folder_of_your_own(search, outcomes):
    Path("mine/space").mkdir(parents=True)
    Path("mine/space/some.yaml").write_text("loss.alpha: {low: 0.0, high: 0.5}\naugment: [none, full]\n")
    search("--config-dir=mine", "space=some", "sweep.trials=1")
    (trial,) = trials_of("outputs/sweep/some", "some")
    assert set(trial.params) == {"loss.alpha", "augment"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["space=none"], "space is empty; choose one with space=loss"),
        (["space=nothing"], "Could not find 'space/nothing'"),
        (["space=none", "+space.loss.alfa=[0, 1]"], "loss.alfa: there is no such key; did you mean loss.alpha?"),
        (["space=none", "+space.loss.alpha={low: 1, high: 0}"], "space.loss.alpha.low=1 is above high=0"),
        (["space=none", "+space.augment=[light, fulll]"], "Could not find 'augment/fulll'"),
        (["space=none", "+space.model.attention=[gate, none]"], "model.attention='none' does not fit"),
        (["loss.alpha=0.1"], "loss.alpha is both searched and set; drop loss.alpha=0.1 or add space.loss.alpha=null."),
        (["sweep.trials=0"], "sweep.trials=0 must be a whole number of at least 1."),
        (["sweep.seed=x"], "sweep.seed=x must be a whole number of at least 0."),
        (["sweep.trails=3"], "sweep.trails: there is no such key; did you mean sweep.trials?"),
        (["sweep.storage=nowhere"], "sweep.storage=nowhere cannot be opened as a database"),
        (["sweep.storage=sqlite:////nowhere/study.db"], "sweep.storage=sqlite:////nowhere/study.db cannot be opened"),
        (["objective.mode=best"], "objective.mode=best must be min or max."),
        (["objective.metric=val/psnrr"], "objective.metric=val/psnrr is not measured. Did you mean val/psnr?"),
        (["sweep.monitor.metric=val/los"], "sweep.monitor.metric=val/los is not measured. Did you mean val/loss?"),
        (["ckpt_path=last"], "ckpt_path=last: each trial starts anew; weights=PATH"),
        (["trainer.devices=2"], "trainer.devices=2: a search trains on one device; set trainer.devices=1."),
        (["data=folder"], "data.root is not set"),
    ],
)  # fmt: skip
def test_what_the_user_can_put_right_is_one_sentence_before_any_trial(search, arguments, sentence):
    arguments = arguments if any("space" in entry for entry in arguments) else ["space=loss", *arguments]
    last = search(*arguments, status=1).err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert sentence in last
    assert not list(Path("outputs/sweep").glob("*/0"))


def test_a_database_of_something_else_is_refused(search, outcomes):
    study = optuna.create_study(storage="sqlite:///own.db", study_name="none")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert "was not made by wm-sweep" in search(*ALPHA, "sweep.storage=sqlite:///own.db", status=1).err
    search(*ALPHA, "sweep.trials=1")
    another = search(*ALPHA, "sweep.storage=sqlite:///new.db", status=1)
    assert "0 is a trial of another study; move it or choose another sweep.name." in another.err


@pytest.mark.parametrize("pruner", [True, False])
def test_the_pruner_can_be_switched_off(search, outcomes, monkeypatch, pruner):
    seen = []
    monkeypatch.setattr(module, "_run_trials", lambda study, *_: seen.append(study.pruner))
    search("sweep.trials=1", *ALPHA, *(() if pruner else ("sweep.pruner=null",)))
    assert isinstance(seen[0], optuna.pruners.MedianPruner if pruner else optuna.pruners.NopPruner)


def test_without_optuna_one_sentence_says_what_to_install(command, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("wm_lightning.search")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    outcome = command("sweep")
    assert outcome.status == 1
    assert "error: A search needs optuna, which is not installed: pip install 'wm-lightning[sweep]'." in outcome.err
