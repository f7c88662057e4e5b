"""An average of a network's weights over the steps of its training."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from wm_lightning.errors import ArgumentError
from wm_lightning.models import RestorationNet


class WeightAverage:
    """Exponential moving average of a network's weights and of its BatchNorm statistics, whose decay warms up.

    After update ``n`` the decay is ``min(decay, (1 + n) / (10 + n))`` (the schedule of TensorFlow's
    ``ExponentialMovingAverage``): without it, an average with a decay of 0.999 would still hold a third of the random
    weights it began with after 1,000 steps.

    Args:
        decay: What it rises to: the share of the average that each step keeps, at least 0 and below 1.

    Attributes:
        net: The network with the averaged weights, in evaluation mode; None before :meth:`begin`.
        updates: How many steps it has seen.

    Raises:
        ValueError: The decay is out of range.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ArgumentError("{decay}={} must be at least 0 and below 1.", decay)
        self.decay = decay
        self.net: RestorationNet | None = None
        self.updates = 0

    def begin(self, net: RestorationNet) -> None:
        """Starts from a network's weights, on its device."""
        self.net, self.updates = copy.deepcopy(net).eval().requires_grad_(False), 0

    @torch.no_grad()
    def update(self, net: RestorationNet) -> None:
        """Takes in the weights after a step."""
        assert self.net is not None
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged, new = self.net.state_dict(), net.state_dict()
        floating = [name for name, value in averaged.items() if value.is_floating_point()]
        torch._foreach_lerp_([averaged[name] for name in floating], [new[name] for name in floating], share)
        for name in averaged.keys() - set(floating):  # counts of batches
            averaged[name].copy_(new[name])

    def state_dict(self) -> dict[str, Any]:
        """Returns the number of updates and the averaged weights."""
        assert self.net is not None
        return {"updates": self.updates, "net": self.net.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what :meth:`state_dict` returned."""
        assert self.net is not None
        self.updates = state["updates"]
        self.net.load_state_dict(state["net"])


def weights_of(state: dict[str, Tensor], prefix: str = "net.") -> dict[str, Tensor]:
    """Returns a network's weights within a module's, by their names in the network."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
