"""The wheel, in a fresh environment and far from the repository."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def run(*command, **options):
    # The tests' own settings must not leak in, nor the repository's sources.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "HYDRA"))}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **options)


# Scripts one after the other in one process: to import everything takes longer than what they do.
BOTH = """
import json, runpy, sys

for sys.argv in json.loads(sys.argv[1]):
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        assert not end.code, sys.argv
"""


def test_it_carries_every_configuration_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("wm_lightning/conf/")}
    assert carried == {
        f"wm_lightning/{path.relative_to(REPOSITORY).as_posix()}" for path in (REPOSITORY / "conf").rglob("*.yaml")
    }


def test_it_trains_and_evaluates_from_another_folder(wheel, tmp_path, tiny):
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python, scripts = environment / "bin" / "python", environment / "bin"
    # Dependencies come from this environment, which keeps the test offline; the package itself only from the wheel:
    # a path in a .pth file is searched, but editable installs in it are not.
    site = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = (sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    installed = run(*install)
    assert installed.returncode == 0, installed.stderr

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    origin = run(str(python), "-c", "import wm_lightning; print(wm_lightning.__file__)", cwd=elsewhere).stdout
    assert origin.startswith(site)
    training = [str(scripts / "wm-train"), *tiny, "model=unet", "loss.beta=0.3", "hydra.run.dir=run"]
    best = elsewhere / "run" / "checkpoints" / "best.ckpt"
    scoring = [str(scripts / "wm-evaluate"), f"ckpt={best}", "report=false", "hydra.run.dir=scored"]
    done = run(str(python), "-c", BOTH, json.dumps([training, scoring]), cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    summary = json.loads((elsewhere / "run" / "summary.json").read_text())
    assert json.loads((elsewhere / "scored" / "metrics.json").read_text())["test"] == summary["test"]


@pytest.mark.slow
def test_it_installs_with_its_own_dependencies(wheel, tmp_path):
    run(sys.executable, "-m", "venv", str(tmp_path / "environment"))
    python = str(tmp_path / "environment" / "bin" / "python")
    constraints = str(REPOSITORY / "constraints.txt")
    installed = run(python, "-m", "pip", "install", "-c", constraints, f"{wheel}[train]")
    assert installed.returncode == 0, installed.stderr
    arguments = ("trainer.fast_dev_run=true", "loss.alpha=0", "hydra.run.dir=run")
    trained = run(str(Path(python).parent / "wm-train"), *arguments, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
