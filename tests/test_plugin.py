"""A package of somebody else's, installed, goes through every command without an edit in this project."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch
from PIL import Image

REPOSITORY = Path(__file__).parents[1]
PLUGIN = Path(__file__).with_name("plugin")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment with this project's sources, what they need, and the plugin as pip installs it."""
    folder = tmp_path_factory.mktemp("plugin")
    wheel = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(wheel, cwd=PLUGIN, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "environment")], check=True)
    python = str(folder / "environment" / "bin" / "python")
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip())
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{REPOSITORY / 'src'}\n")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    subprocess.run([*install, *map(str, folder.glob("*.whl"))], check=True, capture_output=True)
    return python


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run; empty at first."""
    return tmp_path_factory.mktemp("elsewhere")


# Runs a script for each line that it is given, in a process of its own that finds everything imported.
DRIVER = """
import json, os, runpy, sys
import wm_lightning.cli

for line in sys.stdin:
    folder, *sys.argv = json.loads(line)
    child = os.fork()
    if not child:
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        runpy.run_path(sys.argv[0], run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def run(python, folder, tmp_path_factory):
    """Runs a script of this project in that environment."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "HYDRA"))}
    printed = tmp_path_factory.mktemp("printed")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([python, "-c", DRIVER], cwd=folder, env=environment, **pipes) as process:

        def command(name, *arguments):
            words = [str(printed), str(REPOSITORY / name), *arguments]
            process.stdin.write(f"{json.dumps(words)}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            out, err = ((printed / name).read_text(encoding="utf-8") for name in ("out", "err"))
            return subprocess.CompletedProcess(words, status, out, err)

        yield command
        process.stdin.close()


@pytest.fixture(scope="module")
def trained(run, photographs):
    outcome = run(
        "train.py", "experiment=my_wm", f"data.root={photographs}", "data.size=32", "data.batch_size=4",
        "data.num_workers=0", "data.repeats=1", "trainer.max_epochs=1", "trainer.precision=32-true",
        "trainer.accelerator=cpu", "loss.alpha=0", "synthesis.system_fonts=false", "callbacks.figures.names=[]",
        "trainer.enable_progress_bar=false", "hydra.run.dir=run",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    return outcome


def test_it_trains_with_all_of_its_parts(run, trained, folder):
    content = torch.load(folder / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    config = content["config"]
    assert config["model"] == {"_target_": "my_wm.Plain", "width": 8, "head": {"_target_": "my_wm.Brighten"}}
    assert config["module"] == {"_target_": "my_wm.Quiet"}
    assert "my_wm counted 3 steps" in trained.stderr + trained.stdout
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert {"loss_edges", "sharpness", "sharpness_input"} <= set(summary["test"])
    assert {"val/sharpness", "val/loss_edges"} <= set(summary["history"][0])
    assert "sharpness" in trained.stdout  # a column of the table
    events = b"".join(path.read_bytes() for path in (folder / "run").rglob("events*"))
    assert b"figures/difference" in events


def test_it_is_scored_where_it_is_trusted(run, trained, folder):
    arguments = ("ckpt=run/checkpoints/best.ckpt", "hydra.run.dir=scored", "examples=0")
    refused = run("evaluate.py", *arguments)
    assert refused.returncode == 1
    assert "asks for my_wm." in refused.stderr
    assert "Name my_wm in trust" in refused.stderr
    scored = run("evaluate.py", *arguments, "trust=[my_wm]")
    assert scored.returncode == 0, scored.stderr
    test = json.loads((folder / "run" / "summary.json").read_text())["test"]
    assert json.loads((folder / "scored" / "metrics.json").read_text())["test"] == pytest.approx(test, abs=1e-6)
    assert "stamp" in (folder / "scored" / "groups.csv").read_text()


def test_it_removes_marks_and_is_exported_where_it_is_trusted(run, trained, photographs, folder):
    weights, picture = "run/checkpoints/best.ckpt", str(photographs / "photo000.png")
    for command in (
        ("predict.py", picture, "-o", "out.png", "--weights", weights),
        ("export.py", weights, "-o", "it.pt2"),
    ):
        refused = run(*command)
        assert refused.returncode == 1
        assert "Name my_wm in --trust" in " ".join(refused.stderr.split())
        done = run(*command, "--trust", "my_wm")
        assert done.returncode == 0, done.stderr
    assert Image.open(folder / "out.png").size == Image.open(picture).size
    assert (folder / "it.pt2").is_file()


def test_the_page_opens_it(run, trained, tmp_path):
    """Without a browser: what answers the page, opened as the command opens it."""
    ask = tmp_path / "ask.py"
    ask.write_text(
        "from wm_lightning.app.work import Cleaner;"
        "print(list(Cleaner(['run/checkpoints/best.ckpt'], 'cpu', trust=['my_wm']).engines))"
    )
    opened = run(ask)
    assert opened.stdout.strip() == "['best.ckpt']", opened.stderr


def test_its_choices_are_offered_beside_this_projects(run):
    told = run("train.py", "model.width=3").stderr.splitlines()[-1]
    assert told == "error: model.width: model=unet has no width; add model=dncnn or model=my_wm or model=nafnet."
    told = run("train.py", "model=my_wm", "model.depth=3").stderr.splitlines()[-1]
    assert told == "error: model.depth: model=my_wm has no depth; add model=dncnn."


def test_what_it_imports_of_this_project_is_public():
    import wm_lightning

    lines = [line for path in PLUGIN.rglob("*.py") for line in path.read_text().splitlines() if "wm_lightning" in line]
    names = {name.strip() for line in lines for name in line.partition("import ")[2].split(",")}
    assert lines
    assert all(line.startswith("from wm_lightning import ") for line in lines)
    assert names <= set(wm_lightning.__all__)
    assert all(getattr(wm_lightning, name) is not None for name in wm_lightning.__all__)
