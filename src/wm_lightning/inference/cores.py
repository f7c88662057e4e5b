"""Shares PyTorch's threads among pictures that are worked on side by side, and leaves their number as it was."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Cores:
    """The threads of this process: pictures beside each other take their share, a picture alone takes them all.

    Their number is read when the first picture begins and set again when each ends: PyTorch keeps one for each thread,
    and one that threads begin with. All engines have to share one such object, or one would take another's share for
    the whole.
    """

    def __init__(self) -> None:
        self._lock, self._running, self._whole, self._used = threading.Lock(), 0, 1, False

    @contextmanager
    def share(self) -> Iterator[None]:
        """Limits the threads for the time of a picture."""
        with self._lock:
            if not self._running:
                self._whole = torch.get_num_threads()
            self._running, self._used = self._running + 1, True
            whole = self._whole
            torch.set_num_threads(max(1, whole // self._running))
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                torch.set_num_threads(whole)

    def after_fork(self) -> None:
        """Makes a process usable that was forked: it has none of the threads of the one that it was forked from.

        OpenMP would wait for them for ever, so that such a process has to do with one.
        """
        self._lock, self._running = threading.Lock(), 0
        if self._used:
            torch.set_num_threads(1)


CORES = Cores()
"""Of this process."""

if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=CORES.after_fork)
