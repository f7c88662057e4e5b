"""What each choice of a recipe brings at equal training time: ``python benchmarks/ablation.py PHOTOS --recipe plain``.

Every row is a recipe with one thing changed, trained from scratch for as many steps as fit the same time on this
machine: seconds a step are measured first, waiting for data included. ``plain`` is ``python train.py model=unet
data=folder`` with all its defaults, scored on marks of its training, 128x128 pixels; ``general`` is
``experiment=general``, scored on ``synthesis=held_out``, 256x256 pixels, one mark a picture. All are scored on the
validation split of the same photographs, with the weights that the run's one validation, at its end, found better:
those in training or their average. A row's figures are means over its seeds, which change the weights it begins with
and not the pairs.

A stopped run goes on with what is missing; the table is printed anew. ``recipes.py`` has the rows.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import re
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import lightning as L
from recipes import RECIPES, Recipe
from steps import bare_trainer

from wm_lightning.commands import override
from wm_lightning.files import CONF
from wm_lightning.runner.build import build_data, build_module, prepare
from wm_lightning.runner.explanations import explain

log = logging.getLogger("ablation")
TOP = Path(__file__).parents[1]
MEASURED = 10  # steps
UNMEASURED = 3
QUIET = (
    *("callbacks.first_look=null", "callbacks.figures.names=[]", "logger=none"),
    *("trainer.enable_progress_bar=false", "test=false"),
)
SCORED_AT_ONCE = 8  # pictures
HEAD = "| | steps | PSNR | gain | its spread | gain inside | outside | F1 |\n|---|---:|---:|---:|---:|---:|---:|---:|"


class RowError(Exception):
    """A row cannot be measured; the message says why."""


class Speed(NamedTuple):
    """What was measured before a row's training.

    Attributes:
        seconds: Of a step, the median.
        photographs: Of the training split.
        batch_size: Pictures in a step.
    """

    seconds: float
    photographs: int
    batch_size: int


class StepTimer(L.Callback):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *arguments: Any) -> None:  # noqa: ANN401 - Lightning's
        """Lightning's hook."""
        self.ends.append(time.perf_counter())


def measure_speed(overrides: Sequence[str], folder: Path) -> Speed:
    """Trains a few steps."""
    here = [override("paths.output_dir", str(folder)), "data.split_dir=null"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[*overrides, *here])
    prepare(config)
    datamodule = build_data(config)
    photographs, steps = len(datamodule.pairs("train")), UNMEASURED + MEASURED
    datamodule.repeats = math.ceil(steps * datamodule.batch_size / photographs)
    timer = StepTimer()
    trainer = bare_trainer(config, [timer], steps)
    trainer.fit(build_module(config, datamodule.target), datamodule)
    ends = timer.ends[UNMEASURED - 1 :]
    seconds = statistics.median(late - early for early, late in pairwise(ends))
    return Speed(seconds, photographs, datamodule.batch_size)


def run(command: Sequence[str], log_file: Path) -> None:
    """Runs one of the project's commands; what it prints goes to a file.

    Raises:
        RowError: It failed.
    """
    with log_file.open("a", encoding="utf-8") as file:
        status = subprocess.run([sys.executable, *command], cwd=TOP, stdout=file, stderr=file, check=False).returncode
    if status:
        raise RowError(f"{command[0]} ended with status {status}; {log_file} has its words")


