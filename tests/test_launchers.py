"""A multirun whose jobs run in other processes ends with the same one table."""

import csv
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "extra"), [("joblib", "joblib"), ("submitit_local", "submitit")])
def test_jobs_in_other_processes_end_in_one_table(command, tiny, launcher, extra):
    pytest.importorskip(f"hydra_plugins.hydra_{extra}_launcher")
    arguments = (f"hydra/launcher={launcher}", "loss.beta=0.1,0.3", "trainer.limit_train_batches=1", "test=false")
    outcome = command("train", "-m", *arguments, *tiny)
    assert outcome.status == 0, outcome.err
    (folder,) = Path("outputs/multirun").glob("*/*")
    with (folder / "sweep.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["job"] for row in rows) == ["0", "1"]
    objectives = [float(row["objective"]) for row in rows]
    assert objectives == sorted(objectives, reverse=True)
    assert outcome.out.count("2 jobs in outputs/multirun") == 1
    assert "raised" not in outcome.err
