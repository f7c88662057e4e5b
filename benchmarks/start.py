"""Times how long commands take to start: ``python benchmarks/start.py [FILE.onnx] [--rounds 9]``.

Seconds, each in a process of its own, all in turns: ``predict.py --help``, a picture of 64x64 pixels with PyTorch, and
with ONNX Runtime where a file that ``export.py`` wrote is given; beside them ``python -c "import torch"``, which no
command with PyTorch can be faster than. Medians, and the median of the ratios to that import, turn by turn.

With ``--photographs FOLDER --count 100000`` it times in place of these how a training on so many photographs begins.
They are links to those of the folder, over and over, or copies where there can be no links. Several counts, ``--count
1000 10000 100000``, tell how cost grows, of ``data=folder`` beside ``data=streaming`` from shards of the same ones:
seconds to the first batch and memory, then pairs a second of processor time, all in one process.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from wm_lightning.data.index import NAME
from wm_lightning.data.sharding import optimize
from wm_lightning.data.sources import find_names

log = logging.getLogger("start")
PREDICT = str(Path(__file__).parents[1] / "predict.py")
IMPORT = 'python -c "import torch"'
FOLDER_SIZE = 1000  # linked photographs in a folder

# What a data module does until its first batch, what it did before there was an index, and what an index costs. Each
# prints its seconds, without those of importing, and the KiB of the largest of its processes.
PROGRAM = """
import resource, sys, time
from pathlib import Path
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from wm_lightning.data.indexing import index_folder
from wm_lightning.data.sources import FolderSource, decode, each_of
from wm_lightning.files import CONF
root, what = sys.argv[1:]
with initialize_config_dir(str(CONF), version_base="1.3"):
    changes = ["data=folder", f"data.root={root}", "data.num_workers=1", "paths.output_dir=/nowhere"]
    config = compose("train", overrides=changes).data
began = time.perf_counter()
if what == "index":
    index_folder(Path(root))
else:
    if what == "all":
        for _ in each_of(FolderSource(root).names, lambda name: decode(Path(root, name), 8), "decoding"):
            pass
    data = instantiate(config)
    data.setup()
    next(iter(data.train_dataloader()))
seconds = time.perf_counter() - began
memory = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(seconds, max(memory))
"""

# The same of any source, in one process; then the pairs a second of processor time that it makes.
GROWTH = """
import resource, sys, time
from itertools import chain, repeat
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from wm_lightning.files import CONF
root, kind = sys.argv[1:]
with initialize_config_dir(str(CONF), version_base="1.3"):
    changes = [f"data={kind}", f"data.root={root}", "data.num_workers=0", "paths.output_dir=/nowhere"]
    config = compose("train", overrides=changes).data
