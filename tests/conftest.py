"""What several test files use: small generated photographs, and the commands run in this process."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch
from PIL import Image

from tests.processes import run_script

# Small and exact: a step takes a fraction of a second and float32 leaves no room for rounding. The head changes every
# pixel: in so few steps others hardly find a mark, and a picture that stays as it is would pass many a test.
TINY = (
    "model=pixel_unshuffle_unet_small", "model.head=direct", "data=folder", "data.repeats=1", "data.size=32",
    "data.batch_size=4", "data.num_workers=0", "loss.alpha=0", "logger=none", "trainer.max_epochs=1",
    "trainer.precision=32-true", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false",
    "synthesis.system_fonts=false", "callbacks.figures.names=[]",
)  # fmt: skip
# For tests of the plain command's network and logger, which take twice as long
PLAIN = ("model=unet", "logger=tensorboard")


def pytest_configure() -> None:
    """Shares the cores among the processes of ``pytest -n``, and those that their tests start."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes > 1:
        threads = max(1, (os.cpu_count() or 1) // processes)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        torch.set_num_threads(threads)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts whole commands first: of two processes one would wait for the other's if they came last."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


class Outcome(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


def write_photographs(folder: Path, count: int, size: tuple[int, int] = (48, 40)) -> Path:
    """Writes smooth colour pictures with some texture, ``size`` being (width, height)."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"photo{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty small photographs: 14, 4 and 2 in the split."""
    return write_photographs(tmp_path_factory.mktemp("photographs"), 20)


@pytest.fixture
def own_photographs(photographs: Path, tmp_path: Path) -> Path:
    """A copy of ``photographs`` that a test may change."""
    return Path(shutil.copytree(photographs, tmp_path / "photos"))


@contextmanager
def own_log() -> Iterator[None]:
    """Ends the log of a command with it: what Hydra set up writes to streams that are closed after the test."""
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        yield
    finally:
        for handler in set(root.handlers).difference(before):
            handler.close()
        root.handlers[:] = before


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs a command as typed, from an empty folder; outputs go to ``tmp_path/outputs``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(name: str, *arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        status: int | str | None = 0
        capsys.readouterr()
        from wm_lightning import cli  # which imports all that trains: tests of other things need not wait for it

        try:
            with own_log():
                getattr(cli, name)()
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return Outcome(int(status or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def command_in() -> Callable[..., Outcome]:
    """Runs a command as typed, from a folder: for outputs that several tests look at."""

    def run(folder: Path, name: str, *arguments: str) -> Outcome:
        from wm_lightning import cli

        out, err, status = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), own_log():
            patch.chdir(folder)
            patch.setenv("COLUMNS", "200")
            patch.setattr(sys, "argv", [f"{name}.py", *arguments])
            try:
                getattr(cli, name)()
            except SystemExit as end:
                status = int(end.code or 0)
        return Outcome(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def checkpoint(photographs: Path, tmp_path_factory: pytest.TempPathFactory, command_in: Callable[..., Outcome]) -> Path:
    """The best checkpoint of one short run of the plain network, its summary beside it; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    chosen = ("model=unet", f"data.root={photographs}", "hydra.run.dir=run", "test=false")
    outcome = command_in(folder, "train", *TINY, *chosen)
    assert outcome.status == 0, outcome.err
    return folder / "run" / "checkpoints" / "best.ckpt"


@pytest.fixture
def tiny(photographs: Path) -> tuple[str, ...]:
    """Overrides of a run that takes seconds."""
    return (*TINY, f"data.root={photographs}")


@pytest.fixture
def in_two_processes(tiny: tuple[str, ...], tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Runs ``train.py`` as typed from ``tmp_path`` in a process of its own, which starts another one beside it."""

    def run(*arguments: str) -> CompletedProcess[str]:
        script = tmp_path / "train.py"
        script.write_text("from wm_lightning import cli; cli.train()")
        flags = [word for word in arguments if word.startswith("-")]  # which come first
        chosen = [word for word in arguments if word not in flags]
        options = [option for option in tiny if not option.startswith("trainer.accelerator")]
        words = (*flags, *options, "trainer=ddp_sim", "data.batch_size=2", *chosen)
        return run_script(script, *words, folder=tmp_path)

    return run


@pytest.fixture(scope="session", autouse=True)
def _composed_once() -> Iterator[None]:
    """Lets Hydra compose the configuration of a command in this process once.

    It composes all of it before only to read ``hydra.mode``, which nothing here sets: a sixth of a short training.
    """
    from hydra._internal.hydra import Hydra

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hydra, "get_mode", lambda *_, **__: None)  # as where it is not set
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_settings() -> None:
    """Leaves no trace of the developer's own settings in a test, nor of a cluster that it runs on."""
    os.environ.pop("HYDRA_FULL_ERROR", None)
    for name in [name for name in os.environ if name.startswith(("SLURM_", "TORCHELASTIC_"))]:
        del os.environ[name]


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """An S3-compatible server on this machine with an empty bucket; boto3 finds it by its environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    # What other servers of this process were given is kept for all of them.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield
    running.stop()
