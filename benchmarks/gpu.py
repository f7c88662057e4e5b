"""What a GPU makes of the plain command, in one table: ``python benchmarks/gpu.py PHOTOS``.

First a core makes pairs for some seconds. Then, for each network and batch size, images a second of this project's
step, the share of its time that waits for pairs, and the peak memory, in the machine's mixed precision; what the step
would take without waiting, and how many cores make that many pairs. A batch that does not fit is said and left out.
Then the plain command itself, ``python train.py model=unet data=folder``, at the batch that was fastest for the first
network in the first precision and for as many steps as fit ``--minutes``, scored as ``ablation.py --recipe plain``
does. Rows that would not leave it this time within ``--limit`` are left out, and said to be. It runs on a CPU too,
which is how it is tried.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ablation import HEAD, RowError, measure_row, told
from ablation import read as read_ablation
from steps import DATA, ours
from training import configured
from training import read as read_training
from turns import ChildError, Children, Order

from wm_lightning.runner.build import build_data

log = logging.getLogger("gpu")
NAME = "this project"
TOP = Path(__file__).parents[1]
MODELS = ("unet", "pixel_unshuffle_unet", "nafnet", "swcnn", "dncnn")
SCORING = 1.0  # minutes that the plain command's start and scores take beside its training


class Row(NamedTuple):
    """What is measured: a network, a precision of the trainer, and pictures in a step."""

    model: str
    precision: str
    batch: int


def pairs_a_second(options: argparse.Namespace) -> float:
    """Makes pairs on one core, as a loader process does, and returns how many a second of its time."""
    with tempfile.TemporaryDirectory() as folder:
        data = build_data(configured(_arguments(options, options.set), folder))
        data.setup()
        pairs = data.pairs("train")
        keys = (divmod(number, len(pairs)) for number in itertools.count())
        for _ in range(2):  # letters and words that were drawn the first time are remembered
            began, made = time.process_time(), 0
            while time.process_time() - began < options.pair_seconds:
                pairs.draw([next(keys)])
                made += 1
        return made / (time.process_time() - began)


def _arguments(options: argparse.Namespace, settings: Sequence[str], batch: int | None = None) -> argparse.Namespace:
    words = [options.photographs, "--size", str(options.size)]
    words += [] if batch is None else ["--batch-size", str(batch)]
    return read_training([*words, *(word for change in settings for word in ("--set", change))])


def measure(row: Row, options: argparse.Namespace, pairs: float) -> float:
    """Measures a row, prints it and returns the images a second.

    Args:
        row: What is measured.
        options: Of this benchmark.
        pairs: That a core makes a second.
    """
    settings = [f"model={row.model}", f"trainer.precision={row.precision}", *options.set]
    steps, batch = options.steps, row.batch
    with tempfile.TemporaryDirectory() as folder:
        config = configured(_arguments(options, settings, batch), folder)
        with Children({NAME: ours}, config) as children:
            children.turn(NAME, Order(2))
            turn = children.turn(NAME, Order(steps))
            memory = children.finish(NAME)
    rate: float = batch * steps / turn.seconds
    waited = sum(part.get(DATA, 0.0) for part in turn.parts)
    eaten = batch * steps / (turn.seconds - waited)
    log.info(
        "| `%s` | %s | %d | %.1f | %.1f %% | %.1f | %.2f | %.2f GiB |",
        row.model, config.trainer.precision, batch, rate, 100 * waited / turn.seconds, eaten, eaten / pairs,
        memory / 2**30,
    )  # fmt: skip
    return rate


def main() -> None:
    """Measures, trains and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--precisions", nargs="+", default=["auto"], help="auto: the machine's mixed one; 32-true")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--pair-seconds", type=float, default=3, help="that a core makes pairs, twice")
    parser.add_argument("--minutes", type=float, default=2.5, help="of the plain command; 0 leaves it out")
    parser.add_argument("--limit", type=float, default=8, help="minutes for all of it, scoring included")
    parser.add_argument("--pictures", type=int, default=200, help="of the validation split, at most")
    parser.add_argument("--output", type=Path, default=TOP / "outputs" / "gpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for train.py")
    options = parser.parse_args()
    began = time.monotonic()
    pairs = pairs_a_second(options)
    log.info("a core makes %.0f pairs of %dx%d a second\n", pairs, options.size, options.size)
    log.info("| network | precision | batch | images/s | waiting | without waiting | cores for that | peak memory |")
    log.info("|---|---|---:|---:|---:|---:|---:|---:|")
    rates: dict[int, float] = {}  # of the network and in the precision that the training takes
    for each in (Row(*three) for three in itertools.product(options.models, options.precisions, options.batches)):
        left = options.limit - options.minutes - SCORING - (time.monotonic() - began) / 60
        try:
            if rates and left < 0:
                log.info("| `%s` | %s | %d | left out: no time | | | | |", *each)
                continue
            rate = measure(each, options, pairs)
            if (each.model, each.precision) == (options.models[0], options.precisions[0]):
                rates[each.batch] = rate
        except ChildError as error:
            log.info("| `%s` | %s | %d | %s | | | | |", *each, error)
    if not rates:
        sys.exit("error: no batch could be measured.")
    if options.minutes:
        fastest = max(rates, key=lambda batch: rates[batch])
        precision = f"trainer.precision={options.precisions[0]}"
        changes = [f"data.size={options.size}", f"data.batch_size={fastest}", precision, *options.set]
        words = [options.photographs, "--recipe", "plain", "--rows", "the defaults", "--minutes", str(options.minutes)]
        more = ["--pictures", str(options.pictures), "--output", str(options.output)]
        row = read_ablation([*words, *more, *(word for change in changes for word in ("--set", change))])
        try:
            scores = measure_row("the defaults", row)
        except RowError as error:
            sys.exit(f"error: {error}")
        log.info("\n%s\n%s", HEAD, told(f"{options.minutes:g} minutes, batch {fastest}", scores))


if __name__ == "__main__":
    main()
