"""Times how long commands take to start: ``python benchmarks/start.py [FILE.onnx] [--rounds 9]``.

Seconds, each in a process of its own, all in turns: ``predict.py --help``, a picture of 64x64 pixels with PyTorch, and
with ONNX Runtime where a file that ``export.py`` wrote is given; beside them ``python -c "import torch"``, which no
command with PyTorch can be faster than. Medians, and the median of the ratios to that import, turn by turn.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

log = logging.getLogger("start")
PREDICT = str(Path(__file__).parents[1] / "predict.py")
IMPORT = 'python -c "import torch"'


def commands(folder: Path, weights: str, onnx: Path | None) -> dict[str, list[str]]:
    """Returns what is timed, by its name in the table; writes the picture."""
    picture = folder / "small.png"
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(picture)
    cleaning = [sys.executable, PREDICT, str(picture), "-o", str(folder / "out"), "--quiet", "--device", "cpu"]
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


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("onnx", nargs="?", type=Path, help="what export.py wrote; without it, PyTorch alone is timed")
    parser.add_argument("--weights", default="general")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        timed = commands(Path(name), options.weights, options.onnx)
        for command in timed.values():  # files that were never read come from the disk
            seconds_of(command)
        turns = [{what: seconds_of(command) for what, command in timed.items()} for _ in range(options.rounds)]
    log.info("| %d turns | seconds | of importing PyTorch |\n|---|---:|---:|", options.rounds)
    for what in timed:
        ratios = [turn[what] / turn[IMPORT] for turn in turns]
        told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        log.info("| `%s` | %.2f | %s |", what, statistics.median(turn[what] for turn in turns), told)


if __name__ == "__main__":
    main()
