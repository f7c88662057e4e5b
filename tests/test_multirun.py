"""Jobs of a multirun: each in its folder, each told of."""

import csv
import re
from pathlib import Path

import torch
import yaml

from wm_lightning.runner.sweep_table import _without_shared, collect

SHORT = ("trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "test=false")


def rows_of(folder):
    with Path(folder, "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_job_that_fails_is_told_when_it_does_the_others_go_on_and_the_status_is_1(command, tiny):
    jobs = ("-m", "loss.beta=-1,0.1", "hydra.sweep.dir=sweep")
    outcome = command("train", *jobs, *tiny, *SHORT)
    assert outcome.status == 1
    told = "job 0 failed: loss.beta=-1 must not be negative; 0 switches the term off. (sweep/0/error.txt)"
    assert told in outcome.out.replace(f"{Path.cwd()}/", "")
    assert outcome.out.index("job 0 failed") < outcome.out.index("Epoch 1/1")  # before the next job began
    assert "ArgumentError" in Path("sweep/0/error.txt").read_text()
    assert {row["job"]: bool(row["objective"]) for row in rows_of("sweep")} == {"0": False, "1": True}
    assert "2 jobs in sweep with" in outcome.out  # the table, though Hydra left it out
    assert outcome.err.splitlines()[-1] == "error: loss.beta=-1 must not be negative; 0 switches the term off."


def test_lists_are_in_the_table_as_they_were_typed_and_what_all_jobs_share_stands_above_it(command, tiny):
    jobs = ("-m", "synthesis.sampler.count=[1,1],[1,2]", "hydra.sweep.dir=sweep")
    outcome = command("train", *jobs, *tiny, *SHORT)
    assert outcome.status == 0, outcome.err
    for text in ("synthesis.sampler.count=[1,1]", "synthesis.sampler.count=[1,2]"):
        assert re.search(rf"│ {re.escape(text)} +│", outcome.out)
    assert outcome.out.count("data.size=32") == 3  # Hydra's line for each job, and the heading of the table


def test_two_processes_for_each_job_keep_to_its_folder_and_leave_jobs_that_fail_alone(in_two_processes, tmp_path):
    outcome = in_two_processes("-m", "loss.terms.opacity.weight=1,0", "loss.beta=0.1,0.2", "model.head=direct", *SHORT)
    assert outcome.returncode == 1, outcome.stderr
    assert "4 jobs in outputs/multirun" in outcome.stdout
    assert outcome.stderr.splitlines()[-1].startswith("error: loss.terms.opacity needs a head that predicts alpha")
    (sweep,) = (tmp_path / "outputs" / "multirun").glob("*/*")
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["multirun"]  # no run of a child's own
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir()) == ["0", "1", "2", "3"]
    jobs = {row["job"]: bool(row["objective"]) for row in rows_of(sweep)}
    assert jobs == {"0": False, "1": False, "2": True, "3": True}
    for job, beta in (("2", 0.1), ("3", 0.2)):
        checkpoint = torch.load(sweep / job / "checkpoints" / "last.ckpt", weights_only=True)
        assert checkpoint["global_step"] == 1
        assert checkpoint["config"]["loss"]["beta"] == beta


def test_an_override_with_blanks_stays_whole_in_the_table(tmp_path):
    for job, weight in enumerate((0.1, 0.2)):
        folder = tmp_path / str(job) / ".hydra"
        folder.mkdir(parents=True)
        overrides = ["data.size=32", f"+loss.terms.mine={{_target_: m.T, weight: {weight}}}"]
        (folder / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    shared, rows = _without_shared(collect(tmp_path))
    assert shared == ["data.size=32"]
    assert [row["overrides"] for row in rows] == [
        "+loss.terms.mine={_target_: m.T, weight: 0.1}", "+loss.terms.mine={_target_: m.T, weight: 0.2}",
    ]  # fmt: skip


def test_a_multirun_that_has_no_job_has_no_table(command, tiny):
    outcome = command("train", "-m", *tiny, "model=unet,unett")
    assert outcome.status == 1
    assert "0 jobs" not in outcome.out
    assert "Could not find 'model/unett'" in outcome.err


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(command, tiny):
    for _ in range(2):
        outcome = command("train", *tiny, "trainer.fast_dev_run=true", "test=false", "logger=none")
        assert outcome.status == 0, outcome.err
    names = [path.name for path in Path("outputs/train").glob("*/*")]
    assert len(names) == 2
    assert all(re.fullmatch(r"\d\d-\d\d-\d\d-\d{6}", name) for name in names)
