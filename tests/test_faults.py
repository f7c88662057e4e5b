"""What machines and data do to a training: one sentence each, and nothing lost."""

import resource
from pathlib import Path

import pytest
import torch
from PIL import Image

from .processes import run_script

# Takes the largest size of a file as its last argument.
DRIVER = """
import resource, sys
from wm_lightning import cli

resource.setrlimit(resource.RLIMIT_FSIZE, 2 * (int(sys.argv.pop()),))
cli.train()
"""


def run_with_files_of_at_most(size, arguments, folder):
    """Runs a training that cannot write larger files, as on a disk that is full."""
    driver = folder / "driver.py"
    driver.write_text(DRIVER)
    return run_script(driver, *arguments, size, folder=folder)


def test_a_disk_that_is_full_ends_a_run_by_a_sentence_and_leaves_the_checkpoint_before(command, tiny, tmp_path):
    arguments = (*tiny, "test=false", "hydra.run.dir=run", "optim.scheduler=null", "logger=none")
    assert command("train", *arguments).status == 0
    before = Path("run/checkpoints/last.ckpt").read_bytes()
    go_on = ("trainer.max_epochs=2", "ckpt_path=run/checkpoints/last.ckpt")
    outcome = run_with_files_of_at_most(len(before) // 2, (*arguments, *go_on), tmp_path)
    assert outcome.returncode == 1
    last = outcome.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "could not be written (File too large); make room and go on with the same command and ckpt_path=last" in last
    assert "Traceback" not in outcome.stderr
    assert Path("run/checkpoints/last.ckpt").read_bytes() == before
    assert torch.load("run/checkpoints/best.ckpt", weights_only=True)["epoch"] == 0
    assert {path.name for path in Path("run/checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_a_strip_is_skipped_by_name_and_costs_no_memory(command, tiny, own_photographs):
    Image.new("RGB", (60000, 1)).save(own_photographs / "strip.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Its short side at twice this size would make it 15,360,000 x 256 pixels, 12 GB.
    few = ("data.size=128", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1")
    outcome = command("train", *tiny, *few, f"data.root={own_photographs}", "test=false", "hydra.run.dir=run")
    assert outcome.status == 0, outcome.err
    assert "skipped: strip.png cannot be used: 60000x1 pixels are a strip" in outcome.out
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


@pytest.mark.parametrize("root", ["", "' '"])
def test_no_folder_is_a_sentence_and_not_this_folder(command, tiny, root):
    outcome = command("train", *tiny, f"data.root={root}")
    assert outcome.status == 1
    sentence = "error: data.root is empty; give it a value ('.' is this folder), or leave it out."
    assert outcome.err.splitlines()[-1] == sentence


@pytest.mark.parametrize("key", ["weights", "synthesis.fonts"])
def test_no_key_is_an_empty_word(command, tiny, key):
    value = "['']" if key.endswith("fonts") else ""
    outcome = command("train", *tiny, f"{key}={value}")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith(f"error: {key}{'[0]' if value else ''} is empty; give it a value")


def test_fewer_pictures_than_processes_are_a_sentence(in_two_processes):
    outcome = in_two_processes("data.fractions=[0.9,0.05,0.05]", "test=false")
    assert outcome.returncode == 1
    assert "Traceback" not in outcome.stderr
    assert "data.root holds 1 pairs for val, fewer than the 2 processes that share them; add some" in outcome.stderr
