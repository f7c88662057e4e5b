import csv
import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from wm_lightning.callbacks import first_look

RUN = "hydra.run.dir=run"
AT_ONCE = ("callbacks.first_look.after_seconds=0", "logger=csv", "test=false")
LOOK = re.compile(r"a first look after (\d+) steps: (\S+) dB over the identity, inside the mark (\S+) \((\d+) valid")


def looks_of(folder):
    """What was said: steps, gain, gain inside, pictures."""
    return [tuple(map(float, found)) for found in LOOK.findall(Path(folder, "train.log").read_text())]


def logged(folder, name):
    with Path(folder, "csv", "version_0", "metrics.csv").open() as file:
        return [(int(row["step"]), float(row[name])) for row in csv.DictReader(file) if row.get(name)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a second whenever it is looked at."""
    seconds = itertools.count()
    monkeypatch.setattr(first_look, "time", SimpleNamespace(monotonic=lambda: next(seconds)))


def test_the_first_look_is_what_a_validation_of_the_same_weights_would_say(command, tiny):
    arguments = ("trainer.limit_train_batches=1", "average=null", "trainer.max_epochs=2")
    outcome = command("train", *tiny, RUN, *AT_ONCE, *arguments)
    assert outcome.status == 0, outcome.err
    validated = json.loads(Path("run/summary.json").read_text())["history"][0]
    ((steps, gain, gain_in, pictures),) = looks_of("run")
    assert (steps, pictures) == (1, 4)  # as many as there are
    assert gain == pytest.approx(validated["val/gain"], abs=0.006)
    assert gain_in == pytest.approx(validated["val/gain_in"], abs=0.006)
    for name in ("gain", "gain_in"):
        ((step, value),) = logged("run", f"early/{name}")
        assert step == 1
        assert value == pytest.approx(validated[f"val/{name}"], rel=1e-4)


@pytest.mark.parametrize(("pictures", "batch"), [(1, 4), (3, 2)])
def test_it_is_of_the_first_pictures(command, tiny, pictures, batch):
    arguments = (f"callbacks.first_look.pictures={pictures}", f"data.batch_size={batch}", "average=null")
    outcome = command("train", *tiny, RUN, *AT_ONCE, *arguments, "trainer.limit_train_batches=1")
    assert outcome.status == 0, outcome.err
    options = ("ckpt=run/checkpoints/last.ckpt", "split=val", "report=false", "trainer.accelerator=cpu")
    assert command("evaluate", *options, "hydra.run.dir=scored").status == 0
    with Path("scored/metrics.csv").open() as file:
        gains = [float(row["gain"]) for row in csv.DictReader(file)]
    ((_, value),) = logged("run", "early/gain")
    assert value == pytest.approx(sum(gains[:pictures]) / pictures, rel=1e-3)
    assert value != pytest.approx(sum(gains) / len(gains), rel=1e-3)


@pytest.mark.parametrize(("after", "steps"), [(1, 1), (3, 3), (4, None)])
def test_it_is_said_once_and_not_after_a_validation(command, tiny, clock, after, steps):
    arguments = (f"callbacks.first_look.after_seconds={after}", "trainer.max_epochs=3", "test=false")
    outcome = command("train", *tiny, RUN, *arguments)  # three steps an epoch
    assert outcome.status == 0, outcome.err
    assert [look[0] for look in looks_of("run")] == ([] if steps is None else [steps])


def test_the_check_before_training_is_no_validation(command, tiny, clock):
    arguments = ("callbacks.first_look.after_seconds=2", "trainer.num_sanity_val_steps=1", "test=false")
    assert command("train", *tiny, RUN, *arguments).status == 0
    assert [look[0] for look in looks_of("run")] == [2]


def test_a_run_that_goes_on_has_said_it(command, tiny):
    arguments = (*tiny, *AT_ONCE, "optim.scheduler=null", "trainer.limit_train_batches=1")
    assert command("train", *arguments, RUN).status == 0
    assert len(looks_of("run")) == 1
    assert command("train", *arguments, "trainer.max_epochs=3", "ckpt_path=run/checkpoints/last.ckpt").status == 0
    assert len(looks_of("run")) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_training_ends_with_the_same_bits_with_and_without_it(command, tiny, workers):
    arguments = (
        "trainer.max_epochs=2",
        f"data.num_workers={workers}",
        "augment=full",
        "test=false",
        "model.head=decomposition",
    )
    choices = {"with": ("callbacks.first_look.after_seconds=0",), "without": ("callbacks.first_look=null",)}
    for folder, choice in choices.items():
        outcome = command("train", *tiny, *arguments, *choice, f"hydra.run.dir={folder}")
        assert outcome.status == 0, outcome.err
    assert [len(looks_of(folder)) for folder in choices] == [1, 0]
    one, other = (torch.load(f"{folder}/checkpoints/last.ckpt", weights_only=True) for folder in choices)
    assert torch.equal(one["random_state"], other["random_state"])
    assert one["state_dict"].keys() == other["state_dict"].keys()
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
    histories = [json.loads(Path(folder, "summary.json").read_text())["history"] for folder in choices]
    assert histories[0] == histories[1]
