"""What a GPU makes of the plain command, in one table: ``python benchmarks/gpu.py PHOTOS``.

For each batch size, images a second of this project's step, the share of its time that waits for pairs, and the peak
memory, in the machine's mixed precision and in float32; a batch that does not fit is said and left out. Then the plain
command itself, ``python train.py model=unet data=folder``, at the batch that was fastest in the first precision and for
as many steps as fit ``--minutes``, scored as ``ablation.py --recipe plain`` does. It runs on a CPU too, which is how it
is tried.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ablation import HEAD, RowError, measure_row, told
from ablation import read as read_ablation
from steps import DATA, ours
from training import configured
from training import read as read_training
from turns import ChildError, Children, Order

log = logging.getLogger("gpu")
NAME = "this project"
TOP = Path(__file__).parents[1]


def measure(photographs: str, size: int, batch: int, precision: str, steps: int, changes: Sequence[str]) -> float:
    """Measures a batch size, prints its row and returns the images a second."""
    settings = [f"trainer.precision={precision}", *changes]
    arguments = [photographs, "--size", str(size), "--batch-size", str(batch)]
    options = read_training([*arguments, *(word for change in settings for word in ("--set", change))])
    with tempfile.TemporaryDirectory() as folder:
        config = configured(options, folder)
        with Children({NAME: ours}, config) as children:
            children.turn(NAME, Order(2))
            turn = children.turn(NAME, Order(steps))
            memory = children.finish(NAME)
    rate = batch * steps / turn.seconds
    waited = sum(part.get(DATA, 0.0) for part in turn.parts)
    log.info(
        "| %s | %d | %.1f | %.1f %% | %.2f GiB |",
        config.trainer.precision, batch, rate, 100 * waited / turn.seconds, memory / 2**30,
    )  # fmt: skip
    return rate


def main() -> None:
    """Measures, trains and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32, 128, 512])
    parser.add_argument("--precisions", nargs="+", default=["auto", "32-true"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5, help="of the plain command; 0 leaves it out")
    parser.add_argument("--pictures", type=int, default=200, help="of the validation split, at most")
    parser.add_argument("--output", type=Path, default=TOP / "outputs" / "gpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for train.py")
    options = parser.parse_args()
    log.info("| precision | batch | images/s | waiting for data | peak memory |\n|---|---:|---:|---:|---:|")
    rates: dict[int, float] = {}  # in the precision that the training takes
    for precision in options.precisions:
        for batch in options.batches:
            try:
                rate = measure(options.photographs, options.size, batch, precision, options.steps, options.set)
                if precision == options.precisions[0]:
                    rates[batch] = rate
            except ChildError as error:
                log.info("| %s | %d | %s | | |", precision, batch, error)
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
