import csv
import json
import logging
import math
import re
import shlex
import shutil
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tests.conftest import PLAIN, TINY
from wm_lightning.callbacks import RunSummary
from wm_lightning.commands import shell
from wm_lightning.engine import WatermarkRemoval, WeightAverage
from wm_lightning.files import SHIPPED
from wm_lightning.inference.command import predict
from wm_lightning.losses import CompositeLoss
from wm_lightning.mark.known import KnownMark, save_mark
from wm_lightning.metrics import COLUMNS
from wm_lightning.metrics.suite import TRAIN_COLUMNS
from wm_lightning.models import DnCNN, HeterogeneousUNet
from wm_lightning.runner import training
from wm_lightning.trained import read

RUN = "hydra.run.dir=run"
NOTEBOOK_KEYS = (
    "best_loss", "epochs_run", "train_loss_final", "val_loss_final", "psnr_final", "val_psnr_final", "ssim_final",
    "val_ssim_final", "training_time_min", "learning_rate_end", "optimizer", "criterion",
)  # fmt: skip
TERMS = (
    "l1", "unmasked", "mask", "iou", "background", "opacity", "layer", "inpainting", "lab", "ssim", "laplacian", "psnr",
)  # fmt: skip
# What the network begins with is the identity; the rate opens its mask within a few steps.
LAYER = ("model.head=decomposition", "optim.optimizer.adamw_lr=0.3")


def summary_of(folder):
    return json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))


