"""The commands: find the configuration, run, and turn what the user can put right into one sentence."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

import hydra
from omegaconf import DictConfig

from wm_lightning import runner
from wm_lightning.commands import importing_from_here
from wm_lightning.extras import needing
from wm_lightning.files import CONF
from wm_lightning.plugins import find_plugins
from wm_lightning.runner.configuration import check_filled
from wm_lightning.runner.explanations import explain, naming_keys
from wm_lightning.runner.launched import add_resolvers, check_alone, let_first_speak
from wm_lightning.runner.outcome import Outcome
from wm_lightning.runner.processes import leave_group
from wm_lightning.runner.sweep_table import SweepTable

Run = Callable[[DictConfig], float | None]
_FULL_ERROR = "HYDRA_FULL_ERROR"
_WANTED = "WM_LIGHTNING_FULL_ERROR"  # what the user said, told to the processes of a training with several


def train() -> None:
    """Entry point of ``train.py`` and ``wm-train``."""
    _command("train", runner.train)


def evaluate() -> None:
    """Entry point of ``evaluate.py`` and ``wm-evaluate``."""
    _command("evaluate", runner.evaluate)


def sweep() -> None:
    """Entry point of ``sweep.py`` and ``wm-sweep``."""
    _command("sweep", _search)


def preview() -> None:
    """Entry point of ``preview.py`` and ``wm-preview``."""
    _command("preview", runner.preview)


def _search(config: DictConfig) -> None:
    check_alone("sweep.py")
    with needing("A search"):
        from wm_lightning.search import search
    search(config)


def _command(name: str, run: Run) -> None:
    before = {name: os.environ.get(name) for name in (_FULL_ERROR, _WANTED)}
    wanted = os.environ.setdefault(_WANTED, before[_FULL_ERROR] or "0")
    os.environ[_FULL_ERROR] = "1"  # Hydra then lets errors through, and they are put in words here
    find_plugins()
    add_resolvers()

    @functools.wraps(run)
    def named(config: DictConfig) -> float | None:
        let_first_speak()
        check_filled(config)
        with naming_keys(config):
            result = run(config)
        leave_group()
        return result

    command = hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(named)
    try:
        with importing_from_here():
            command()
        if failed := Outcome.take_error():
            raise failed
    except Exception as error:
        SweepTable.finish()
        sentence = explain(error)
        if sentence is None or wanted == "1":
            raise
        # One write, so that lines of parallel jobs do not mix.
        sys.stderr.write(f"error: {sentence}\n")
        sys.exit(1)
    finally:
        Outcome.folder = None
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
