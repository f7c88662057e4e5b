"""What a GPU makes of the project, in at most eight minutes: ``python benchmarks/gpu.py PHOTOS``.

Four parts, each with a time of its own; what is cut off says so. It runs on a CPU too, which is how it is tried.

1. Pairs: how many a core makes a second, whole and as layers that the device puts together (see ``pairs.py``).
2. Networks: images a second of a training step at each batch, the share of its time that waits for pairs, what it would
   be without waiting, how many cores make as many pairs, and the peak memory; at the fastest batch also with
   ``data.device_synthesis=true``. A batch that does not fit is said and left out.
3. The recipe ``experiment=watermarkcnn`` as typed, on all photographs, to its end. On 1,000 it is meant to take less
   than five minutes.
4. The first stage of the shipped network's recipe (``weights/general.yaml``), from nothing: its gain on validation
   pictures over the minutes.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import ablation
import pairs
import torch
from curves import read_curve
from steps import DATA, ours
from training import configured
from training import read as read_training
from turns import ChildError, Children, Order

from wm_lightning.commands import override
from wm_lightning.errors import UserError

log = logging.getLogger("gpu")
NAME = "this project"
TOP = Path(__file__).parents[1]
MODELS = ("unet", "pixel_unshuffle_unet", "nafnet", "swcnn", "dncnn")
HEAD = (
    "| network | pairs put together by | precision | batch | images/s | waiting | without waiting | cores for that | "
    "peak memory |\n|---|---|---|---:|---:|---:|---:|---:|---:|"
)
AROUND = 0.5  # minutes that a training takes beside its steps: its start, the last validation, scores
# Short epochs, each with a validation of few pictures
CURVE = (
    "experiment=best", "data.size=128", "data.batch_size=32", "data.repeats=1", "trainer.limit_val_batches=4",
    "callbacks.figures.names=[]", "test=false",
)  # fmt: skip


class Row(NamedTuple):
    """What is measured: a network, who puts pairs together, a precision of the trainer, and pictures in a step."""

    model: str
    by: str
    precision: str
    batch: int


def measure(row: Row, options: argparse.Namespace, shares: pairs.Shares) -> float:
    """Measures a row, prints it and returns the images a second."""
    settings = [f"model={row.model}", f"trainer.precision={row.precision}", *options.set]
    settings += ["data.device_synthesis=true"] if row.by == "device" else []
    words = [options.photographs, "--size", str(options.size), "--batch-size", str(row.batch)]
    arguments = read_training([*words, *(word for change in settings for word in ("--set", change))])
    with TemporaryDirectory() as folder:
        config = configured(arguments, folder)
        with Children({NAME: ours}, config) as children:
            children.turn(NAME, Order(2))
            turn = children.turn(NAME, Order(options.steps))
            memory = children.finish(NAME)
    pictures = row.batch * options.steps
    waited = sum(part.get(DATA, 0.0) for part in turn.parts)
    eaten = pictures / (turn.seconds - waited)
    made = shares.layers if row.by == "device" else shares.whole
    log.info(
        "| `%s` | %s | %s | %d | %.1f | %.1f %% | %.1f | %.2f | %.2f GiB |",
        row.model, row.by, config.trainer.precision, row.batch, pictures / turn.seconds, 100 * waited / turn.seconds,
        eaten, eaten / made, memory / 2**30,
    )  # fmt: skip
    return float(pictures / turn.seconds)


def networks(minutes: float, options: argparse.Namespace, shares: pairs.Shares) -> None:
    """Measures each network in an equal part of the time; its first row in any case."""
    log.info("\n%s", HEAD)
    began = time.monotonic()
    for number, model in enumerate(options.models, start=1):
        until = began + 60 * minutes * number / len(options.models)
        for precision in options.precisions:
            rates: dict[int, float] = {}
            for row in _rows(model, precision, options.batches, rates):
                try:
                    if rates and time.monotonic() > until:
                        log.info("| `%s` | %s | %s | %d | left out: no time | | | | |", *row)
                        continue
                    rate = measure(row, options, shares)
                    if row.by == "loaders":
                        rates[row.batch] = rate
                except ChildError as error:
                    log.info("| `%s` | %s | %s | %d | %s | | | | |", *row, error)


def _rows(model: str, precision: str, batches: Sequence[int], rates: dict[int, float]) -> Iterator[Row]:
    """Yields a network's rows; ``rates`` are filled between them."""
    for batch in batches:
        yield Row(model, "loaders", precision, batch)
    if rates:
        yield Row(model, "device", precision, max(rates, key=lambda batch: rates[batch]))


