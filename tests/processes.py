"""Commands in processes of their own, without the seconds that importing everything takes.

They are forked from a process that has imported what trains and does nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["wm_lightning.cli"])


def start_script(
    script: Path, arguments: Sequence[object], folder: Path, out: str = os.devnull, err: str = os.devnull
) -> BaseProcess:
    """Starts ``python script arguments`` in a folder, with this process's environment; files get what it prints."""
    words = [str(script), *map(str, arguments)]
    process = FORKS.Process(target=_become, args=(words, str(folder), dict(os.environ), out, err))
    process.start()
    return process


def run_script(script: Path, *arguments: object, folder: Path, limit: float = 900) -> CompletedProcess[str]:
    """Runs ``python script arguments`` to its end, as ``subprocess.run`` does.

    Raises:
        TimeoutExpired: It took more seconds than ``limit``, and was killed.
    """
    words = [str(script), *map(str, arguments)]
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        process = start_script(script, arguments, folder, out.name, err.name)
        process.join(limit)
        if process.exitcode is None:
            process.kill()
            raise TimeoutExpired(words, limit)
        printed = [Path(file.name).read_text(encoding="utf-8") for file in (out, err)]
    return CompletedProcess(words, process.exitcode, *printed)


def _become(words: list[str], folder: str, environment: dict[str, str], out: str, err: str) -> None:
    """Runs in the new process."""
    for descriptor, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    multiprocessing.set_start_method(None, force=True)  # its loaders start as they do in a command
    sys.argv = words
    sys.path.insert(0, str(Path(words[0]).parent))
    runpy.run_path(words[0], run_name="__main__")
