"""What each choice of the recipe brings at equal training time: ``python benchmarks/ablation.py PHOTOS``.

Every row is ``experiment=general`` with one thing changed, trained from scratch for as many steps as fit the same time
on this machine: seconds a step are measured first. All are scored on the validation split with ``synthesis=held_out``,
256x256 pixels, one mark a picture. A stopped run goes on with the rows that are missing; the table is printed anew.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import hydra
import lightning as L

from wm_lightning.cli import CONF
from wm_lightning.runner.build import build_data, build_module, prepare

log = logging.getLogger("ablation")
TOP = Path(__file__).parents[1]
MEASURED = 10  # steps
UNMEASURED = 3

# Averaged weights of so short a run would be those of its middle.
BASE = ("experiment=general", "callbacks.ema.decay=0", "data.repeats=1000", "measure_every=50")
PAINTED = ("loss=color_aware", "loss.alpha=0", "loss.content=0")
PSNR_FIRST = ("loss.psnr=0.3", "loss.proposal=0.5", "loss.opacity=0.25", "loss.layer=0.25", "loss.content=0.15")
ROWS: dict[str, tuple[str, ...]] = {
    "the recipe": (),
    "the recipe, another seed": ("seed=1", "data.seed=0"),
    "head masked": ("model.head=masked", "loss=masked", "loss.content=0"),
    "head residual, the notebook's loss": ("model.head=residual", *PAINTED),
    "head full, the notebook's loss": ("model.head=full", *PAINTED),
    "loss: picture and mask alone": ("loss.proposal=0", "loss.opacity=0", "loss.layer=0", "loss.content=0"),
    "loss: content 1": ("loss.content=1",),
    "loss: SSIM too": ("loss.gamma=0.2",),
    "loss: PSNR too": ("loss.psnr=0.1",),
    "loss: PSNR 0.3, the others halved": PSNR_FIRST,
    "target a second view": ("data.target=reference",),
    "opacity from 0.3": ("synthesis.sampler.opacity=[0.3,1.0]",),
    "coverage: one to four marks": ("synthesis.sampler.count=[1,4]",),
    "a quarter of pictures unmarked": ("synthesis.unmarked=0.25",),
    "average of weights, 0.98": ("callbacks.ema.decay=0.98",),
    "crops of 64, batch 128": ("data.size=64", "data.batch_size=128", "synthesis.sampler.size=[0.4,4.0]"),
    "crops of 192, batch 14": ("data.size=192", "data.batch_size=14", "synthesis.sampler.size=[0.14,1.5]"),
    "batch 16": ("data.batch_size=16",),
    "AdamW": ("optim=adamw_cosine", "~optim.optimizer.adamw_lr", "optim.optimizer.lr=2e-3"),
    "self-attention at the bottom": ("model.attention=2",),
    "shuffle_unet_small": ("model=shuffle_unet_small",),
    "nafnet": ("model=nafnet", "model.head=layer"),
    "unet": ("model=unet", "model.head=layer"),
    "swcnn": ("model=swcnn", "model.head=layer"),
    "PSNR 0.3, coverage, average, batch 16": (
        *PSNR_FIRST,
        "synthesis.sampler.count=[1,4]",
        "callbacks.ema.decay=0.98",
        "data.batch_size=16",
    ),
}


class StepTimer(L.Callback):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *arguments: Any) -> None:  # noqa: ANN401 - Lightning's
        """Lightning's hook."""
        self.ends.append(time.perf_counter())


def seconds_a_step(overrides: list[str], folder: Path) -> float:
    """Trains a few steps; returns the median time of one, waiting for data included."""
    paths = [f"paths.output_dir={folder}", "data.split_dir=null", "data.repeats=1"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[*overrides, *paths])
    prepare(config)
    timer = StepTimer()
    trainer = L.Trainer(
        max_steps=UNMEASURED + MEASURED,
        limit_val_batches=0,
        precision=config.trainer.precision,
        gradient_clip_val=config.trainer.gradient_clip_val,
        logger=False,
        callbacks=[timer],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(build_module(config, config.data.target), build_data(config))
    ends = timer.ends[UNMEASURED - 1 :]
    return statistics.median(late - early for early, late in pairwise(ends))


def run(command: list[str], log_file: Path) -> None:
    """Runs one of the project's commands; what it prints goes to a file."""
    with log_file.open("a") as file:
        subprocess.run([sys.executable, *command], cwd=TOP, stdout=file, stderr=subprocess.STDOUT, check=True)


def train_and_score(name: str, photographs: str, minutes: float, folder: Path) -> dict[str, float]:
    """Trains one row and returns its scores; a row that was scored before is read."""
    record = folder / "scores.json"
    if record.exists():
        scores: dict[str, float] = json.loads(record.read_text())
        return scores
    folder.mkdir(parents=True, exist_ok=True)
    overrides = [*BASE, *ROWS[name], f"data.root={photographs}"]
    seconds = seconds_a_step(overrides, folder / "timing")
    steps = round(60 * minutes / seconds)
    short = [f"trainer.limit_train_batches={steps}", "trainer.max_epochs=1", "trainer.enable_progress_bar=false"]
    quiet = ["callbacks.progress=null", "callbacks.figures.names=[]", "test=false"]
    run(["train.py", *overrides, *short, *quiet, f"hydra.run.dir={folder / 'run'}"], folder / "log.txt")
    held_out = ["synthesis=held_out", "data.short_side=full", "data.size=256", "split=val", "report=false"]
    checkpoint = folder / "run" / "checkpoints" / "last.ckpt"
    evaluated = [f"ckpt={checkpoint}", f"data.root={photographs}", f"hydra.run.dir={folder / 'scored'}"]
    run(["evaluate.py", *evaluated, *held_out], folder / "log.txt")
    found = json.loads((folder / "scored" / "metrics.json").read_text())
    scores = {**found["test"], "steps": steps, "seconds_a_step": seconds}
    record.write_text(json.dumps(scores, indent=2))
    return scores


def main() -> None:
    """Trains, scores and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("--minutes", type=float, default=5, help="of training for each row")
    parser.add_argument("--output", type=Path, default=TOP / "outputs" / "ablation")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    options = parser.parse_args()
    table = ["| | steps | PSNR | gain | inside | outside | F1 |", "|---|---:|---:|---:|---:|---:|---:|"]
    for name in options.rows:
        folder = options.output / name.replace(" ", "_").replace(":", "").replace(",", "").replace("'", "")
        scores = train_and_score(name, options.photographs, options.minutes, folder)
        figures = (f"{scores[key]:.2f}" for key in ("psnr", "gain", "psnr_in", "psnr_out"))
        table.append(f"| {name} | {scores['steps']} | {' | '.join(figures)} | {scores['f1']:.3f} |")
        log.info(table[-1])
    doing_nothing = f"| do nothing | | {scores['psnr_input']:.2f} | | {scores['psnr_input_in']:.2f} | exact | |"
    log.info("\n%s", "\n".join((*table, doing_nothing)))


if __name__ == "__main__":
    main()
