"""Several processes for one job of a multirun."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import read_write

from wm_lightning.commands import override

ARGUMENTS_OF_HYDRA = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")
GROUP = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")  # how processes find each other


@contextmanager
def one_job_for_processes() -> Iterator[None]:
    """Lets processes that Lightning starts run the current job alone, in its folder.

    Lightning starts them with the command line as it was typed and another ``hydra.run.dir``: of a multirun, each
    would run all jobs again, in a folder of its own. And what it leaves behind would keep the next job from starting
    processes.
    """
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        yield
        return
    typed, environment, settings = sys.argv, dict(os.environ), HydraConfig.instance()
    whole = settings.cfg
    kept = [
        word
        for place, word in enumerate(typed)
        if word.startswith(ARGUMENTS_OF_HYDRA) or (place and typed[place - 1] in ARGUMENTS_OF_HYDRA)
    ]
    try:
        here = override("paths.output_dir", hydra.runtime.output_dir)  # also where it goes on from a checkpoint
        sys.argv = [typed[0], *kept, *hydra.overrides.task, here]
        settings.cfg = _running_in(whole, hydra.runtime.output_dir)
        yield
    finally:
        sys.argv, settings.cfg = typed, whole
        for name in set(GROUP) - set(environment):
            os.environ.pop(name, None)
        leave_group()


def leave_group() -> None:
    """Ends this process's part in a group of processes, where it is in one.

    The group's threads would otherwise run on while the interpreter takes down what they use, which now and then aborts
    a process that has done all its work.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextmanager
def ending_with(trainer: L.Trainer) -> Iterator[None]:
    """Ends the processes that Lightning started where this one fails.

    They would wait for it in vain. And Lightning watches them: once one has failed it kills this process, which may be
    at the next job of a multirun by then.
    """
    try:
        yield
    except Exception:
        started: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
        for process in started:
            process.kill()
            process.wait()
        started.clear()  # the list that is watched
        raise


def _running_in(settings: Any, folder: str) -> Any:  # noqa: ANN401 - Hydra says HydraConf and means what holds one
    """Returns a copy of Hydra's settings whose ``hydra.run.dir`` is a folder."""
    changed = copy.deepcopy(settings)
    with read_write(changed.hydra.run):
        changed.hydra.run.dir = folder
    return changed