def weights_of(path):
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def run(photographs, command_in, tmp_path_factory):
    """One short run of the plain command's network, and its folder."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = (*PLAIN, *LAYER, "loss.beta=0.25", "trainer.max_epochs=2", "trainer.log_every_n_steps=1")
    outcome = command_in(folder, "train", *TINY, f"data.root={photographs}", RUN, *arguments)
    assert outcome.status == 0, outcome.err
    return folder / "run", outcome


@pytest.fixture
def trained(run, tmp_path, monkeypatch):
    """The same in ./run."""
    monkeypatch.chdir(tmp_path)
    folder, outcome = run
    shutil.copytree(folder, "run")
    return outcome


def test_a_run_leaves_checkpoints_logs_split_summary_and_table(trained):
    summary = summary_of("run")
    assert all(summary[key] is not None for key in NOTEBOOK_KEYS)
    assert summary["epochs_run"] == 2
    assert summary["optimizer"] == "Muon"
    assert {name for name, weight in summary["criterion"].items() if weight} == {"name", *TERMS}
    assert summary["photographs"] == {"train": 14, "val": 4, "test": 2}
    assert summary["best_loss"] == min(epoch["val/loss"] for epoch in summary["history"])
    assert summary["objective"]["value"] == summary["history"][summary["best_epoch"] - 1]["val/psnr"]
    assert summary["test"].pop("psnr_unmarked") is None  # all have a mark
    assert all(math.isfinite(value) for value in summary["test"].values())
    assert sorted(path.name for path in Path("run/checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    lists = {name: Path(f"run/split/{name}.txt").read_text().split() for name in ("train", "val", "test")}
    assert [len(names) for names in lists.values()] == [14, 4, 2]
    assert "│ identity" in trained.out
    assert summary["test"]["psnr"] != summary["test"]["psnr_input"]
    assert f"{summary['test']['psnr']:.2f}" in trained.out
    assert f"{summary['test']['psnr_input']:.2f}" in trained.out
    assert "before and after: run/examples.jpg" in trained.out
    assert Image.open("run/examples.jpg").width > 5 * 32


def test_tensorboard_gets_scalars_of_each_term_and_pictures(trained):
    logging.getLogger("tensorboard").setLevel(logging.WARNING)  # it keeps a stream that a test before this one closed
    events = EventAccumulator("run/tensorboard", size_guidance={"images": 0})
    events.Reload()
    scalars = set(events.Tags()["scalars"])
    for stage in ("train", "val", "test"):
        assert {f"{stage}/{name}" for name in ("loss", *TRAIN_COLUMNS)} <= scalars
        assert {f"{stage}/loss_{term}" for term in TERMS} <= scalars
    assert "step/loss" in scalars
    assert any(tag.startswith("lr-") for tag in scalars)
    (tag,) = [tag for tag in events.Tags()["images"] if not tag.startswith("figures/")]
    assert len(events.Images(tag)) == 2  # one an epoch
    assert events.Images(tag)[0].width == 5 * (32 + 8)


def test_tensorboard_can_compare_runs_by_what_was_chosen(trained):
    events = EventAccumulator("run/tensorboard")
    events.Reload()
    inpainting = events.PluginTagToContent("hparams")
    start = plugin_data_pb2.HParamsPluginData.FromString(inpainting["_hparams_/session_start_info"]).session_start_info
    assert start.hparams["loss.beta"].number_value == 0.25
    assert start.hparams["optim.optimizer.adamw_lr"].number_value == 0.3
    assert start.hparams["model.attention"].string_value == "gate"
    assert start.hparams["synthesis"].string_value == "diverse"
    summary = summary_of("run")
    assert events.Scalars("best/val/psnr")[0].value == pytest.approx(summary["objective"]["value"])


def test_the_loss_is_the_weighted_sum_of_the_logged_terms(trained):
    summary = summary_of("run")
    assert summary["criterion"]["lab"] == 0.25
    for epoch in summary["history"]:
        for stage in ("train", "val", "val_raw", "val_average"):
            total = sum(summary["criterion"][name] * epoch[f"{stage}/loss_{name}"] for name in TERMS)
            assert epoch[f"{stage}/loss"] == pytest.approx(total, rel=1e-5)


def test_evaluate_gives_what_training_reported(trained, command):
    outcome = command(
        "evaluate", "report=false", "ckpt=run/checkpoints/best.ckpt", "hydra.run.dir=scored", "trainer.accelerator=cpu"
    )
    assert outcome.status == 0, outcome.err
    scores = json.loads(Path("scored/metrics.json").read_text())["test"]
    assert scores == summary_of("run")["test"]
    assert "│ identity" in outcome.out
    with Path("scored/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == Path("run/split/test.txt").read_text().split()
    for column in set(COLUMNS) - {"psnr_unmarked"}:  # all have a mark
        assert sum(float(row[column]) for row in rows) / len(rows) == pytest.approx(scores[column], abs=1e-4)


def test_evaluate_takes_another_folder_and_size(trained, command, photographs):
    outcome = command(
        "evaluate",
        "report=false",
        "ckpt=run/checkpoints/best.ckpt",
        "hydra.run.dir=scored",
        "data.size=40",
        f"data.root={photographs}",
    )
    assert outcome.status == 0, outcome.err
    assert json.loads(Path("scored/metrics.json").read_text())["test"] != summary_of("run")["test"]


def test_evaluate_takes_a_checkpoint_that_is_older_than_the_newest_options(trained, command):
    checkpoint = torch.load("run/checkpoints/best.ckpt", weights_only=True)
    for key in ("short_side", "cache", "cache_dir"):
        del checkpoint["config"]["data"][key]
    torch.save(checkpoint, "old.ckpt")
    for name, options in (("as trained", ()), ("in full", ("data.short_side=full",))):
        outcome = command(
            "evaluate", "report=false", "ckpt=old.ckpt", f"hydra.run.dir={name}", "trainer.accelerator=cpu", *options
        )
        assert outcome.status == 0, outcome.err
        assert json.loads(Path(name, "metrics.json").read_text())["test"] == summary_of("run")["test"]


def test_evaluate_takes_a_folder_for_a_checkpoint_of_the_demo(command, tiny, photographs):
    demo = [option for option in tiny if not option.startswith(("data=", "data.root="))]
    few = ("trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "test=false")
    assert command("train", "data=demo", *demo, RUN, *few).status == 0
    options = ("ckpt=run/checkpoints/best.ckpt", f"data.root={photographs}", "data.short_side=32")
    outcome = command("evaluate", "report=false", *options, "hydra.run.dir=scored", "trainer.accelerator=cpu")
    assert outcome.status == 0, outcome.err
    assert json.loads(Path("scored/metrics.json").read_text())["pictures"] == 2


def test_evaluate_says_when_the_split_is_no_longer_the_trained_one(command, tiny, own_photographs):
    assert command("train", *tiny, RUN, f"data.root={own_photographs}", "test=false").status == 0
    (own_photographs / "photo000.png").unlink()
    outcome = command("evaluate", "report=false", "ckpt=run/checkpoints/best.ckpt", "hydra.run.dir=scored")
    assert outcome.status == 0
    assert "THE SPLIT IS NOT THE ONE" in outcome.out + Path("scored/evaluate.log").read_text()


def test_the_checkpoint_holds_network_and_configuration_but_no_extractor(trained):
    checkpoint = read("run/checkpoints/best.ckpt")
    assert all(name.startswith(("net.", "metrics.")) for name in checkpoint["state_dict"])
    assert checkpoint["config"]["model"]["attention"] == "gate"
    assert checkpoint["loss"]["perceptual"] == 0
    assert "perceptual_weights" not in checkpoint["loss"]
    trained_parameters = sum(len(group["params"]) for group in checkpoint["optimizer_states"][0]["param_groups"])
    assert trained_parameters == len(list(HeterogeneousUNet().parameters()))


def test_the_perceptual_weights_used_are_in_checkpoint_and_summary(command, tiny):
    overrides = ("loss.alpha=0.3", "loss.terms.perceptual.weights=random", "trainer.limit_train_batches=1")
    assert command("train", *tiny, RUN, *overrides, "test=false").status == 0
    assert read("run/checkpoints/best.ckpt")["loss"]["perceptual_weights"] == "random"
    assert summary_of("run")["criterion"]["perceptual_weights"] == "random"
    assert not any("perceptual" in name for name in weights_of("run/checkpoints/best.ckpt"))


def test_a_seed_repeats_the_figures_for_any_number_of_workers(command, tiny):
    results = []
    for number, workers in enumerate((0, 2, 0)):
        arguments = (f"hydra.run.dir=run{number}", f"data.num_workers={workers}", "seed=0")
        assert command("train", *tiny, *arguments).status == 0
        results.append(summary_of(f"run{number}"))
    assert results[0]["history"] == results[1]["history"] == results[2]["history"]
    assert results[0]["test"] == results[1]["test"] == results[2]["test"]


def test_another_seed_gives_other_figures(command, tiny):
    for seed in (0, 1):
        assert command("train", *tiny, f"hydra.run.dir=run{seed}", f"seed={seed}").status == 0
    assert summary_of("run0")["test"]["psnr_input"] != summary_of("run1")["test"]["psnr_input"]


@pytest.mark.parametrize(("kind", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_an_interrupted_run_goes_on_where_it_stopped(command, tiny, monkeypatch, kind, status):
    from wm_lightning.engine import WatermarkRemoval

    arguments = (*tiny, "trainer.max_epochs=3", "test=false")
    assert command("train", *arguments, "hydra.run.dir=whole").status == 0

    step = WatermarkRemoval.training_step

    def interrupted(self, batch, batch_idx):
        if self.current_epoch == 2 and batch_idx == 1:
            signal.raise_signal(kind)
        return step(self, batch, batch_idx)

    assert threading.current_thread() is threading.main_thread()
    monkeypatch.setattr(WatermarkRemoval, "training_step", interrupted)
    before = signal.getsignal(kind)
    if kind == signal.SIGINT:  # which a shell makes those ignore that it starts in the background
        signal.signal(kind, signal.default_int_handler)
    stopped = command("train", *arguments, "hydra.run.dir=stopped")
    signal.signal(kind, before)
    assert stopped.status == status
    (told,) = re.findall("stopped; go on with: (.*)", Path("stopped/train.log").read_text())
    assert told == shell("python", "train.py", *arguments, "ckpt_path=stopped/checkpoints/last.ckpt")
    monkeypatch.setattr(WatermarkRemoval, "training_step", step)
    assert len(summary_of("stopped")["history"]) == 2

    resumed = command("train", *shlex.split(told)[2:], "hydra.run.dir=resumed")
    assert resumed.status == 0, resumed.err
    whole, again = summary_of("whole")["history"], summary_of("stopped")["history"]
    assert [epoch["step"] for epoch in again] == [3, 6, 9]
    assert again == whole  # schedule, order and augmentation go on, not start over
    weights = weights_of("whole/checkpoints/last.ckpt"), weights_of("stopped/checkpoints/last.ckpt")
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_broken_photograph_is_skipped_named_and_counted(command, tiny, tmp_path, own_photographs):
    whole = tmp_path / "whole.jpg"
    Image.open(own_photographs / "photo000.png").resize((400, 300)).save(whole)
    (own_photographs / "cut.jpg").write_bytes(whole.read_bytes()[:1500])
    outcome = command("train", *tiny, RUN, f"data.root={own_photographs}", "test=false")
    assert outcome.status == 0, outcome.err
    text = outcome.out + Path("run/train.log").read_text()
    assert text.count("skipped: cut.jpg cannot be used") == text.count("skipped:")
    assert "1 photograph could not be used and was skipped" in text
    assert summary_of("run")["photographs_skipped"] == ["cut.jpg"]
    assert Path("run/split/broken.txt").read_text() == "cut.jpg\n"


@pytest.mark.parametrize(("augment", "attention"), [("none", "sdpa"), ("light", "gate"), ("full", "sdpa")])
def test_every_choice_runs_a_step(command, tiny, augment, attention):
    arguments = (f"augment={augment}", f"model.attention={attention}", "trainer.fast_dev_run=true", "model=unet")
    outcome = command("train", *tiny, RUN, *arguments)
    assert outcome.status == 0, outcome.err


def test_overfitting_repeats_one_batch_until_its_loss_falls(command, tiny):
    outcome = command("train", *tiny, RUN, "debug=overfit", "trainer.max_epochs=25", "loss.beta=0", "loss.gamma=0")
    assert outcome.status == 0, outcome.err
    history = summary_of("run")["history"]
    assert [epoch["step"] for epoch in history] == list(range(1, 26))
    losses = [epoch["train/loss"] for epoch in history]
    assert losses[-1] < 0.5 * losses[0]
    assert len({epoch["train/psnr_input"] for epoch in history}) == 1  # the same pairs
    assert "test" not in summary_of("run")


def test_profiling_leaves_a_table_of_where_time_went(command, tiny):
    outcome = command("train", *tiny, RUN, "debug=profile")
    assert outcome.status == 0, outcome.err
    (table,) = Path("run/profile").glob("*hooks*.txt")
    assert "run_training_batch" in table.read_text()


def test_debugging_fast_takes_two_batches_of_each_stage(command, tiny):
    outcome = command("train", *tiny, RUN, "debug=fast", "trainer.max_epochs=1", "data.batch_size=1")
    assert outcome.status == 0, outcome.err
    assert [epoch["step"] for epoch in summary_of("run")["history"]] == [2]


def test_the_recipe_of_the_notebook_has_its_numbers(command, tiny):
    outcome = command("train", "experiment=watermarkcnn", "data.root=x", "--cfg", "job", "--resolve")
    config = yaml.safe_load(outcome.out)
    assert (config["data"]["size"], config["data"]["batch_size"], config["data"]["target"]) == (256, 8, "reference")
    assert config["trainer"]["max_epochs"] == 27
    assert config["optim"]["optimizer"]["lr"] == 1e-3
    assert config["optim"]["optimizer"]["weight_decay"] == 1e-5
    warm_up = config["optim"]["scheduler"]
    assert (warm_up["epochs"], warm_up["lr"], warm_up["run_epochs"]) == (2, 1e-4, 27)
    assert (warm_up["then"]["after"], warm_up["then"]["factor"], warm_up["then"]["lasting"]) == (15, 0.1, False)
    one_cycle = {key: value for key, value in warm_up["then"]["then"].items() if not key.startswith("_")}
    assert one_cycle == {"max_lr": 1e-3, "pct_start": 0.3, "div_factor": 10, "final_div_factor": 100}
    assert {letter: config["loss"][letter] for letter in ("alpha", "beta", "gamma", "delta")} == {
        "alpha": 0.3, "beta": 0.3, "gamma": 0.4, "delta": 0.1,
    }  # fmt: skip
    assert {name: term["_target_"].rpartition(".")[2] for name, term in config["loss"]["terms"].items()} == {
        "l1": "MaskedL1", "perceptual": "Perceptual", "lab": "Lab", "ssim": "Ssim", "laplacian": "Laplacian",
    }  # fmt: skip
    assert (config["model"]["head"], config["model"]["attention"]) == ("direct", "gate")
    assert config["average"] is config["trainer"]["gradient_clip_val"] is None
    assert config["train_metrics_every_n_steps"] == 1
    small = [option for option in tiny if not option.startswith(("data=", "trainer.max_epochs", "loss.", "model"))]
    notebook = {name: value + 0.01 for name, value in HeterogeneousUNet(head="direct").state_dict().items()}
    torch.save(notebook, "wm_best_model.pth")
    outcome = command("train", "experiment=watermarkcnn", *small, RUN, "test=false", "trainer.limit_train_batches=1",
                      "trainer.limit_val_batches=1", "loss.terms.perceptual.weights=random",
                      "weights=wm_best_model.pth")  # fmt: skip
    assert outcome.status == 0, outcome.err
    summary = summary_of("run")
    assert summary["parameters"] == 3_647_878
    assert summary["criterion"] == {
        "name": "CompositeLoss", "l1": 1, "perceptual": 0.3, "lab": 0.3, "ssim": 0.4, "laplacian": 0.1,
        "perceptual_weights": "random",
    }  # fmt: skip
    last = read("run/checkpoints/last.ckpt")
    assert not {"average", "raw"} & last.keys()
    kept = {name.removeprefix("net."): value for name, value in last["state_dict"].items() if "net." in name}
    assert {name: value.shape for name, value in kept.items()} == {
        name: value.shape for name, value in notebook.items()
    }  # fmt: skip
    rates = [line.rsplit("LR=", 1)[1] for line in Path("run/train.log").read_text().splitlines() if "LR=" in line]
    assert rates[:2] == ["0.000100", "0.000100"]
    assert len(rates) > 10


@pytest.mark.parametrize("experiment", ["swcnn", "general", "best", "real", "whole_marks"])
def test_every_experiment_trains_and_is_scored(command, tiny, experiment):
    small = [option for option in tiny if not option.startswith(("data=", "loss.alpha", "synthesis", "model"))]
    options = ("data.repeats=1", "model.widths=[8,12]", "trainer.limit_train_batches=2", "data.cache=none")
    outcome = command("train", f"experiment={experiment}", *small, *options, RUN)
    assert outcome.status == 0, outcome.err
    summary = summary_of("run")
    assert summary["epochs_run"] == 1
    assert {"mask", "iou", "opacity", "layer", "background", "inpainting", "unmasked"} <= {
        name.removeprefix("loss_") for name in summary["test"]
    }


def test_a_network_for_one_mark_is_scored_beside_two_other_ways(command, tiny, photographs, tmp_path):
    alpha = np.zeros((10, 24), np.float32)
    alpha[2:-2, 3:-3] = 0.4
    save_mark(KnownMark(alpha, np.repeat(alpha[..., None], 3, axis=-1), np.zeros_like(alpha)), tmp_path / "my.mark")
    small = [option for option in tiny if not option.startswith(("data=", "loss.alpha", "synthesis", "model"))]
    options = ("synthesis.mark=my.mark", "data.size=64", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1")
    outcome = command("train", "experiment=own_mark", *small, *options, RUN)
    assert outcome.status == 0, outcome.err
    assert "the blend's inverse" in outcome.out
    ways = json.loads(Path("run/ways.json").read_text())["ways"]
    untouched, blind, inverse, own = (ways[way]["psnr_in"] for way in ways)
    assert inverse > untouched + 10
    assert min(blind, own) >= untouched  # which see too little evidence in so small a mark
    assert summary_of("run")["test"]["gain_in"] > 1  # of the network alone, which began as the shipped one
    evaluated = command("evaluate", "ckpt=run/checkpoints/best.ckpt", "report=false", "hydra.run.dir=scored")
    assert evaluated.status == 0, evaluated.err
    photo = sorted(photographs.iterdir())[0]
    assert predict([str(photo), "-o", "cleaned", "--weights", "run/checkpoints/best.ckpt", "--device", "cpu"]) == 0
    with Image.open(Path("cleaned", photo.name)) as cleaned, Image.open(photo) as before:
        assert cleaned.size == before.size
    missing = command("train", "experiment=own_mark", *small, "synthesis.mark=none.mark", "hydra.run.dir=other")
    assert (missing.status, "no file" in missing.err) == (1, True)
    nameless = command("train", "experiment=own_mark", *small, "hydra.run.dir=other")
    assert (nameless.status, "synthesis.mark" in nameless.err) == (1, True)


@pytest.mark.parametrize(
    "choice", ["optim=adamw_cosine", "optim=adamw_onecycle", "optim=nadamw_cosine", "average=null", "trainer=cpu"]
)
def test_every_recipe_runs(command, tiny, choice):
    outcome = command("train", *tiny, RUN, choice, "trainer.max_epochs=2")
    assert outcome.status == 0, outcome.err
    assert summary_of("run")["epochs_run"] == 2


@pytest.mark.parametrize("mode", ["min", "max"])  # the worse ones are kept by a figure that is upside down
def test_the_weights_that_a_validation_keeps_are_what_is_saved_and_tested(command, tiny, mode):
    arguments = (*tiny, "average.decay=0.5", "trainer.max_epochs=2", f"callbacks.best_checkpoint.mode={mode}")
    assert command("train", *arguments, RUN).status == 0
    summary, checkpoint = summary_of("run"), torch.load("run/checkpoints/best.ckpt", weights_only=True)
    better = min if mode == "min" else max
    for epoch in summary["history"]:
        assert epoch["val_raw/loss"] != epoch["val_average/loss"]
        assert epoch["val/loss"] == better(epoch["val_raw/loss"], epoch["val_average/loss"])
    best = summary["history"][checkpoint["epoch"]]
    assert best["val/loss"] == better(epoch["val/loss"] for epoch in summary["history"])
    assert best["val/loss"] == best[f"val_{checkpoint['weights']}/loss"]
    kept = {name.removeprefix("net."): value for name, value in checkpoint["state_dict"].items() if "net." in name}
    average, raw = checkpoint["average"]["net"], checkpoint.get("raw", kept)
    assert not torch.equal(average["last.weight"], raw["last.weight"])
    wanted = average if checkpoint["weights"] == "average" else raw
    assert kept.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in kept.items())
    options = ("hydra.run.dir=scored", "trainer.accelerator=cpu")
    assert command("evaluate", "report=false", "ckpt=run/checkpoints/best.ckpt", *options).status == 0
    assert json.loads(Path("scored/metrics.json").read_text())["test"] == summary["test"]


def test_an_average_neither_changes_nor_spoils_a_short_training(command, tiny):
    arguments = (*tiny, "trainer.max_epochs=3", "test=false")
    for folder, choice in (("averaged", "average.decay=0.999"), ("plain", "average=null")):
        assert command("train", *arguments, f"hydra.run.dir={folder}", choice).status == 0
    averaged, plain = (summary_of(folder)["history"] for folder in ("averaged", "plain"))
    for epoch, other in zip(averaged, plain, strict=True):
        assert epoch["val_raw/loss"] == other["val/loss"]
        assert epoch["val/loss"] <= other["val/loss"]
        assert not any(name.startswith(("val_raw", "val_average")) for name in other)
    checkpoint, other = (read(f"{folder}/checkpoints/last.ckpt") for folder in ("averaged", "plain"))
    assert checkpoint["average"]["updates"] == other["global_step"] == 9
    assert other["weights"] == "raw"
    raw = {**checkpoint["state_dict"], **{f"net.{name}": value for name, value in checkpoint.get("raw", {}).items()}}
    assert all(torch.equal(value, raw[name]) for name, value in other["state_dict"].items())


def test_the_demo_runs_without_any_data(command):
    arguments = ("trainer.fast_dev_run=true", "data.num_workers=0", "loss.alpha=0", "data.batch_size=2", RUN)
    outcome = command("train", *arguments)
    assert outcome.status == 0, outcome.err
    assert "demo" in Path("run/train.log").read_text()


def test_half_precision_runs_and_stays_close_to_float32(command, tiny):
    arguments = ("test=false", "optim.optimizer.lr=1e-6", "optim.optimizer.adamw_lr=1e-6")
    assert command("train", *tiny, *arguments, "hydra.run.dir=full").status == 0
    assert command("train", *tiny, *arguments, "hydra.run.dir=half", "trainer.precision=bf16-mixed").status == 0
    full, half = (summary_of(folder) for folder in ("full", "half"))
    assert half["precision"] == "bf16-mixed"
    assert half["val_loss_final"] == pytest.approx(full["val_loss_final"], rel=0.02)
    assert half["val_loss_final"] != full["val_loss_final"]


def test_multirun_writes_one_table_sorted_by_the_objective(command, tiny):
    sweep = ("-m", "loss.beta=0.1,0.3", "model=unet", "hydra.sweep.dir=sweep", "trainer.limit_train_batches=2")
    outcome = command("train", *sweep, *tiny)
    assert outcome.status == 0, outcome.err
    with Path("sweep/sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["job"] for row in rows) == ["0", "1"]
    objectives = [float(row["objective"]) for row in rows]
    assert objectives == sorted(objectives, reverse=True)  # PSNR: higher is better
    for row in rows:
        folder = Path("sweep") / row["job"]
        assert float(row["objective"]) == summary_of(folder)["objective"]["value"]
        assert float(row["test psnr"]) == summary_of(folder)["test"]["psnr"]
        assert (folder / "checkpoints" / "best.ckpt").is_file()
        assert (folder / ".hydra" / "config.yaml").is_file()
        assert f"loss.beta={['0.1', '0.3'][int(row['job'])]}" in row["overrides"]
    assert "2 jobs in sweep" in outcome.out
    assert objectives[0] != objectives[1]


@pytest.mark.parametrize("plain", [False, True])
def test_training_can_start_from_the_weights_of_a_checkpoint_or_of_a_plain_file(trained, command, tiny, plain):
    source = "run/checkpoints/last.ckpt"
    expected = {name.removeprefix("net."): value for name, value in weights_of(source).items() if "net." in name}
    if plain:
        source = "notebook.pth"
        torch.save(expected, source)
    arguments = (
        *LAYER,
        "model=unet",
        "hydra.run.dir=tuned",
        f"weights={source}",
        "optim.optimizer.lr=0",
        "optim.scheduler=null",
    )
    fixed = ("optim.optimizer.adamw_lr=0", "callbacks.freeze_batchnorm.from_epoch=0", "test=false")
    outcome = command("train", *tiny, *arguments, *fixed)
    assert outcome.status == 0, outcome.err
    started = {name.removeprefix("net."): value for name, value in weights_of("tuned/checkpoints/last.ckpt").items()}
    assert all(torch.equal(value, started[name]) for name, value in expected.items())
    assert summary_of("tuned")["epochs_run"] == 1


def test_weights_of_another_network_or_no_weights_are_refused(trained, command, tiny):
    Path("broken.pth").write_bytes(b"none")
    torch.save([1, 2], "list.pth")
    cases = {
        "run/checkpoints/last.ckpt": (
            "model.attention=sdpa",
            "do not fit a HeterogeneousUNet with its head; choose the model and the model.head that",
        ),
        "broken.pth": ("", "cannot be read as a checkpoint"),
        "list.pth": ("", "holds no checkpoint and no weights, but a list"),
        "nowhere.pth": ("", "There is no checkpoint nowhere.pth"),
        "general": ("", "The weights general do not fit a HeterogeneousUNet"),
    }
    for path, (change, sentence) in cases.items():
        outcome = command(
            "train", *tiny, *PLAIN, "hydra.run.dir=tuned", f"weights={path}", *([change] if change else [])
        )
        assert outcome.status == 1
        assert sentence in outcome.err
        assert "photographs: " not in outcome.out  # which may take minutes to look through


def test_training_can_start_from_weights_that_come_with_the_project(command, tiny):
    options = [option for option in tiny if not option.startswith("model")]
    still = ("optim.optimizer.lr=0", "optim.optimizer.adamw_lr=0", "optim.scheduler=null")
    chosen = (
        "model=pixel_unshuffle_unet_small",
        "weights=general_small",
        "trainer.limit_train_batches=1",
        "test=false",
        RUN,
    )
    outcome = command("train", *options, *still, *chosen)
    assert outcome.status == 0, outcome.err
    shipped = read(str(SHIPPED / "general_small.safetensors"))["state_dict"]
    started = weights_of("run/checkpoints/last.ckpt")
    learned = [name for name, value in shipped.items() if name.endswith(".weight") and value.ndim == 4]
    assert learned
    assert all(torch.equal(started[name], shipped[name]) for name in learned)


def test_a_run_that_is_to_keep_no_checkpoint_keeps_none(command, tiny):
    outcome = command("train", *tiny, "hydra.run.dir=run", "trainer.enable_checkpointing=false")
    assert outcome.status == 0, outcome.err
    assert not list(Path("run").rglob("*.ckpt"))
    assert summary_of("run")["checkpoint"] is None
    assert summary_of("run")["test"]["psnr"] > 0


@pytest.mark.parametrize("kept", ["raw", "average"])
def test_without_a_checkpoint_the_weights_that_validation_kept_are_tested(monkeypatch, tmp_path, kept):
    module = WatermarkRemoval(DnCNN(3, 4), CompositeLoss({}), torch.optim.SGD, average=WeightAverage(0.5))
    module.average.begin(module.net)
    with torch.no_grad():
        module.average.net.final_conv.bias.fill_(7)
    module.kept = kept
    tested = []
    monkeypatch.setattr(training, "score", lambda *_: tested.append(module.net.final_conv.bias[0].item()) or {})
    trainer, summary = SimpleNamespace(is_global_zero=False), RunSummary(str(tmp_path / "summary.json"))
    training._test(training._Run(trainer, module, None, summary), None)
    assert (tested == [7]) == (kept == "average")


def test_a_validation_within_an_epoch_can_be_the_best_and_is_in_the_summary(command, tiny):
    arguments = ("+trainer.val_check_interval=0.5", "trainer.max_epochs=2", "data.batch_size=3")
    outcome = command("train", *tiny, "hydra.run.dir=run", *arguments, "optim.optimizer.lr=0.5", "test=false")
    assert outcome.status == 0, outcome.err
    summary = summary_of("run")
    assert [entry["epoch"] for entry in summary["history"]] == [0.5, 1, 1.5, 2]
    assert [entry["step"] for entry in summary["history"]] == [2, 4, 6, 8]
    assert ["train/loss" in entry for entry in summary["history"]] == [False, True, False, True]
    best = min(summary["history"], key=lambda entry: entry["val/loss"])
    assert summary["best_epoch"] == best["epoch"]
    assert summary["objective"]["value"] == best["val/psnr"]
    assert torch.load("run/checkpoints/best.ckpt", weights_only=True)["global_step"] == best["step"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("+trainer.max_steps=1", "val/loss, which a callback looks at, was not measured"),
        ("callbacks.early_stopping.monitor=val/loss_opacity", "val/loss_opacity, which a callback looks at, was not"),
        ("trainer.limit_train_batches=0", "has ended before a validation"),
        ("callbacks.best_checkpoint.monitor=val/loss_perceptual", "monitor=val/loss_perceptual is not measured"),
        ("callbacks.best_checkpoint.monitor=val/loss_opacity", "val/loss_opacity, which the best checkpoint is chosen"),
    ],
)
def test_a_training_that_cannot_choose_its_best_checkpoint_is_one_sentence(command, tiny, change, sentence):
    outcome = command("train", *tiny, "hydra.run.dir=run", change, "trainer.max_epochs=2")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert sentence in outcome.err.splitlines()[-1]
    assert "Traceback" not in outcome.err


@pytest.mark.slow
def test_a_compiled_network_trains_as_the_eager_one_and_its_checkpoint_fits_both(command, tiny):
    eager = command("train", *tiny, "hydra.run.dir=eager")
    compiled = command("train", *tiny, "hydra.run.dir=compiled", "compile=default")
    assert (eager.status, compiled.status) == (0, 0), compiled.err
    losses = [summary_of(folder)["history"][0]["val/loss"] for folder in ("eager", "compiled")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert weights_of("eager/checkpoints/last.ckpt").keys() == weights_of("compiled/checkpoints/last.ckpt").keys()
    assert (
        command("evaluate", "report=false", "ckpt=compiled/checkpoints/best.ckpt", "hydra.run.dir=scored").status == 0
    )
