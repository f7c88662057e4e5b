import json
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors import safe_open

from wm_lightning.files import SHIPPED
from wm_lightning.losses import CompositeLoss
from wm_lightning.runner.configuration import check_config
from wm_lightning.trained import read

OLD = {
    "_target_": "wm_lightning.losses.ColorAwareLoss", "alpha": 0.3, "beta": 0.2, "gamma": 0.4, "delta": 0,
    "perceptual": {"_target_": "wm_lightning.losses.PerceptualLoss", "_partial_": True, "weights": "random"},
}  # fmt: skip
OF_HEADS = {
    "outside": 1, "psnr": 0.5, "mask": 2, "iou": 0, "proposal": 0.25, "opacity": 0.1, "layer": 0.15, "content": 0.05,
}  # fmt: skip
KINDS = {
    "l1": "MaskedL1",
    "unmasked": "UnmaskedL1",
    "mask": "MaskBce",
    "background": "BackgroundL1",
    "opacity": "OpacityL1",
    "layer": "LayerL1",
    "inpainting": "InpaintingL1",
    "psnr": "NegativePsnr",
    "perceptual": "Perceptual",
    "lab": "Lab",
    "ssim": "Ssim",
}
RENAMED = {"outside": "unmasked", "proposal": "background", "content": "inpainting"}  # fmt: skip
LETTERS = {"perceptual": 0.3, "lab": 0.2, "ssim": 0.4}


def today(weights):
    """Those that are not 0, by today's names."""
    return {RENAMED.get(name, name): weight for name, weight in weights.items() if weight}


def _named(terms, name):
    """A term by its old name, of a file that has that or today's."""
    return terms[name] if name in terms else terms[RENAMED[name]]


def saved(tmp_path, loss):
    torch.save({"state_dict": {}, "config": {"loss": loss, "seed": 3}, "epoch": 5}, tmp_path / "old.ckpt")
    return str(tmp_path / "old.ckpt")


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            OF_HEADS,
            {"l1": 1, **today(OF_HEADS), **LETTERS},
        ),
        ({}, {"l1": 1, **LETTERS}),  # from before there were heads
    ],
)
def test_the_loss_of_an_older_checkpoint_is_that_of_today(tmp_path, more, wanted):
    checkpoint = read(saved(tmp_path, {**OLD, **more}))
    assert (checkpoint["epoch"], checkpoint["config"]["seed"]) == (5, 3)
    check_config(OmegaConf.create(checkpoint["config"]))
    loss = instantiate(checkpoint["config"]["loss"])
    assert isinstance(loss, CompositeLoss)
    assert {name: type(term).__name__ for name, term in loss.terms.items()} == {name: KINDS[name] for name in wanted}
    assert {name: weight for name, weight in loss.weights.items() if weight} == wanted
    assert loss.describe()["perceptual_weights"] == "random"
    assert not any(term.optional for term in loss.terms.values())


def test_a_loss_of_today_stays_as_it_is(tmp_path):
    node = {"_target_": "wm_lightning.losses.CompositeLoss", "terms": {"own": {"_target_": "own.Term"}}, "alpha": 0}
    assert read(saved(tmp_path, node))["config"]["loss"] == node


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.safetensors")), ids=lambda path: path.stem)
def test_shipped_weights_are_scored_with_the_loss_that_they_were_trained_with(command, path, photographs):
    with safe_open(path, "pt") as file:
        old = json.loads(file.metadata()["wm_lightning"])["config"]["loss"]
    loss = instantiate(read(str(path))["config"]["loss"])
    terms = old.get("terms")  # of files from before there were terms, each weight stands by itself
    stored = {name: old[name] if terms is None else _named(terms, name)["weight"] for name in OF_HEADS}
    weights = today(stored) | {"l1": 1}
    assert {name: weight for name, weight in loss.weights.items() if weight} == weights
    options = (f"data.root={photographs}", "data.size=48", "data.num_workers=0", "synthesis=diverse", "report=false")
    outcome = command("evaluate", f"ckpt={path.stem}", *options, "trainer.accelerator=cpu", "hydra.run.dir=scored")
    assert outcome.status == 0, outcome.err
    record = json.loads(Path("scored/metrics.json").read_text())
    assert record["checkpoint"] == str(path)
    scores = record["test"]
    total = sum(weight * scores[f"loss_{name}"] for name, weight in weights.items())
    assert scores["loss"] == pytest.approx(total, rel=1e-3)
