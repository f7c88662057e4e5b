import random
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import wm_lightning.callbacks.figures as module
from tests.conftest import PLAIN
from wm_lightning.callbacks import RunSummary
from wm_lightning.callbacks.figures import FigureName, NetworkFigure, PictureFigureName, TrainingFigure
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.models import HeterogeneousUNet
from wm_lightning.reports.gallery import network_figures, picture_figures, training_figures

RUN = "hydra.run.dir=run"
EVERY = "callbacks.figures.every_n_epochs="
NAMES = "callbacks.figures.names="
ALL = get_args(FigureName)
EPOCH = {"train/loss": 2.0, "val/loss": 2.0, "train/psnr": 20.0, "val/psnr": 21.0, "lr-AdamW": 1e-3}


@pytest.fixture
def tiny(tiny):
    return (*tiny, *PLAIN)


def figures_of(folder):
    """The steps and widths of each figure."""
    events = EventAccumulator(f"{folder}/tensorboard", size_guidance={"images": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["images"] if tag.startswith("figures/")]
    return {tag.removeprefix("figures/"): [(entry.step, entry.width) for entry in events.Images(tag)] for tag in tags}


def names_of(entries):
    return tuple(entry.name for entry in entries)


def test_the_names_are_those_of_the_gallery():
    watermarked, predicted, clean = torch.rand(3, 3, 16, 16, generator=torch.manual_seed(0))
    mask = torch.ones(1, 16, 16)
    assert names_of(picture_figures(watermarked, predicted, clean)) == get_args(PictureFigureName)
    assert names_of(network_figures(HeterogeneousUNet(), watermarked, clean, mask)) == get_args(NetworkFigure)
    history = [{"epoch": epoch, "step": epoch, **EPOCH} for epoch in (1, 2)]
    assert names_of(training_figures(history)) == get_args(TrainingFigure)


def test_the_chosen_figures_are_drawn_every_so_often_and_at_the_end(command, tiny):
    chosen = (f"{NAMES}[side_by_side,attention,training_loss_psnr,learning_rate]", f"{EVERY}2")
    lengths = ("trainer.max_epochs=3", "trainer.num_sanity_val_steps=1", "trainer.log_every_n_steps=1", "test=false")
    assert command("train", *tiny, RUN, *chosen, *lengths).status == 0
    seen = figures_of("run")
    assert set(seen) == {"side_by_side", "attention", "training_loss_psnr", "learning_rate"}
    assert all(shown == [(6, 1000), (9, 1000)] for shown in seen.values())  # three steps an epoch


def test_an_epoch_that_is_due_is_not_drawn_again_at_the_end(command, tiny):
    lengths = ("trainer.max_epochs=2", "test=false")
    assert command("train", *tiny, RUN, f"{EVERY}1", f"{NAMES}[side_by_side,training_loss_psnr]", *lengths).status == 0
    steps = [(3, 1000), (6, 1000)]
    assert figures_of("run") == {"side_by_side": steps, "training_loss_psnr": steps}


def test_curves_have_the_epoch_that_just_ended(command, tiny, monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "training_figures", lambda history: drawn.append(len(history)) or [])
    arguments = (f"{EVERY}2", f"{NAMES}[training_loss_psnr]", "trainer.max_epochs=3", "test=false")
    assert command("train", *tiny, RUN, *arguments).status == 0
    assert drawn == [2, 3]


def test_an_epoch_without_a_loss_is_left_out_of_the_curves(command, tiny, monkeypatch):
    keep = RunSummary.on_train_epoch_end

    def lose(self, trainer, pl_module):
        keep(self, trainer, pl_module)
        self.history[0]["val/loss"] = float("nan")

    monkeypatch.setattr(RunSummary, "on_train_epoch_end", lose)
    arguments = (f"{EVERY}1", f"{NAMES}[training_loss_psnr]", "trainer.max_epochs=2", "test=false")
    outcome = command("train", *tiny, RUN, *arguments)
    assert outcome.status == 0, outcome.err
    assert figures_of("run") == {"training_loss_psnr": [(6, 1000)]}


def test_a_training_ends_with_the_same_bits_with_and_without_figures(command, tiny):
    ends = []
    drawn_names = ("side_by_side", *get_args(NetworkFigure))  # all that ask the network, and one of the others
    for figures in ("callbacks.figures=null", f"{NAMES}[{','.join(drawn_names)}]"):
        every = () if "null" in figures else (f"{EVERY}1",)
        folder = f"hydra.run.dir=run{len(ends)}"
        lengths = ("trainer.max_epochs=2", "trainer.limit_train_batches=1", "trainer.log_every_n_steps=1", "test=false")
        outcome = command("train", *tiny, folder, figures, *every, *lengths)
        assert outcome.status == 0, outcome.err
        checkpoint = torch.load(f"run{len(ends)}/checkpoints/last.ckpt", weights_only=True)
        ends.append((checkpoint, random.getstate(), str(np.random.get_state())))  # noqa: NPY002 - the global one
    (without, *other), (drawn, *same) = ends
    assert other == same
    assert torch.equal(without["random_state"], drawn["random_state"])
    weights, again = without["state_dict"], drawn["state_dict"]
    assert any("running_mean" in name for name in weights)
    assert weights.keys() == again.keys()
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    assert set(figures_of("run1")) == set(drawn_names)
    assert figures_of("run0") == {}


@pytest.mark.parametrize(("every", "kept"), [(1, "average"), (10, "raw"), (10, "average")])
def test_the_weights_that_are_kept_are_what_is_looked_into(command, tiny, monkeypatch, every, kept):
    seen = []
    monkeypatch.setattr(module, "network_figures", lambda net, *pictures: seen.append(net.state_dict()) or [])
    monkeypatch.setattr(WatermarkRemoval, "_better", lambda self, figures: kept)
    arguments = ("average.decay=0.5", f"{EVERY}{every}", f"{NAMES}[kernels]", "trainer.max_epochs=2", "test=false")
    assert command("train", *tiny, RUN, *arguments, "trainer.limit_train_batches=1").status == 0
    assert len(seen) == (2 if every == 1 else 1)
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["weights"] == kept
    assert all(torch.equal(value, checkpoint["state_dict"][f"net.{name}"]) for name, value in seen[-1].items())
    average = checkpoint["average"]["net"]["final_conv.weight"]
    assert torch.equal(seen[-1]["final_conv.weight"], average) == (kept == "average")


@pytest.mark.parametrize("head", ["direct", "decomposition"])  # the second has hardly opened its mask
def test_one_small_validation_picture_is_enough(command, tiny, head):
    small = (f"model.head={head}", "data.size=16", "data.fractions=[0.9,0.05,0.05]", "test=false",
             "trainer.limit_train_batches=1")  # fmt: skip
    outcome = command("train", *tiny, RUN, *small, f"{NAMES}[{','.join(ALL)}]", "trainer.log_every_n_steps=1")
    assert outcome.status == 0, outcome.err
    assert len(Path("run/split/val.txt").read_text().split()) == 1
    assert figures_of("run") == {name: [(1, 1000)] for name in ALL}


@pytest.mark.parametrize("choice", ["logger=csv", "trainer.fast_dev_run=true"])
def test_nothing_is_drawn_without_tensorboard(command, tiny, monkeypatch, choice):
    def refuse(*_):
        raise AssertionError("drawn")

    for name in ("picture_figures", "network_figures", "training_figures"):
        monkeypatch.setattr(module, name, refuse)
    outcome = command("train", *tiny, RUN, choice, f"{EVERY}1", f"{NAMES}[{','.join(ALL)}]", "test=false")
    assert outcome.status == 0, outcome.err
    assert not Path("run/tensorboard").exists()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            f"{NAMES}[side]",
            "callbacks.figures.names=['side'] does not fit: input should be 'side_by_side', 'local_psnr',",
        ),
        (f"{EVERY}0", "callbacks.figures.every_n_epochs=0 must be at least 1"),
    ],
)
def test_a_wrong_choice_is_one_sentence(command, tiny, override, sentence):
    outcome = command("train", *tiny, RUN, override)
    assert outcome.status == 1
    assert sentence in outcome.err.splitlines()[-1]
