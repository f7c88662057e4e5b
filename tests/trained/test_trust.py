"""A file can ask for any code; none is imported or built but this project's, and what the caller trusts."""

import os
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

import wm_lightning
from wm_lightning.app.command import serve
from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.inference.command import predict
from wm_lightning.inference.export_command import main as export
from wm_lightning.models import DnCNN
from wm_lightning.trained import load
from wm_lightning.trained.trust import OWN, build, check_trusted, trusted_class
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
        "wm_lightning.inference.cleaner.ThreadPoolExecutor",  # a class, but not of this project
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
    with pytest.raises(UserError, match="Name trap_of_test in trust if you know it"):
        trusted_class("trap_of_test.Net", "net.ckpt")
    assert not package.exists()
    assert trusted_class("trap_of_test.Net", "net.ckpt", ["trap_of_test"]).__name__ == "Net"
    assert package.exists()


def test_a_name_may_not_lead_out_of_a_trusted_package_again(package):
    for target in ("trap_of_test.Path", "trap_of_test.nothing", "trap_of_test"):
        with pytest.raises(UserError, match=rf"asks for {target}, which"):
            trusted_class(target, "net.ckpt", ["trap_of_test"])


@pytest.mark.parametrize(
    "node",
    [
        {"term": "${oc.create:'{_target_: os.system}'}"},  # would be worked out
        {"_target_": "wm_lightning.losses.Lab", "_args_": [1]},  # would get around what names say
        {"_recursive_": False},
        ({"_target_": "os.system"},),  # OmegaConf makes lists of tuples
        {"weight": {1, 2}},
        OrderedDict(a=OrderedDict(_target_="os.system")),
    ],
)
def test_what_could_become_a_target_later_is_refused(node):
    with pytest.raises(UserError, match=r"^net.ckpt (holds|asks)"):
        check_trusted({"loss": node}, "net.ckpt")


def test_what_is_trusted_is_built_with_all_below_it():
    check_trusted(MODEL, "net.ckpt")
    assert isinstance(build(MODEL, "net.ckpt"), DnCNN)
    built = build({"a": [MODEL, 3], "b": None, "later": {**MODEL, "_partial_": True}}, "net.ckpt")
    assert isinstance(built["a"][0], DnCNN)
    assert (built["a"][1], built["b"]) == (3, None)
    assert built["later"](width=6).first[0].out_channels == 6


def test_what_configurations_name_files_may_ask_for():
    """A part that is added to conf/ and forgotten here would be trained, and then could not be used."""
    parts = ("model", "module", "loss", "data", "synthesis")
    files = [path for part in parts for path in (CONF / part).rglob("*.yaml")]
    named = {name for path in files for name in re.findall(r"_target_: (wm_lightning\S+)", path.read_text())}
    assert named <= OWN
    assert all(isinstance(trusted_class(name, "net.ckpt"), type) for name in OWN)


def test_pictures_are_cleaned_without_the_modules_that_lie_beside_them(tmp_path, photographs):
    """Libraries look for packages that they do not need; a folder of pictures may hold one of such a name."""
    (tmp_path / "dill.py").write_text(EVIL.format(str(tmp_path / "sprung")))
    shutil.copy(photographs / "photo000.png", tmp_path)
    run = [sys.executable, "-c", "from wm_lightning.inference.command import main; main()"]
    # As an installed command is started, which has its own folder on the path and not this one
    environment = {**os.environ, "PYTHONPATH": str(Path(wm_lightning.__file__).parents[1]), "PYTHONSAFEPATH": "1"}
    done = subprocess.run([*run, "photo000.png", "-o", "out"], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0
    assert not (tmp_path / "sprung").exists()


COMMANDS = {
    "evaluate": lambda command, path: command("evaluate", f"ckpt={path}", "report=false", "trainer.accelerator=cpu"),
    "predict": lambda command, path: predict([str(path), "-o", "out.png", "--weights", str(path)]),
    "export": lambda command, path: export([str(path), "-o", "out.pt2"]),
    "app": lambda command, path: serve(["--weights", str(path), "--port", "0"]),
}


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("place", ["model", "module", "loss", "data", "own_metrics", "trainer"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_a_file_that_asks_for_other_code(
    name, place, suffix, command, checkpoint, package, tmp_path, monkeypatch, capsys
):
    content = torch.load(checkpoint, weights_only=True)
    trap = {"_target_": "trap_of_test.Net"}
    parts = {
        "model": trap, "module": trap, "loss": {"terms": {"l1": trap}}, "data": {"synthesis": trap},
        "own_metrics": {"mine": [trap]}, "trainer": {"plugins": trap},
    }  # fmt: skip
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
        assert "asks for trap_of_test.Net, which is not of this project" in " ".join(said.split())
    assert not package.exists()
