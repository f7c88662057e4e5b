"""A file can ask for any code; none is imported or built but this project's, and what the caller trusts."""

import sys

import pytest
import torch

from wm_lightning.app.command import serve
from wm_lightning.errors import UserError
from wm_lightning.inference.command import predict
from wm_lightning.inference.export_command import main as export
from wm_lightning.models import DnCNN
from wm_lightning.trained import load
from wm_lightning.trained.trust import build, check_trusted, trusted_class
from wm_lightning.trained.weights import write_weights

MODEL = {"_target_": "wm_lightning.models.DnCNN", "depth": 3, "width": 4, "head": "residual"}
EVIL = "from pathlib import Path\nPath({!r}).write_text('run')\nclass Net: ...\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that leaves a file behind when it is imported."""
    (tmp_path / "trap_of_test.py").write_text(EVIL.format(str(tmp_path / "sprung")))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "sprung"
    sys.modules.pop("trap_of_test", None)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "wm_lightning.files.os.system",
        "wm_lightning.inference.batch.ThreadPoolExecutor",  # a class, but not of this project
        "wm_lightning.files.replacing",  # of this project, but no class
        "wm_lightning.nowhere.Class",
        "wm_lightning",
        "",
        None,
    ],
)
def test_only_classes_of_this_project_are_built(target):
    with pytest.raises(UserError, match=r"^net.ckpt asks for"):
        trusted_class(target, "net.ckpt")
    for node in ({"_target_": target}, {"loss": {"terms": [{"own": {"_target_": target}}]}}):
        with pytest.raises(UserError, match=r"^net.ckpt asks for"):
            check_trusted(node, "net.ckpt")


def test_a_package_that_is_not_trusted_is_not_even_imported(package):
    with pytest.raises(UserError, match=r"trust=\[trap_of_test\] \(--trust trap_of_test\)"):
        trusted_class("trap_of_test.Net", "net.ckpt")
    assert not package.exists()
    assert trusted_class("trap_of_test.Net", "net.ckpt", ["trap_of_test"]).__name__ == "Net"
    assert package.exists()


def test_what_would_become_a_target_later_is_refused():
    with pytest.raises(UserError, match="has to be worked out first"):
        check_trusted({"term": "${oc.create:'{_target_: os.system}'}"}, "net.ckpt")


def test_what_is_trusted_is_built_with_all_below_it():
    check_trusted(MODEL, "net.ckpt")
    net = build(MODEL, "net.ckpt")
    assert isinstance(net, DnCNN)
    assert build({"a": [MODEL, 3], "b": None}, "net.ckpt")["a"][1] == 3


COMMANDS = {
    "evaluate": lambda command, path: command("evaluate", f"ckpt={path}", "trainer.accelerator=cpu"),
    "predict": lambda command, path: predict([str(path), "-o", "out.png", "--weights", str(path)]),
    "export": lambda command, path: export([str(path), "-o", "out.pt2"]),
    "app": lambda command, path: serve(["--weights", str(path), "--port", "0"]),
}


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("place", ["model", "loss", "data", "trainer"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_a_file_that_asks_for_other_code(
    name, place, suffix, command, checkpoint, package, tmp_path, monkeypatch, capsys
):
    content = torch.load(checkpoint, weights_only=True)
    trap = {"_target_": "trap_of_test.Net"}
    parts = {"model": trap, "loss": {"terms": {"l1": trap}}, "data": {"synthesis": trap}, "trainer": {"plugins": trap}}
    content["config"] = {**content["config"], place: {**content["config"].get(place, {}), **parts[place]}}
    path = tmp_path / f"evil{suffix}"
    torch.save(content, path) if suffix == ".ckpt" else write_weights(content, path)
    monkeypatch.chdir(tmp_path)
    if place != "model" and name != "evaluate":
        load(str(path))  # what has no use for it does not build it
    elif place == "trainer":  # nor does a test, which has a trainer of its own
        COMMANDS[name](command, path)
    else:
        try:
            outcome = COMMANDS[name](command, path)
            status = getattr(outcome, "status", outcome)
            said = getattr(outcome, "err", "")
        except SystemExit as stop:
            status, said = stop.code, ""
        assert status == 1
        said += capsys.readouterr().err
        assert "asks for trap_of_test.Net, which is not this project's" in " ".join(said.split())
    assert not package.exists()
