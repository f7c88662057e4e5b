import json

import pytest
import torch
from hydra.utils import get_class

from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.models.heads import DecompositionHead, DirectHead
from wm_lightning.trained import load, read
from wm_lightning.trained.older import CLASSES, KEYS, new_name, new_override, of_today, renamed

OLD = {
    "model": {"_target_": "wm_lightning.models.ShuffleUNet", "widths": [4, 8], "head": "layer"},
    "loss": {
        "_target_": "wm_lightning.losses.CompositeLoss",
        "terms": {
            "outside": {"_target_": "wm_lightning.losses.OutsideL1", "weight": 3},
            "proposal": {"_target_": "wm_lightning.losses.ProposalL1"},
            "content": {"_target_": "wm_lightning.losses.ContentL1"},
        },
    },
    "data": {
        "synthesis": {
            "capture": {"_target_": "wm_lightning.data.synthesis.CaptureSampler", "share": 0.5},
            "captured_threshold": 4, "sampler": {"_partial_": True, "sizes": [0.1, {"capture": 1}]},
        }
    },
}  # fmt: skip
TODAY = {
    "model": {"_target_": "wm_lightning.models.PixelUnshuffleUNet", "widths": [4, 8], "head": "decomposition"},
    "loss": {
        "_target_": "wm_lightning.losses.CompositeLoss",
        "terms": {
            "unmasked": {"_target_": "wm_lightning.losses.UnmaskedL1", "weight": 3},
            "background": {"_target_": "wm_lightning.losses.BackgroundL1"},
            "inpainting": {"_target_": "wm_lightning.losses.InpaintingL1"},
        },
    },
    "data": {
        "synthesis": {
            "degradation": {"_target_": "wm_lightning.data.synthesis.DegradationSampler", "share": 0.5},
            "sampler": {"_partial_": True, "sizes": [0.1, {"capture": 1}]},
        }
    },
}  # fmt: skip


def test_a_configuration_is_told_in_todays_names():
    assert renamed(OLD) == TODAY
    assert renamed(TODAY) == TODAY
    assert of_today(json.loads(json.dumps(OLD)))["loss"] == TODAY["loss"]


@pytest.mark.parametrize(("old", "head"), [("layer", DecompositionHead), ("full", DirectHead)])
def test_a_network_of_an_older_file_is_built(tmp_path, old, head):
    net = PixelUnshuffleUNet([4, 8], head="direct" if old == "full" else "decomposition")
    config = {"model": {**OLD["model"], "head": old}}
    content = {"state_dict": {f"net.{key}": value for key, value in net.state_dict().items()}, "config": config}
    torch.save({**content, "epoch": 1, "hyper_parameters": {"measure_every": 7}}, tmp_path / "old.ckpt")
    trained = load(str(tmp_path / "old.ckpt"))
    assert isinstance(trained.net, PixelUnshuffleUNet)
    assert isinstance(trained.net.head, head)
    assert read(str(tmp_path / "old.ckpt"))["hyper_parameters"] == {"train_metrics_every_n_steps": 7}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model=shuffle_unet", "model=pixel_unshuffle_unet"),
        ("model.head=full", "model.head=direct"),
        ("+loss.terms.outside.weight=0", "+loss.terms.unmasked.weight=0"),
        ("~synthesis.capture", "~synthesis.degradation"),
        ("measure_every=5", "train_metrics_every_n_steps=5"),
        ("data.root=/a=b", "data.root=/a=b"),
    ],
)
def test_an_override_is_typed_as_today(old, new):
    assert new_override(old) == new


@pytest.mark.parametrize("key", ["captured_threshold", "degraded_threshold"])
def test_keys_that_are_gone_are_left_out(key):
    config = {"synthesis": {key: 4, "mask_threshold": 1}, "data": {"synthesis": {key: 4}}, key: 4}
    assert renamed(config) == {"synthesis": {"mask_threshold": 1}, "data": {"synthesis": {}}, key: 4}


def test_an_old_value_is_told_by_its_new_name(command):
    outcome = command("train", "model.head=layer", "hydra.run.dir=run")
    assert outcome.status == 1
    assert outcome.err.endswith("error: model.head=layer is called model.head=decomposition now.\n")


def test_every_class_that_was_renamed_is_there():
    for name in CLASSES.values():
        get_class(name)


@pytest.mark.parametrize(
    ("key", "new"),
    [
        ("measure_every", "train_metrics_every_n_steps"),
        ("synthesis.capture", "synthesis.degradation"),
        ("data.synthesis.capture", "data.synthesis.degradation"),
        ("loss.terms.content", "loss.terms.inpainting"),
        ("loss.terms.proposal.weight", "loss.terms.background.weight"),
        ("data.synthesis.capture.jpeg_quality", "data.synthesis.degradation.jpeg_quality"),
        *((key, None) for key in ("model.ensemble", "capture", "loss.terms.mask", "synthesis.captures")),
    ],
)
def test_an_old_key_is_told_by_its_new_name(key, new):
    assert new_name(key) == new


@pytest.mark.parametrize("key", KEYS)
def test_a_command_with_an_old_key_says_what_it_is_called_now(command, key):
    outcome = command("evaluate" if key == "ensemble" else "train", f"{key}=1", "hydra.run.dir=run")
    assert (outcome.status, outcome.err) == (1, f"error: {key} is called {new_name(key)} now.\n")


def test_an_old_key_in_a_file_of_ones_own_is_told_too(command, tiny, tmp_path):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "mine.yaml").write_text("# @package _global_\nmeasure_every: 5\n")
    outcome = command("train", "--config-dir", str(tmp_path / "own"), "experiment=mine", *tiny, "hydra.run.dir=run")
    assert outcome.status == 1
    assert outcome.err.endswith("error: measure_every is called train_metrics_every_n_steps now.\n")
