"""Times a training step beside the plain way of writing one: ``python benchmarks/training.py [PHOTOS]``.

This project's step is the configured one, by default that of ``python train.py`` (with PHOTOS that of ``data=folder
data.root=PHOTOS``), as Lightning runs it: mixed precision where the machine has it, channels-last, pairs made by loader
processes, the configured optimizer and schedule, clipping of the gradient, average of the weights, scores of the
pictures on every so manieth step; no validation, checkpoints or logger. The plain loop is what a notebook does with the
same network, loss terms, weights, pairs and batch: float32, contiguous memory, eager, VGG's features of the target with
their graph, the pairs made in the loop, AdamW, and the loss read at every step. Both take turns in one run, each in a
process of its own, so that the ratio holds on a machine whose speed changes; what was prepared while the other had its
turn is used up before the clock starts.

``--parts`` adds where the time of this project's step goes. ``--parity`` compares the loss curves of the two instead,
both with AdamW at a constant rate and without clipping.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from steps import DATA, in_order, metrics_part, ours, plain
from torch.utils.flop_counter import FlopCounterMode
from turns import ChildError, Children, Order, Turn, device_of

from wm_lightning.commands import override
from wm_lightning.files import CONF
from wm_lightning.hardware import choose_precision
from wm_lightning.runner.configuration import check_config
from wm_lightning.runner.explanations import explain
from wm_lightning.types import Sample

log = logging.getLogger("training")
PLAIN, OURS = "plain loop", "this project"
WAYS = {PLAIN: plain, OURS: ours}
DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}
SAME_STEPS = ("optim=adamw_cosine", "optim.optimizer.lr=1e-3", "optim.scheduler=null", "trainer.gradient_clip_val=null")


def configured(options: argparse.Namespace, folder: str) -> DictConfig:
    """Composes the project's training with what was asked for."""
    overrides = ["data=folder", override("data.root", str(options.photographs))] if options.photographs else []
    overrides += SAME_STEPS if options.parity else []
    for key, value in (("size", options.size), ("batch_size", options.batch_size)):
        overrides += [] if value is None else [f"data.{key}={value}"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[*overrides, *options.set, override("paths.output_dir", folder)])
    config.data.split_dir = None
    if config.trainer.precision == "auto":
        config.trainer.precision = choose_precision(config.trainer.accelerator)
    check_config(config)
    return config


def flops_of_a_step(config: DictConfig) -> int:
    """Counts the floating-point operations of a step, forward and backward, for one picture."""
    net, loss = instantiate(config.model), instantiate(config.loss)
    side = config.data.size
    picture, mask = torch.rand(1, 3, side, side), torch.ones(1, 1, side, side)
    sample = Sample(picture, picture, picture, mask, [""], alpha=picture, layer=picture)
    with FlopCounterMode(display=False) as counter:
        loss(net.predict(picture), picture, sample).total.backward()
    return int(counter.get_total_flops())


