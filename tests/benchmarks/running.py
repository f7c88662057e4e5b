"""Runs benchmarks, and reads what they print."""

import importlib
import io
import logging
import sys
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest

from tests.processes import FORKS, run_script

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(name, *arguments):
    return run_script(BENCHMARKS / f"{name}.py", *arguments, folder=Path.cwd())


def run_here(name, *arguments):
    """Runs a benchmark in this process, so that those that it starts are forked: each would import for seconds."""
    told, complained, ours = io.StringIO(), io.StringIO(), logging.getLogger("wm_lightning")
    level, status = ours.level, 0
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(complained):
        patch.syspath_prepend(BENCHMARKS)
        patch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        benchmark, ablation, start, turns = map(importlib.import_module, (name, "ablation", "start", "turns"))
        patch.setattr(ablation, "run", partial(run_command, error=ablation.RowError))
        patch.setattr(start, "begin", partial(begin, start.PROGRAM))
        patch.setattr(turns, "mp", SimpleNamespace(get_context=lambda kind: FORKS))
        benchmark.log.addHandler(handler := logging.StreamHandler(told))
        benchmark.log.setLevel(logging.INFO)
        try:
            benchmark.main()
        except SystemExit as end:
            status = end.code
        finally:
            benchmark.log.removeHandler(handler)
            ours.setLevel(level)
    if isinstance(status, str):
        complained.write(f"{status}\n")
    return CompletedProcess(name, int(bool(status)), told.getvalue(), complained.getvalue())


def run_command(command, log_file, error):
    """What an ablation does of each row, in a process that need not import."""
    done = run_script(BENCHMARKS.parent / command[0], *command[1:], folder=BENCHMARKS.parent)
    log_file.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise error(f"{command[0]} ended with status {done.returncode}: {done.stderr}")


def begin(program, root, what):
    """How a training begins, likewise; seconds and MiB."""
    script = root.with_name(f"{root.name}.py")
    script.write_text(program)
    done = run_script(script, root, what, folder=Path.cwd())
    script.unlink()
    assert done.returncode == 0, done.stderr
    seconds, memory = map(float, done.stdout.splitlines()[-1].split())
    return seconds, memory / 1024


def table_of(name, *arguments, run=run):
    """Runs a benchmark; returns the cells of each row of its tables by the first one, headers among them."""
    done = run(name, *arguments)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("|") and not line.startswith("|--")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


def filled(cells):
    return all(cell and "nan" not in cell for cell in cells)
