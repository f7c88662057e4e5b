"""What loader processes do for a pair, and what a device can take from them: ``python benchmarks/pairs.py PHOTOS``.

For each recipe the pairs a second of processor time that a core makes whole, and those of which it only draws what
``data.device_synthesis=true`` leaves to it; both draw the same pairs, one after the other, so that the ratio holds on a
machine whose speed changes. Beside them the pairs a second that the device puts together from what was drawn, a GPU
where there is one.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from training import configured
from training import read as read_training

from wm_lightning.data.datamodule import WatermarkDataModule
from wm_lightning.data.pairs import StagePairs
from wm_lightning.runner.build import build_data
from wm_lightning.types import collate

log = logging.getLogger("pairs")
NO_WEBP = "synthesis.degradation.webp=0"  # which no device computes
RECIPES: dict[str, tuple[str, ...]] = {
    "the plain command": (),
    "the same, `augment=none data.target=clean`": ("augment=none", "data.target=clean"),
    "`experiment=watermarkcnn`": ("experiment=watermarkcnn",),
    "`experiment=real`": ("experiment=real", "data.cache=none", NO_WEBP),
}
HEAD = (
    "| recipe | side | whole pairs a second of a core | layers of pairs | ratio | the device, pairs a second |\n"
    "|---|---:|---:|---:|---:|---:|"
)


class Shares(NamedTuple):
    """What one core does in a second of its time, and what a device does.

    Attributes:
        whole: Pairs that a core makes.
        layers: Pairs whose photographs and layers a core draws, which the device puts together.
        device: Pairs that the device puts together.
    """

    whole: float
    layers: float
    device: float


def measure(photographs: str, settings: Sequence[str], seconds: float, batch: int) -> Shares:
    """Makes pairs in both ways, by turns.

    Args:
        photographs: The folder.
        settings: As for train.py, without ``data.root``.
        seconds: Of processor time, of both together; as long before, since words are remembered once they are drawn.
        batch: Pairs that the device puts together at once.
    """
    words = [photographs, *(word for change in (*settings, "data.num_workers=0") for word in ("--set", change))]
    with tempfile.TemporaryDirectory() as folder:
        plain = build_data(configured(read_training(words), folder))
        other = build_data(configured(read_training([*words, "--set", "data.device_synthesis=true"]), folder))
        ways = [plain.pairs("train"), other.pairs("train")]
        _alternate(ways, 0, seconds)
        whole, layers = _alternate(ways, 1000, seconds)
        assert isinstance(other, WatermarkDataModule)
        return Shares(1 / whole, 1 / layers, _on_device(other, batch))


def _alternate(ways: Sequence[StagePairs], epoch: int, seconds: float) -> list[float]:
    """Draws the same pairs in each way; returns the seconds of processor time that a pair takes in each."""
    taken, began = [0.0 for _ in ways], time.process_time()
    for number in itertools.count():
        epochs, index = divmod(number, len(ways[0]))
        turn = range(len(ways)) if number % 2 else reversed(range(len(ways)))
        for way in turn:
            start = time.process_time()
            ways[way].draw([(epoch + epochs, index)])
            taken[way] += time.process_time() - start
        if time.process_time() - began > seconds:
            return [one / (number + 1) for one in taken]
    raise AssertionError  # there are always more numbers


def _on_device(data: WatermarkDataModule, batch: int) -> float:
    """Returns how many pairs a second the device puts together."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pairs = data.pairs("train")
    packed = collate(pairs.draw([divmod(number, len(pairs)) for number in range(batch)]).samples)
    moved = data.transfer_batch_to_device(packed, device, 0)
    times = []
    for _ in range(4):  # the first finds memory, and matrices that are kept
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        data.on_after_batch_transfer(moved, 0)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return batch / min(times[1:])


def told(name: str, side: int | str, shares: Shares) -> str:
    """Returns a row of the table."""
    whole, layers, device = shares
    return f"| {name} | {side} | {whole:.0f} | {layers:.0f} | {layers / whole:.2f} | {device:.0f} |"


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--seconds", type=float, default=10, help="of each row, of processor time, twice")
    parser.add_argument("--batch", type=int, default=32, help="pairs that the device puts together at once")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for train.py")
    options = parser.parse_args()
    torch.set_num_threads(1)
    log.info("%s", HEAD)
    for (name, recipe), side in itertools.product(RECIPES.items(), options.sizes):
        settings = [*recipe, f"data.size={side}", *options.set]
        log.info("%s", told(name, side, measure(options.photographs, settings, options.seconds, options.batch)))


if __name__ == "__main__":
    main()
