"""Times a training step beside the plain way of writing one: ``python benchmarks/training.py [PHOTOS]``.

The plain loop is what a notebook does: float32, contiguous, eager, VGG's features of the target kept with their graph,
the pairs made in the loop. This project's step is the configured one: mixed precision, channels-last, pairs made by
loader processes. Both take turns in one run, each in a process of its own, on the same pairs, batch, size and loss, so
that the ratio holds on a machine whose speed changes. ``--parity`` compares their loss curves instead.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import resource
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import cv2
import hydra
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from wm_lightning.cli import CONF
from wm_lightning.data.pairs import EpochSampler
from wm_lightning.hardware import choose_precision
from wm_lightning.losses import functional
from wm_lightning.runner.build import build_data, build_module
from wm_lightning.types import Sample

DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}


def configured(arguments: argparse.Namespace) -> DictConfig:
    """Composes the project's training with the sizes asked for."""
    data = [f"data.root={arguments.photographs}", "data=folder"] if arguments.photographs else ["data=demo"]
    overrides = [
        *data, f"data.size={arguments.size}", f"data.batch_size={arguments.batch_size}", "synthesis=watermarkcnn",
        f"augment={arguments.augment}", "loss.perceptual.weights=random", "paths.output_dir=outputs",
        "data.split_dir=null",
        *arguments.set,
    ]  # fmt: skip
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=overrides)
    if config.trainer.precision == "auto":
        config.trainer.precision = choose_precision(config.trainer.accelerator)
    return config


