"""Learning-rate schedules, stepped once each optimizer step; two go around another one."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from wm_lightning.errors import ArgumentError

SchedulerFactory = Callable[..., LRScheduler]


class _Around(LRScheduler):
    """A schedule that passes steps on to another one, stepped once each optimizer step.

    Attributes:
        inner: The other schedule.
        steps: How many steps were taken.
    """

    def __init__(self, optimizer: Optimizer, inner: LRScheduler) -> None:
        # The parent's constructor would take a first step of its own; the inner schedule has taken it.
        self.optimizer, self.inner, self.steps = optimizer, inner, 0
        self._last_lr = list(self._rates())

    def state_dict(self) -> dict[str, Any]:
        """Returns plain values and the inner schedule's state."""
        own = {key: value for key, value in vars(self).items() if key not in ("optimizer", "inner")}
        return {**own, "inner": self.inner.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what :meth:`state_dict` returned."""
        own = dict(state_dict)
        self.inner.load_state_dict(own.pop("inner"))
        vars(self).update(own)

    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate


class WarmUp(_Around):
    """A constant learning rate for the first epochs with an optimizer state of its own, then another schedule.

    The other schedule begins at its own start when the warm-up ends, so a run ends that much before the schedule does;
    the optimizer's moments are forgotten there, as if it were a new one.

    Args:
        optimizer: The optimizer.
        total_steps: Optimizer steps of the whole run; also what ``then`` is told.
        run_epochs: Epochs of the whole run.
        epochs: Epochs of the warm-up.
        lr: Learning rate of the warm-up.
        then: Takes the optimizer and ``total_steps``, returns the schedule that follows.

    Raises:
        ValueError: The warm-up is longer than the run.
    """

    def __init__(
        self, optimizer: Optimizer, total_steps: int, run_epochs: int, epochs: int, lr: float, then: SchedulerFactory
    ) -> None:
        if not 0 <= epochs <= run_epochs:
            raise ArgumentError("{epochs}={} of warm-up must lie within the run's {} epochs.", epochs, run_epochs)
        groups = optimizer.param_groups
        betas = [group.get("betas") for group in groups]
        inner = then(optimizer, total_steps=total_steps)
        self.warm_up_steps = round(total_steps * epochs / run_epochs)
        # Some schedules cycle the momentum too: what they began with comes back when they begin.
        self._begin = [(group["lr"], group.get("betas")) for group in groups]
        if self.warm_up_steps:
            for group, own in zip(groups, betas, strict=True):
                group["lr"] = lr
                if own is not None:
                    group["betas"] = own
        super().__init__(optimizer, inner)

    def step(self, epoch: int | None = None) -> None:
        """Takes one step."""
        self.steps += 1
        if self.steps > self.warm_up_steps:
            self.inner.step()
        elif self.steps == self.warm_up_steps:
            self.optimizer.state.clear()
            for group, (rate, betas) in zip(self.optimizer.param_groups, self._begin, strict=True):
                group["lr"] = rate
                if betas is not None:
                    group["betas"] = betas
        self._last_lr = self.inner.get_last_lr() if self.steps >= self.warm_up_steps else list(self._rates())


class Drop(_Around):
    """Another schedule whose learning rate is multiplied with a factor from some epoch on.

    Args:
        optimizer: The optimizer.
        total_steps: Optimizer steps that the schedule spans; also what ``then`` is told.
        run_epochs: Epochs that ``total_steps`` spans.
        after: Epochs of the schedule before the drop.
        factor: What the learning rate is multiplied with.
        lasting: Whether the drop lasts. Without it, only the first step after the drop is taken at the lower rate:
            what happens to a rate that is set by hand while a schedule goes on setting it. ``get_last_lr`` then keeps
            to the schedule.
        then: Takes the optimizer and ``total_steps``, returns the schedule.

    Raises:
        ValueError: ``after`` is negative.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        run_epochs: int,
        after: int,
        then: SchedulerFactory,
        factor: float = 0.1,
        lasting: bool = True,
    ) -> None:
        if after < 0:
            raise ArgumentError("{after}={} epochs must not be negative.", after)
        super().__init__(optimizer, then(optimizer, total_steps=total_steps))
        self.first_step = round(total_steps * after / run_epochs)
        self.factor, self.lasting = factor, lasting
        self._inner_rates = self._rates()
        self._drop()

    def step(self, epoch: int | None = None) -> None:
        """Takes one step."""
        self._set(self._inner_rates)  # some schedules compute a rate from the one before
        self.inner.step()
        self._inner_rates = self._rates()
        self.steps += 1
        self._drop()

    def _drop(self) -> None:
        dropped = [rate * self.factor for rate in self._inner_rates]
        if self.steps == self.first_step or (self.lasting and self.steps > self.first_step):
            self._set(dropped)
        self._last_lr = list(dropped if self.lasting and self.steps >= self.first_step else self._inner_rates)


def cosine(optimizer: Optimizer, total_steps: int, warm_up: float = 0.05, final: float = 0.01) -> LRScheduler:
    """Returns a schedule that rises linearly from 0, then falls as half a cosine.

    Args:
        optimizer: The optimizer, at the highest rate.
        total_steps: Optimizer steps of the run.
        warm_up: Share of the steps in which the rate rises.
        final: Share of the highest rate that the last step has.

    Raises:
        ValueError: A share lies outside 0..1.
    """
    if not (0 <= warm_up < 1 and 0 <= final <= 1):
        raise ArgumentError("{warm_up}={} and {final}={} must be shares of 1.", warm_up, final)
    rise = round(warm_up * total_steps)

    def share(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        done = min(1.0, (step - rise) / max(1, total_steps - 1 - rise))
        return final + (1 - final) * (1 + cos(pi * done)) / 2

    return LambdaLR(optimizer, share)
