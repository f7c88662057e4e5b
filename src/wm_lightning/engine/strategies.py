"""How several processes train together."""

from __future__ import annotations

from datetime import timedelta

from lightning.pytorch.strategies import DDPStrategy

from wm_lightning.errors import ArgumentError


def ddp(timeout_minutes: float = 10) -> DDPStrategy:
    """Returns data-parallel training in which a process never waits for the others while it validates.

    Validation pictures are shared out without repeating any, so a process may have one batch less than the others; a
    broadcast of buffers in each step would then wait for ever. The module evens them out before validation.

    Args:
        timeout_minutes: How long processes wait for one that does not answer. One whose connection is lost is noticed
            at once on the CPU.

    Raises:
        ArgumentError: It is not positive.
    """
    if timeout_minutes <= 0:
        raise ArgumentError("{timeout_minutes}={} must be more than 0.", timeout_minutes)
    return DDPStrategy(broadcast_buffers=False, timeout=timedelta(minutes=timeout_minutes))
