"""Means over the pictures of a data set."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class PictureMean(Metric):
    """The mean of a score over the pictures it is defined on, the same for any batches and any number of processes.

    NaN stands for "not defined" and is left out; where no picture is left, the mean is NaN. Unlike torchmetrics' own
    mean it never waits for the device to see whether there is one.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        """Adds the scores of a batch, (B,)."""
        defined = ~values.isnan()
        self.total += torch.where(defined, values, 0).sum()
        self.count += defined.sum()

    def compute(self) -> Tensor:
        """Returns the mean, a scalar."""
        return self.total / self.count
