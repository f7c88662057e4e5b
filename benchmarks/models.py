"""What each network costs to run, in one table: `python benchmarks/models.py`.

Parameters, operations and seconds for a megapixel, without gradients, in the precision that training chooses on this
machine. The networks take turns, so that a slow minute of the machine hits all of them; the median of the turns counts.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
from pathlib import Path

import hydra
import torch
from torch import Tensor

from wm_lightning.files import CONF
from wm_lightning.hardware import choose_precision
from wm_lightning.models import RestorationNet
from wm_lightning.models.cost import Cost, cost_of

log = logging.getLogger("models")


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="side of the square picture in pixels")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--models", nargs="*", default=sorted(path.stem for path in Path(CONF, "model").glob("*.yaml")))
    options = parser.parse_args()
    precision = choose_precision("cpu")
    nets = {name: build(name) for name in options.models}
    costs: dict[str, list[Cost]] = {name: [] for name in nets}
    for _ in range(options.turns):
        for name, net in nets.items():
            costs[name].append(measure(net, options.size, precision))
    log.info("precision %s, %d threads, %dx%d pixels", precision, torch.get_num_threads(), options.size, options.size)
    log.info("\n| model | parameters | GFLOPs a megapixel | seconds a megapixel |\n|---|---:|---:|---:|")
    for name, turns in costs.items():
        seconds = statistics.median(turn.seconds for turn in turns)
        log.info("| %s | %s | %.0f | %.2f |", name, f"{turns[0].parameters:,}", turns[0].gflops, seconds)


def build(name: str) -> RestorationNet:
    """Builds a network as `model=NAME` does."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[f"model={name}"])
    net: RestorationNet = hydra.utils.instantiate(config.model)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
    return net.eval()


def measure(net: RestorationNet, size: int, precision: str) -> Cost:
    """Measures one turn of a network."""

    def restore(picture: Tensor) -> Tensor:
        picture = picture.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision.startswith("bf16")):
            return net.predict(picture).image

    return cost_of(net, restore, size)


if __name__ == "__main__":
    main()
