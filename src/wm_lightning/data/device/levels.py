"""What operations on whole grey levels share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# Beyond what sums of float32 differ by when they are added up in another order, so that a half is rounded alike in
# every batch and on every device.
MORE = 1e-3


def placed(values: npt.ArrayLike, device: torch.device) -> Tensor:
    """Brings numbers to a device, floats as float32, without waiting for what it is still computing."""
    given = torch.as_tensor(np.asarray(values))
    return (given.float() if given.is_floating_point() else given).to(device, non_blocking=True)


def whole(values: Tensor) -> Tensor:
    """Rounds to whole numbers, halves away from zero."""
    return torch.copysign((values.abs() + (0.5 + MORE)).floor_(), values)


def as_levels(values: Tensor) -> Tensor:
    """Rounds to whole grey levels within 0..255."""
    return (values + (0.5 + MORE)).floor_().clamp_(0, 255)


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Computes in float32, whatever precision the training has: bfloat16 does not tell 254 from 255.

    Nor are products of matrices computed in TF32, which keeps 11 bits of what an inverse cosine transform adds up.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