class Plain:
    """The notebook's way."""

    def __init__(self, config: DictConfig, device: torch.device) -> None:
        torch.manual_seed(0)
        self.device = device
        self.datamodule = build_data(config)
        self.net = instantiate(config.model).to(device).train()
        self.loss = instantiate(config.loss).to(device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=config.optim.optimizer.lr, weight_decay=1e-5)
        self.batches = self._batches()

    def _batches(self) -> Iterator[Sample]:
        pairs, size = self.datamodule.pairs("train"), self.datamodule.batch_size
        sampler, epoch = EpochSampler(len(pairs), 0, shuffle=True), 0
        while True:
            sampler.set_epoch(epoch)
            keys = list(sampler)
            for start in range(0, len(keys) - size + 1, size):
                items = [pairs[key].unpack() for key in keys[start : start + size]]
                columns = zip(*(item[:4] for item in items), strict=True)
                yield Sample(*(torch.stack(column).to(self.device) for column in columns), name=[])
            epoch += 1

    def step(self) -> tuple[float, float]:
        """Takes one step; returns its loss, and the seconds it waited for the batch."""
        begin = time.perf_counter()
        batch = next(self.batches)
        waited = time.perf_counter() - begin
        self.optimizer.zero_grad()
        loss = self._loss(self.net(batch.watermarked), batch.reference, batch.mask)
        loss.backward()
        self.optimizer.step()
        return loss.item(), waited

    def _loss(self, prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        weights, perceptual = self.loss.weights, self.loss.perceptual
        features = F.l1_loss(perceptual.features(prediction), perceptual.features(target.requires_grad_()))
        return (
            functional.masked_l1(prediction, target, mask)
            + weights["perceptual"] * features
            + weights["lab"] * functional.lab(prediction, target)
            + weights["ssim"] * functional.ssim(prediction, target)
            + weights["laplacian"] * functional.laplacian_l1(prediction, target, mask)
        )


class Ours:
    """This project's step, as Lightning runs it: the module's own forward and loss, under the configured precision."""

    def __init__(self, config: DictConfig, device: torch.device) -> None:
        torch.manual_seed(0)
        self.device, self.dtype = device, DTYPES[config.trainer.precision]
        self.datamodule = build_data(config)
        self.module = build_module(config, self.datamodule).to(device).train()
        self.optimizer = self.module.optimizer_factory(self.module.net.parameters())
        self.batches = self._batches()

    def _batches(self) -> Iterator[Sample]:
        loader, epoch = self.datamodule.train_dataloader(), 0
        while True:
            loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
            for packed in loader:
                on_device = [value.to(self.device, non_blocking=True) for value in packed[:-1]]
                yield self.datamodule.on_after_batch_transfer(type(packed)(*on_device, name=packed.name), 0)
            epoch += 1

    def step(self) -> tuple[float, float]:
        """Takes one step; returns its loss, and the seconds it waited for the batch."""
        begin = time.perf_counter()
        batch = next(self.batches)
        waited = time.perf_counter() - begin
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            prediction = self.module.predict(batch.watermarked)
            loss = self.module.loss(prediction, getattr(batch, self.module.target), batch).total
        loss.backward()
        self.optimizer.step()
        return float(loss.detach()), waited


def child(kind: type[Plain] | type[Ours], config: DictConfig, connection: Connection) -> None:
    """Takes steps when asked to, until asked for none."""
    cv2.setNumThreads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    runner = kind(config, device)
    while count := connection.recv():
        begin, losses, waited = time.perf_counter(), [], 0.0
        for _ in range(count):
            loss, seconds = runner.step()
            losses.append(loss)
            waited += seconds
        if device.type == "cuda":
            torch.cuda.synchronize()
        connection.send((time.perf_counter() - begin, waited, losses))
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    connection.send(memory or 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def flops_of_a_step(config: DictConfig) -> int:
    """Counts the floating-point operations of a step, forward and backward, for one picture."""
    net, loss = instantiate(config.model), instantiate(config.loss)
    side = config.data.size
    picture, mask = torch.rand(1, 3, side, side), torch.ones(1, 1, side, side)
    with FlopCounterMode(display=False) as counter:
        loss(net.predict(picture), picture, Sample(picture, picture, picture, mask, [""])).total.backward()
    return int(counter.get_total_flops())


def matmul_rate(dtype: torch.dtype, device: torch.device, side: int = 4096) -> float:
    """Measures the machine's floating-point operations a second in a large product of matrices."""
    side = side if device.type == "cuda" else side // 2
    one = torch.rand(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        one @ one
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * side**3 / best


def start(kind: type[Plain] | type[Ours], config: DictConfig) -> tuple[Any, Connection]:
    """Starts a child."""
    context = mp.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=child, args=(kind, config, its))
    process.start()
    return process, mine


def compare(config: DictConfig, rounds: int, steps: int) -> None:
    """Lets both take turns and prints a table."""
    images, kinds = config.data.batch_size * steps, {"plain loop": Plain, "this project": Ours}
    children = {name: start(kind, config) for name, kind in kinds.items()}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    waited = dict.fromkeys(kinds, 0.0)
    for number in range(-1, rounds):  # the first round warms up
        for name, (_, connection) in children.items():
            connection.send(steps if number >= 0 else 2)
            taken, waiting, _ = connection.recv()
            if number >= 0:
                seconds[name].append(taken)
                waited[name] += waiting
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    flops = flops_of_a_step(config)
    sys.stdout.write(
        f"batch {config.data.batch_size}, {config.data.size}x{config.data.size}, {rounds} turns of {steps} steps, "
        f"{device}, {torch.get_num_threads()} threads; {flops / 1e9:.0f} GFLOP a picture\n"
        f"{'':14}{'images/s':>9}{'best turn':>10}{'waiting':>9}{'memory':>10}{'TFLOP/s':>9}{'of matmul':>10}\n"
    )
    for name, (process, connection) in children.items():
        connection.send(0)
        memory = connection.recv()
        process.join()
        total, dtype = sum(seconds[name]), torch.float32 if name == "plain loop" else DTYPES[config.trainer.precision]
        rate, peak = images * rounds / total, matmul_rate(dtype, device)
        sys.stdout.write(
            f"{name:14}{rate:9.2f}{images / min(seconds[name]):10.2f}{waited[name] / total:9.1%}{memory / 2**30:8.2f}Gi"
            f"{rate * flops / 1e12:9.3f}{rate * flops / peak:10.1%}\n"
        )
    ratios = sorted(a / b for a, b in zip(*seconds.values(), strict=True))
    sys.stdout.write(
        f"ratio, turn by turn: {ratios[len(ratios) // 2]:.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})\n"
    )


def parity(config: DictConfig, steps: int) -> None:
    """Prints both loss curves, as means over tenths of the steps, and how far they lie apart."""
    curves = []
    for kind in (Plain, Ours):
        process, connection = start(kind, config)
        connection.send(steps)
        curves.append(connection.recv()[2])
        connection.send(0)
        connection.recv()
        process.join()
    part = max(1, steps // 10)
    sys.stdout.write(f"{'steps':>10}{'plain loop':>12}{'this project':>14}{'difference':>12}\n")
    for first in range(0, steps, part):
        one, other = (sum(curve[first : first + part]) / len(curve[first : first + part]) for curve in curves)
        sys.stdout.write(f"{first + 1:4}..{first + part:4}{one:12.4f}{other:14.4f}{other / one - 1:12.2%}\n")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("photographs", nargs="?", help="a folder; without one, the demo's tiles")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--augment", default="light")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="of one turn; of the whole curve with --parity")
    parser.add_argument("--parity", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for train.py")
    arguments = parser.parse_args()
    config = configured(arguments)
    if arguments.parity:
        parity(config, arguments.steps)
    else:
        compare(config, arguments.turns, arguments.steps)


if __name__ == "__main__":
    main()