def kept(record: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Returns what an earlier run of the same row found, None where there was none.

    Raises:
        RowError: It was another row.
    """
    if not record.exists():
        return None
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    if found["settings"] != settings:
        raise RowError(f"{record} is of other settings; remove it, or give another --output")
    return found


def speed_of(overrides: Sequence[str], folder: Path) -> Speed:
    """Measures a row's speed, or reads what was measured before: all seeds take equally many steps."""
    record, settings = folder / "speed.json", {"overrides": list(overrides)}
    found = kept(record, settings)
    if found is None:
        found = {"settings": settings, "speed": measure_speed(overrides, folder / "speed")}
        record.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return Speed(*found["speed"])


def train_and_score(
    recipe: Recipe, overrides: Sequence[str], seed: int, options: argparse.Namespace, folder: Path
) -> dict[str, float]:
    """Trains one row with one seed and returns its scores; one that was scored before is read."""
    settings = {"overrides": list(overrides), "minutes": options.minutes, "pictures": options.pictures}
    record = folder / f"seed_{seed}" / "scores.json"
    found = kept(record, settings)
    if found is None:
        record.parent.mkdir(parents=True, exist_ok=True)
        speed = speed_of(overrides, folder)
        steps = max(1, round(60 * options.minutes / speed.seconds))
        length = [
            f"trainer.limit_train_batches={steps}",
            "trainer.max_epochs=1",
            f"data.repeats={math.ceil(steps * speed.batch_size / speed.photographs)}",
            f"trainer.limit_val_batches={math.ceil(options.pictures / speed.batch_size)}",
        ]
        words, trained, scored = (record.with_name(name) for name in ("log.txt", "run", "scored"))
        seeds = [f"seed={seed}", "data.seed=0"]
        run(["train.py", *overrides, *seeds, *length, override("hydra.run.dir", str(trained))], words)
        checkpoint = [override("ckpt", str(trained / "checkpoints" / "last.ckpt"))]
        pictures = f"+trainer.limit_test_batches={math.ceil(options.pictures / SCORED_AT_ONCE)}"
        chosen = ["split=val", "report=false", f"data.batch_size={SCORED_AT_ONCE}", pictures, *recipe.scored]
        run(["evaluate.py", *checkpoint, *chosen, override("hydra.run.dir", str(scored))], words)
        scores = json.loads((scored / "metrics.json").read_text(encoding="utf-8"))["test"]
        found = {"settings": settings, "scores": {**scores, "steps": steps, "seconds_a_step": speed.seconds}}
        record.write_text(json.dumps(found, indent=2), encoding="utf-8")
    scores_of_row: dict[str, float] = found["scores"]
    return scores_of_row


def measure_row(name: str, options: argparse.Namespace) -> list[dict[str, float]]:
    """Returns a row's scores with each seed.

    Raises:
        RowError: It cannot be measured.
    """
    recipe = RECIPES[options.recipe]
    folder = options.output / options.recipe / re.sub(r"\W+", "_", name)
    root = override("data.root", str(options.photographs.resolve()))
    overrides = [*recipe.base, root, *QUIET, *recipe.rows[name], *options.set]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return [train_and_score(recipe, overrides, seed, options, folder) for seed in options.seeds]
    except RowError:
        raise
    except Exception as error:  # the other rows go on
        (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        sentence = explain(error) or f"{type(error).__name__}, see {folder / 'error.txt'}"
        raise RowError(sentence) from error


def told(name: str, scores: Sequence[dict[str, float]]) -> str:
    """Returns a row of the table."""
    mean = {key: statistics.mean(found[key] for found in scores) for key in ("psnr", "gain", "gain_in", "psnr_out")}
    gains = [found["gain"] for found in scores]
    spread = f"{max(gains) - min(gains):.2f}" if len(gains) > 1 else ""
    return (
        f"| {name} | {scores[0]['steps']} | {mean['psnr']:.2f} | {mean['gain']:+.2f} | {spread} | "
        f"{mean['gain_in']:+.2f} | {mean['psnr_out']:.2f} | {statistics.mean(found['f1'] for found in scores):.3f} |"
    )


def read(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--recipe", default="general", choices=list(RECIPES))
    parser.add_argument("--minutes", type=float, default=5, help="of training for each row and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="their names; without, all")
    parser.add_argument("--pictures", type=int, default=200, help="of the validation split, at most")
    parser.add_argument("--output", type=Path, default=TOP / "outputs" / "ablation")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all rows, as for train.py")
    options = parser.parse_args(arguments)
    known = list(RECIPES[options.recipe].rows)
    options.rows = options.rows or known
    options.output = options.output.resolve()
    for name in options.rows:
        if name not in known:
            parser.error(f"there is no row {name!r}; choose from: {'; '.join(known)}")
    return options


def main() -> None:
    """Trains, scores and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)  # each row has a log of its own
    options = read()
    table, nothing, failed = [HEAD], "", False
    for name in options.rows:
        try:
            scores = measure_row(name, options)
            table.append(told(name, scores))
            nothing = f"| identity | | {scores[0]['psnr_input']:.2f} | 0 | | 0 | exact | |"
        except RowError as error:
            table.append(f"| {name} | failed: {error} |")
            failed = True
        log.info(table[-1])
    log.info("\n%s", "\n".join(filter(None, (*table, nothing))))
    sys.exit(failed)


if __name__ == "__main__":
    main()