began = time.perf_counter(), time.process_time()
data = instantiate(config)
data.setup()
loader = data.train_dataloader()
batches = chain.from_iterable(repeat(loader))
next(batches)
seconds, processor = time.perf_counter() - began[0], time.process_time() - began[1]
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = [len(next(batches).name) for _ in range(40)]
rate = sum(made) / (time.process_time() - began[1] - processor)
print(seconds, processor, memory / 1024, rate)
"""
KINDS = ("folder", "streaming")


def commands(folder: Path, weights: str, onnx: Path | None) -> dict[str, list[str]]:
    """Returns what is timed, by its name in the table; writes the picture."""
    picture = folder / "small.png"
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(picture)
    cleaning = [
        sys.executable,
        PREDICT,
        str(picture),
        "-o",
        str(folder / "out"),
        "--overwrite",
        "--quiet",
        "--device",
        "cpu",
    ]
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "predict.py --help": [sys.executable, PREDICT, "--help"],
        IMPORT: [sys.executable, "-c", "import torch"],
        "predict.py small.png": [*cleaning, "--weights", weights],
    }
    if onnx is not None:
        found["predict.py small.png --engine onnx"] = [*cleaning, "--engine", "onnx", "--weights", str(onnx)]
    return found


def seconds_of(command: list[str]) -> float:
    """Runs a command to its end; returns how long that took.

    Raises:
        SystemExit: It failed.
    """
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
    return taken


def link(source: Path, target: Path, count: int) -> None:
    """Fills a folder with so many photographs: those of another one, over and over."""
    names = find_names(source)
    for number in range(count):
        original = source / names[number % len(names)]
        here = target / f"{number // FOLDER_SIZE:04d}" / f"{number:07d}{original.suffix}"
        here.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(original, here)
        except OSError:  # it is on another disk
            shutil.copy(original, here)


def begin(root: Path, what: str) -> tuple[float, float]:
    """Runs the program; returns its seconds and MiB.

    Raises:
        SystemExit: It failed.
    """
    seconds, memory = run(PROGRAM, root, what)
    return seconds, memory / 1024


def run(program: str, root: Path, what: str) -> list[float]:
    """Runs a program; returns the numbers in its last line.

    Raises:
        SystemExit: It failed.
    """
    done = subprocess.run([sys.executable, "-c", program, str(root), what], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what} failed: {done.stderr}")
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def time_photographs(source: Path, count: int, rounds: int) -> None:
    """Prints how a training on many photographs begins, and what the index costs."""
    rows = (
        "first batch, every file decoded before",
        "first batch",
        "index",
        "index, again",
        "first batch, with an index",
    )
    whats = ("all", "start", "index", "index", "start")
    turns: list[list[tuple[float, float]]] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        link(source, root, count)
        for photograph in find_names(source):  # files that were never read come from the disk
            (source / photograph).read_bytes()
        for _ in range(rounds):
            turns.append([begin(root, what) for what in whats])
            (root / NAME).unlink()
    log.info("| %d photographs, %d turns | seconds | ratio | MiB |\n|---|---:|---:|---:|", count, rounds)
    for place, row in enumerate(rows):
        ratios = [turn[place][0] / turn[0][0] for turn in turns]
        seconds, memory = (statistics.median(turn[place][value] for turn in turns) for value in (0, 1))
        told = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        log.info("| %s | %.2f | %s | %.0f |", row, seconds, told, memory)


def grow(source: Path, counts: list[int], rounds: int) -> None:
    """Prints what a training costs at its beginning and then, by the number of photographs and where they are."""
    log.info("| photographs | data | seconds | of processor time | MiB | pairs a second of processor time | ratio |")
    log.info("|---:|---|---:|---:|---:|---:|---:|")
    for photograph in find_names(source):  # files that were never read come from the disk
        (source / photograph).read_bytes()
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            roots = {kind: Path(name, kind) for kind in KINDS}
            link(source, roots["folder"], count)
            optimize(str(roots["folder"]), str(roots["streaming"]))
            turns = [{kind: run(GROWTH, roots[kind], kind) for kind in KINDS} for _ in range(rounds)]
        for kind in KINDS:
            seconds, processor, memory, rate = (
                statistics.median(turn[kind][value] for turn in turns) for value in range(4)
            )
            ratio = statistics.median(turn[kind][3] / turn["folder"][3] for turn in turns)
            told = f"| {seconds:.2f} | {processor:.2f} | {memory:.0f} | {rate:.0f} | {ratio:.2f} |"
            log.info("| %d | `%s` %s", count, kind, told)


def time_commands(weights: str, onnx: Path | None, rounds: int) -> None:
    """Prints how long commands take to start."""
    with tempfile.TemporaryDirectory() as name:
        timed = commands(Path(name), weights, onnx)
        for command in timed.values():  # files that were never read come from the disk
            seconds_of(command)
        turns = [{what: seconds_of(command) for what, command in timed.items()} for _ in range(rounds)]
    log.info("| %d turns | seconds | of importing PyTorch |\n|---|---:|---:|", rounds)
    for what in timed:
        ratios = [turn[what] / turn[IMPORT] for turn in turns]
        told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        log.info("| `%s` | %.2f | %s |", what, statistics.median(turn[what] for turn in turns), told)


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("onnx", nargs="?", type=Path, help="what export.py wrote; without it, PyTorch alone is timed")
    parser.add_argument("--weights", default="general")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--photographs", type=Path, help="folder: times how a training on many of its pictures begins")
    parser.add_argument("--count", type=int, nargs="+", default=[100_000], help="of these photographs; several: growth")
    options = parser.parse_args()
    if options.photographs is not None and len(options.count) > 1:
        grow(options.photographs, options.count, options.rounds)
    elif options.photographs is not None:
        time_photographs(options.photographs, options.count[0], options.rounds)
    else:
        time_commands(options.weights, options.onnx, options.rounds)


if __name__ == "__main__":
    main()
