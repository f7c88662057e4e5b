"""What a network costs to run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from wm_lightning.models.base import RestorationNet

MEGAPIXEL = 1_000_000
REPEATS = 3


class Cost(NamedTuple):
    """Of one network on one machine.

    Attributes:
        parameters: Number of trained values.
        gflops: 10^9 floating-point operations for a megapixel, a multiplication and an addition being two.
        seconds: For a megapixel; the median of a few runs after one that warms up.
    """

    parameters: int
    gflops: float
    seconds: float


def cost_of(net: RestorationNet, restore: Callable[[Tensor], Tensor], size: int = 512) -> Cost:
    """Measures a network on one square picture.

    Args:
        net: The network.
        restore: Runs it on (1, 3, H, W) as it is used: in its precision, without gradients.
        size: Side of the square in pixels.
    """
    device = next(net.parameters()).device
    picture = torch.rand(1, 3, size, size, device=device)
    share = size * size / MEGAPIXEL
    with FlopCounterMode(display=False) as counter:  # the first run; a warm-up too
        restore(picture)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        restore(picture).sum().item()  # waits for a GPU
        seconds.append(time.perf_counter() - started)
    return Cost(
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        gflops=counter.get_total_flops() / share / 1e9,
        seconds=statistics.median(seconds) / share,
    )
