"""Ends a command that a system, or somebody, asks to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(KeyboardInterrupt):
    """The process got SIGTERM; what is in hand is dropped as after Ctrl-C.

    Attributes:
        status: That the command ends with, as a shell says it of SIGTERM.
    """

    status = 143


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM, as of a machine that shuts down, raise an error; in the main thread, which alone gets signals.

    Raises:
        TerminatedError: It came.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise TerminatedError

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
