"""How several processes train together."""

from __future__ import annotations

from lightning.pytorch.strategies import DDPStrategy


def ddp() -> DDPStrategy:
    """Returns data-parallel training in which a process never waits for the others while it validates.

    Validation pictures are shared out without repeating any, so a process may have one batch less than the others; a
    broadcast of buffers in each step would then wait for ever. The module evens them out before validation.
    """
    return DDPStrategy(broadcast_buffers=False)
