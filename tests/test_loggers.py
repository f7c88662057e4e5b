import csv
import json
from pathlib import Path

import lightning.pytorch.loggers.mlflow
import lightning.pytorch.loggers.wandb
import pytest
import yaml

RUN = "hydra.run.dir=run"
SHORT = ("optim.scheduler=null", "trainer.limit_train_batches=1", "trainer.log_every_n_steps=1")


def history_of(folder):
    return json.loads(Path(folder, "summary.json").read_text())["history"]


def rows_of(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def column(path, name):
    return [float(row[name]) for row in rows_of(path) if row.get(name)]


def test_a_table_of_scalars_lies_below_the_run_and_one_more_when_it_goes_on(command, tiny):
    arguments = (*tiny, *SHORT, "logger=csv")
    outcome = command("train", *arguments, RUN, "trainer.max_epochs=2")
    assert outcome.status == 0, outcome.err
    first = Path("run/csv/version_0/metrics.csv")
    assert column(first, "val/psnr") == pytest.approx([epoch["val/psnr"] for epoch in history_of("run")])
    assert len(column(first, "step/loss")) == 2
    summary = json.loads(Path("run/summary.json").read_text())
    assert column(first, "test/psnr") == pytest.approx([summary["test"]["psnr"]])
    assert yaml.safe_load(Path("run/csv/version_0/hparams.yaml").read_text())["data"]["size"] == 32
    assert not Path("run/tensorboard").exists()
    assert "tensorboard" not in outcome.out

    before = first.read_text()
    go_on = ("ckpt_path=run/checkpoints/last.ckpt", "trainer.max_epochs=3", "test=false")
    assert command("train", *arguments, *go_on).status == 0
    assert first.read_text() == before
    assert column("run/csv/version_1/metrics.csv", "val/psnr") == pytest.approx([history_of("run")[2]["val/psnr"]])


def test_a_run_without_a_logger_has_its_summary(command, tiny):
    outcome = command("train", *tiny, RUN, *SHORT, "logger=none", "test=false")
    assert outcome.status == 0, outcome.err
    assert len(history_of("run")) == 1
    assert {path.name for path in Path("run").iterdir()} == {
        ".hydra", "checkpoints", "split", "summary.json", "train.log"
    }  # fmt: skip


def test_each_job_of_a_multirun_logs_to_its_own_folder(command, tiny):
    sweep = ("loss.beta=0.1,0.3", "hydra.sweep.dir=sweep", "logger=csv", "test=false")
    outcome = command("train", "-m", *tiny, *SHORT, *sweep)
    assert outcome.status == 0, outcome.err
    for job in "01":
        logged = column(f"sweep/{job}/csv/version_0/metrics.csv", "val/loss")
        assert logged == pytest.approx([history_of(f"sweep/{job}")[0]["val/loss"]])
    assert logged != pytest.approx([history_of("sweep/0")[0]["val/loss"]])


@pytest.mark.parametrize(
    ("name", "module", "flag"),
    [
        ("wandb", lightning.pytorch.loggers.wandb, "_WANDB_AVAILABLE"),
        ("mlflow", lightning.pytorch.loggers.mlflow, "_MLFLOW_AVAILABLE"),
    ],
)
def test_a_package_that_is_missing_is_one_sentence(command, tiny, monkeypatch, name, module, flag):
    monkeypatch.setattr(module, flag, False)
    outcome = command("train", *tiny, RUN, f"logger={name}")
    assert outcome.status == 1
    sentence = f"error: logger={name} needs packages that are not installed: pip install 'wm-lightning[{name}]'."
    assert outcome.err.splitlines()[-1] == sentence
    assert "Traceback" not in outcome.err
    assert not Path("run/split").exists()  # said before anything is done


def test_weights_and_biases_keeps_each_job_of_a_multirun_to_itself(command, tiny):
    wandb = pytest.importorskip("wandb")
    sweep = ("loss.beta=0.1,0.3", "hydra.sweep.dir=sweep", "logger=wandb", "test=false")
    outcome = command("train", "-m", *tiny, *SHORT, *sweep)
    assert outcome.status == 0, outcome.err
    assert wandb.run is None
    for job in "01":
        (run,) = Path("sweep", job, "wandb").glob("offline-run-*/run-*.wandb")
        assert run.stat().st_size > 0
    assert not Path("wandb").exists()


def test_mlflow_keeps_metrics_and_configuration_in_a_database_of_the_run(command, tiny):
    mlflow = pytest.importorskip("mlflow")
    outcome = command("train", *tiny, RUN, *SHORT, "logger=mlflow", "loss.beta=0.25")
    assert outcome.status == 0, outcome.err
    client = mlflow.MlflowClient(f"sqlite:///{Path('run/mlflow.db').resolve()}")
    (run,) = client.search_runs([client.get_experiment_by_name("wm_lightning").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["loss/beta"] == "0.25"
    assert run.data.metrics["val/psnr"] == pytest.approx(history_of("run")[0]["val/psnr"])
    assert "test/psnr" in run.data.metrics
    assert not Path("mlruns").exists()
