"""``train.py data.device_synthesis=true``, on the CPU as the device."""

import json
from pathlib import Path

import pytest

from tests.conftest import TINY


@pytest.fixture(scope="module")
def runs(photographs, tmp_path_factory, command_in):
    """The summaries of one epoch with pairs of loader processes, and with those of the device in mixed precision."""
    folder = tmp_path_factory.mktemp("runs")
    found = {"folder": folder}
    for name, changes in (("plain", ()), ("device", ("data.device_synthesis=true", "trainer.precision=bf16-mixed"))):
        outcome = command_in(folder, "train", *TINY, f"data.root={photographs}", f"hydra.run.dir={name}", *changes)
        assert outcome.status == 0, outcome.err
        found[name] = json.loads((folder / name / "summary.json").read_text())
    return found


def test_a_training_learns_from_them_and_is_tested_on_the_pairs_of_ever(runs):
    plain, device = (runs[name]["test"] for name in ("plain", "device"))
    untouched = {name: of["psnr"] - of["gain"] for name, of in (("plain", plain), ("device", device))}
    assert untouched["device"] == pytest.approx(untouched["plain"], abs=1e-4)  # the same pictures
    assert device["psnr"] == pytest.approx(plain["psnr"], abs=0.1)
    assert device["gain"] != 0


def test_a_checkpoint_of_such_a_training_is_scored_on_marks_that_no_device_computes(runs, command):
    checkpoint = runs["folder"] / "device" / "checkpoints" / "best.ckpt"
    outcome = command("evaluate", f"ckpt={checkpoint}", "synthesis=real", "report=false", "data.num_workers=0")
    assert outcome.status == 0, outcome.err


def test_what_no_device_computes_is_one_sentence_that_names_the_key(command, tiny):
    outcome = command("train", *tiny, "data.device_synthesis=true", "synthesis=real")
    assert outcome.status == 1
    assert "error: data.device_synthesis=true: no device computes WebP" in outcome.err
    assert "synthesis.degradation.webp=0.04; set that to 0, or data.device_synthesis to false." in outcome.err
    assert not list(Path("outputs").glob("**/*.ckpt"))


def test_pairs_of_files_have_no_such_key(command, tiny, tmp_path):
    outcome = command("train", *tiny, "data=paired", f"data.root={tmp_path}", "+data.device_synthesis=true")
    assert outcome.status == 1
    assert "data.device_synthesis" in outcome.err


def test_a_preview_shows_them(command, photographs):
    words = ("data=folder", f"data.root={photographs}", "data.size=24", "synthesis.system_fonts=false", "count=2")
    for name, changes in (("plain", ()), ("device", ("data.device_synthesis=true",))):
        outcome = command("preview", *words, f"out={name}.png", "augment=none", "synthesis.degradation=null", *changes)
        assert outcome.status == 0, outcome.err
    assert Path("plain.png").read_bytes() == Path("device.png").read_bytes()