def train(name: str, settings: Sequence[str], minutes: float, options: argparse.Namespace) -> Path:
    """Trains for at most so many minutes; returns the run's folder.

    Raises:
        ablation.RowError: It failed.
    """
    folder = options.output / f"{name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    folder.mkdir(parents=True)
    root, place = (override(key, str(path.resolve())) for key, path in (
        ("data.root", Path(options.photographs)), ("hydra.run.dir", folder),
    ))  # fmt: skip
    trainer = f"trainer={'gpu' if torch.cuda.is_available() else 'cpu'}"
    limit = f"trainer.max_time={max_time(minutes)}"
    words = [trainer, "trainer.enable_progress_bar=false", limit, root, place, *settings, *options.train]
    ablation.run(["train.py", *words], folder / "log.txt")
    return Path(folder)


def max_time(minutes: float) -> str:
    """Returns a time as Lightning reads it: days, hours, minutes and seconds; at least a second."""
    rest, parts = max(1, round(60 * minutes)), []
    for length in (60, 60, 24):
        rest, part = divmod(rest, length)
        parts.append(part)
    return ":".join(f"{part:02d}" for part in (rest, *reversed(parts)))


def recipe(minutes: float, options: argparse.Namespace) -> None:
    """Trains the notebook's recipe to its end, and tells how long that took, or would take."""
    began = time.monotonic()
    folder = train("watermarkcnn", ["experiment=watermarkcnn"], minutes, options)
    took = (time.monotonic() - began) / 60
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    steps, wanted, scores = summary["history"][-1]["step"], last["total_steps"], summary["test"]
    log.info(
        "\n| `experiment=watermarkcnn` | minutes, start and test included | steps | PSNR | gain | gain inside |\n"
        "|---|---:|---:|---:|---:|---:|\n| %d photographs | %.2f | %d of %d | %.2f | %+.2f | %+.2f |",
        sum(summary["photographs"].values()), took, steps, wanted, scores["psnr"], scores["gain"],
        scores["gain_in"],
    )  # fmt: skip
    trained = summary["training_time_min"]
    if steps < wanted and trained >= minutes:
        whole = trained * wanted / steps
        log.info("cut off after %.2f minutes of training: all %d steps would take %.1f", trained, wanted, whole)


def curve(minutes: float, options: argparse.Namespace) -> None:
    """Trains the shipped network's recipe from nothing, and tells how good it was when."""
    points = read_curve("best", train("best", CURVE, minutes, options)).points
    log.info("\n| `experiment=best`: minutes | gain | gain inside |\n|---:|---:|---:|")
    both = list(zip(points["val/gain"], points["val/gain_in"], strict=True))
    for (at, gain), (_, inside) in both[:: -(-len(both) // 12)]:
        log.info("| %.2f | %+.2f | %+.2f |", at, gain, inside)
    log.info("cut off after %.2f minutes, as is meant; nights make the shipped network", minutes)


def main() -> None:
    """Measures, trains and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    options = read()
    began = time.monotonic()
    settings = [f"data.size={options.size}", *options.set]
    shares = pairs.measure(options.photographs, settings, options.pair_seconds, max(options.batches))
    log.info("%s\n%s", pairs.HEAD, pairs.told("the plain command", options.size, shares))

    def left() -> float:
        return float(options.limit) - (time.monotonic() - began) / 60

    networks(min(options.minutes[0], left()), options, shares)
    for part, minutes in ((recipe, options.minutes[1]), (curve, options.minutes[2])):
        granted = min(minutes, left() - AROUND)
        if granted <= 0:
            log.info("\n%s: left out: no time", part.__name__)
            continue
        try:
            part(granted, options)
        except (ablation.RowError, UserError) as error:
            log.info("\n%s: %s", part.__name__, error)


def read() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("--size", type=int, default=96, help="of the first two parts")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--precisions", nargs="+", default=["auto"], help="auto: the machine's mixed one; 32-true")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--pair-seconds", type=float, default=6, help="that a core makes pairs, twice")
    parser.add_argument(
        "--minutes", type=float, nargs=3, default=[1.3, 4.2, 0.6], help="of the other parts; 0: without"
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=8,
        help="minutes for all of it; pairs and the first row of each network are measured in any case",
    )
    parser.add_argument("--output", type=Path, default=TOP / "outputs" / "gpu")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as for train.py; parts 1 and 2"
    )
    parser.add_argument("--train", action="append", default=[], metavar="KEY=VALUE", help="for 3 and 4")
    return parser.parse_args()


if __name__ == "__main__":
    main()
