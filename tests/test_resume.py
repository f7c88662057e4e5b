"""A run that was killed goes on as if nothing had happened."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

# Kills its own process without a warning in the middle of an epoch.
DRIVER = """
import os, signal, sys
from wm_lightning import cli
from wm_lightning.engine import WatermarkRemoval

step, (epoch, batch) = WatermarkRemoval.training_step, map(int, sys.argv.pop().split(","))

def killed(self, sample, batch_idx):
    if (self.current_epoch, batch_idx) == (epoch, batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, sample, batch_idx)

WatermarkRemoval.training_step = killed
cli.train()
"""
RECIPE = (
    "optim=watermarkcnn", "optim.scheduler.epochs=1", "optim.scheduler.then.after=2", "augment=full",
    "trainer.accumulate_grad_batches=2", "test=false", "trainer.max_epochs=4", "data.num_workers=1",
)  # fmt: skip


def run_killed(arguments, at):
    outcome = subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments, f"{at[0]},{at[1]}"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == -signal.SIGKILL, outcome.stderr


def assert_equal(one, other, path=""):
    """Compares everything in two checkpoints but clocks and paths."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            if key not in ("seconds", "dirpath", "split_dir", "best_k_models") and "model_path" not in str(key):
                assert_equal(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{path}[{number}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path


@pytest.mark.parametrize("at", [(1, 0), (2, 2)])
@pytest.mark.parametrize("average", ["average.decay=0.3", "average.decay=0.999", "average=null"])
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(command, tiny, at, average):
    arguments = (*tiny, *RECIPE, average)
    assert command("train", *arguments, "hydra.run.dir=whole").status == 0
    run_killed((*arguments, "hydra.run.dir=outputs/train/day/time"), at)
    killed = Path("outputs/train/day/time")
    assert torch.load(killed / "checkpoints/last.ckpt", weights_only=True)["epoch"] == at[0] - 1

    resumed = command("train", *arguments, "ckpt_path=last", "hydra.run.dir=elsewhere")
    assert resumed.status == 0, resumed.err
    for name in ("last", "best"):
        kinds = (Path("whole"), killed)
        one, other = (torch.load(kind / f"checkpoints/{name}.ckpt", weights_only=True) for kind in kinds)
        assert {"optimizer_states", "lr_schedulers", "weights"} <= one.keys()
        assert ("average" in one) == (average != "average=null")
        assert_equal(one, other)
    histories = [json.loads((kind / "summary.json").read_text())["history"] for kind in kinds]
    assert histories[0] == histories[1]
    assert not Path("elsewhere/checkpoints").exists()  # it went on in its own folder


def test_a_run_that_finished_has_nothing_to_go_on_with(command, tiny):
    arguments = (*tiny, "test=false", "hydra.run.dir=outputs/train/day/time")
    assert command("train", *arguments).status == 0
    before = torch.load("outputs/train/day/time/checkpoints/last.ckpt", weights_only=True)
    assert command("train", *arguments, "ckpt_path=last").status == 0
    after = torch.load("outputs/train/day/time/checkpoints/last.ckpt", weights_only=True)
    assert_equal(before["state_dict"], after["state_dict"])
    assert len(json.loads(Path("outputs/train/day/time/summary.json").read_text())["history"]) == 1


def test_last_is_the_newest_run_and_another_checkpoint_begins_a_folder_of_its_own(command, tiny):
    arguments = (*tiny, "test=false", "trainer.limit_train_batches=1", "optim.scheduler=null")
    for name in ("b", "a"):  # the newest is not the last by name
        assert command("train", *arguments, f"hydra.run.dir=outputs/train/{name}/time").status == 0
    go_on = (*arguments, "trainer.max_epochs=2")
    assert command("train", *go_on, "ckpt_path=last", "hydra.run.dir=new").status == 0
    epochs = {name: load(f"outputs/train/{name}/time/checkpoints/last.ckpt")["epoch"] for name in "ab"}
    assert epochs == {"a": 1, "b": 0}
    source = "outputs/train/b/time/checkpoints/best.ckpt"
    assert command("train", *go_on, f"ckpt_path={source}", "hydra.run.dir=branch").status == 0
    assert load("branch/checkpoints/last.ckpt")["epoch"] == 1
    assert load(source)["epoch"] == 0


def test_a_schedule_of_another_length_is_refused(command, tiny):
    arguments = (*tiny, "test=false", "hydra.run.dir=run")
    assert command("train", *arguments).status == 0
    outcome = command("train", *arguments, "trainer.max_epochs=2", "ckpt_path=run/checkpoints/last.ckpt")
    assert outcome.status == 1
    assert "the checkpoint's schedule spans 3 steps and this run has 6; keep trainer.max_epochs" in outcome.err


def load(path):
    return torch.load(path, weights_only=True)


def test_no_run_and_a_checkpoint_that_was_cut_off_are_one_sentence_each(command, tiny):
    outcome = command("train", *tiny, "ckpt_path=last")
    assert outcome.status == 1
    assert "ckpt_path=last: no run below outputs/train has finished an epoch" in outcome.err
    assert command("train", *tiny, "test=false", "hydra.run.dir=run").status == 0
    whole = Path("run/checkpoints/last.ckpt")
    cut = Path(shutil.copy(whole, "cut.ckpt"))
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    outcome = command("train", *tiny, "ckpt_path=cut.ckpt", "trainer.max_epochs=2")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == (
        "error: cut.ckpt cannot be read as a checkpoint; it is damaged or another kind of file."
    )