def matmul_rate(dtype: torch.dtype, device: torch.device, side: int) -> float:
    """Measures the machine's floating-point operations a second in a large product of matrices."""
    one = torch.rand(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        one @ one
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * side**3 / best


def compare(config: DictConfig, rounds: int, steps: int, matmul: int, parts: bool) -> None:
    """Lets both take turns and prints a table, and one of the parts of this project's step."""
    with Children(WAYS, config) as children:
        turns: dict[str, list[Turn]] = {name: [] for name in WAYS}
        for number in range(-1, rounds):  # the first round warms up
            for name in WAYS:
                turn = children.turn(name, Order(steps if number >= 0 else 1))
                turns[name] += [turn] if number >= 0 else []
        table = parts_table(children, config, rounds * steps) if parts else []
        memory = {name: children.finish(name) for name in WAYS}
    images, device, flops = config.data.batch_size * steps, device_of(config), flops_of_a_step(config)
    log.info(
        "batch %d, %dx%d, %d turns of %d steps, %s, %d threads, %s; %.1f GFLOP a picture\n",
        config.data.batch_size, config.data.size, config.data.size, rounds, steps, device, torch.get_num_threads(),
        config.trainer.precision, flops / 1e9,
    )  # fmt: skip
    log.info("| | images/s | best turn | waiting for data | peak memory | TFLOP/s | of the matmul rate |")
    log.info("|---|---:|---:|---:|---:|---:|---:|")
    for name, told in turns.items():
        seconds = [turn.seconds for turn in told]
        waited = sum(part.get(DATA, 0.0) for turn in told for part in turn.parts)
        rate = images * rounds / sum(seconds)
        peak = matmul_rate(torch.float32 if name == PLAIN else DTYPES[config.trainer.precision], device, matmul)
        log.info(
            "| %s | %.2f | %.2f | %.1f %% | %.2f GiB | %.3f | %.1f %% |",
            name, rate, images / min(seconds), 100 * waited / sum(seconds), memory[name] / 2**30, rate * flops / 1e12,
            100 * rate * flops / peak,
        )  # fmt: skip
    ratios = [one.seconds / other.seconds for one, other in zip(*turns.values(), strict=True)]
    middle = statistics.median(ratios)
    log.info("\nTurn by turn the ratio is %.2f (%.2f to %.2f).", middle, min(ratios), max(ratios))
    log.info("%s", "\n".join(table))


def parts_table(children: Children, config: DictConfig, steps: int) -> list[str]:
    """Returns where the time of a step goes: medians over steps, of the scores over the steps that have some."""
    every = config.train_metrics_every_n_steps
    measured = children.turn(OURS, Order(-(-steps // every) * every, exact=True)).parts
    names = in_order(dict.fromkeys(name for parts in measured for name in parts), every)
    seconds = {name: statistics.median(parts[name] for parts in measured if name in parts) for name in names}
    if metrics_part(every) in seconds:
        seconds[metrics_part(every)] /= every
    whole = sum(seconds.values())
    rows = [f"| {name} | {value:.5f} | {value / whole:.1%} |" for name, value in seconds.items()]
    head = f"\n| this project's step, medians of {len(measured)} | seconds | share |"
    return [head, "|---|---:|---:|", *rows, f"| together | {whole:.5f} | |"]


def parity(config: DictConfig, steps: int) -> None:
    """Prints both loss curves, as means over tenths of the steps, and how far they lie apart."""
    with Children(WAYS, config) as children:
        curves = [children.turn(name, Order(steps)).losses[:steps] for name in WAYS]
    log.info("| steps | plain loop | this project | difference |\n|---|---:|---:|---:|")
    part = max(1, steps // 10)
    for first in range(0, steps, part):
        one, other = (statistics.mean(curve[first : first + part]) for curve in curves)
        last = min(first + part, steps)
        log.info("| %d to %d | %.4f | %.4f | %.2f %% |", first + 1, last, one, other, 100 * (other / one - 1))


def read(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", nargs="?", help="a folder; without one, the demo's tiles")
    parser.add_argument("--size", type=int, help="side of the pictures, for data.size")
    parser.add_argument("--batch-size", type=int, help="for data.batch_size")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="of one turn; of the whole curve with --parity")
    parser.add_argument("--parts", action="store_true", help="also where the time of this project's step goes")
    parser.add_argument("--parity", action="store_true", help="compare the loss curves instead")
    parser.add_argument("--matmul", type=int, default=2048, help="side of the matrices that the rate is measured with")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for train.py")
    return parser.parse_args(arguments)


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    options = read()
    try:
        with tempfile.TemporaryDirectory() as folder:
            config = configured(options, folder)
            if options.parity:
                parity(config, options.steps)
            else:
                compare(config, options.turns, options.steps, options.matmul, options.parts)
    except ChildError as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        sys.exit(f"error: {sentence}")


if __name__ == "__main__":
    main()
