"""Work in processes that take turns: on a machine whose speed changes, what is compared must be timed side by side."""

from __future__ import annotations

import logging
import multiprocessing as mp
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import torch
from omegaconf import DictConfig
from torch import Tensor

from wm_lightning.hardware import peak_memory
from wm_lightning.runner.explanations import explain


class ChildError(Exception):
    """A process ended before its work did; the message says which one and why."""


class Order(NamedTuple):
    """What a process is told to do: so many steps that are measured, none to end.

    Attributes:
        measured: How many.
        exact: Waits for the device at the borders of a step's parts, so that each has the time that it takes there.
    """

    measured: int
    exact: bool = False


class Turn(NamedTuple):
    """What a process tells of its turn.

    Attributes:
        seconds: Of the measured steps.
        losses: Of all steps, those before the measured ones too.
        parts: Seconds by part, of each measured step.
    """

    seconds: float
    losses: list[float]
    parts: list[dict[str, float]]


class Failure(NamedTuple):
    """Why a process ends early, in one sentence."""

    sentence: str


class Turns:
    """A process's side: it waits for its turn, notes its steps, and answers after the last one.

    Args:
        connection: To the process that gives the turns.
        device: Where the work is done.

    Attributes:
        ahead: Steps of each turn that are not measured: what was prepared while others had their turn goes into them.
        exact: As the current order has it.
    """

    def __init__(self, connection: Connection, device: torch.device) -> None:
        self._connection, self.device = connection, device
        self.ahead, self.exact = 1, False
        self._left = self._unmeasured = 0
        self._losses: list[float | Tensor] = []
        self._parts: list[dict[str, float]] = []
        self._began = 0.0

    def go_on(self) -> bool:
        """Says whether there is another step to take; between two turns it waits."""
        if self._left:
            return True
        order: Order = self._connection.recv()
        self._losses, self._parts, self.exact = [], [], order.exact
        if order.measured:
            self._unmeasured, self._left = self.ahead, self.ahead + order.measured
            self._began = self.now()
        return self._left > 0

    def note(self, loss: float | Tensor, parts: dict[str, float]) -> None:
        """Takes note of a step."""
        self._left -= 1
        self._losses.append(loss)
        if self._unmeasured:
            self._unmeasured -= 1
            if not self._unmeasured:
                self._began = self.now()
        else:
            self._parts.append(parts)
        if not self._left:
            seconds = self.now() - self._began
            self._connection.send(Turn(seconds, list(map(float, self._losses)), self._parts))

    def now(self) -> float:
        """Returns the time when everything that was asked of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


Work = Callable[[DictConfig, Turns], None]
"""Takes steps while :meth:`Turns.go_on` says so, and notes each."""


def device_of(config: DictConfig) -> torch.device:
    """Returns the device that a configuration trains on."""
    allowed = config.trainer.accelerator in ("auto", "gpu", "cuda")
    return torch.device("cuda" if allowed and torch.cuda.is_available() else "cpu")


def _serve(work: Work, config: DictConfig, connection: Connection) -> None:
    """Runs in the process: works, then tells its largest memory."""
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    mp.set_start_method(None, force=True)  # its loaders start as they do in a training, not as it was started itself
    device = device_of(config)
    try:
        work(config, Turns(connection, device))
        connection.send(peak_memory(device) or 0)
    except EOFError:  # the other side is gone
        return
    except Exception as error:
        connection.send(Failure(explain(error) or f"{type(error).__name__}: {' '.join(str(error).split())}"))


class _Child(NamedTuple):
    """A process and the way to it."""

    process: BaseProcess
    connection: Connection

    def answer(self, name: str) -> Turn | int:
        """Reads what it says.

        Raises:
            ChildError: It failed.
        """
        try:  # what it said before it ended is still there to be read
            answer = self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError):
            answer = None
        if isinstance(answer, Turn | int):
            return answer
        if isinstance(answer, Failure):
            raise ChildError(f"{name}: {answer.sentence}")
        self.process.join()
        raise ChildError(f"{name}: its process ended with status {self.process.exitcode}.")


class Children:
    """The side that gives turns; as a context manager it leaves no process behind.

    A process that fails is noticed at once, also while another one has its turn.

    Args:
        works: What each process does, by its name in messages.
        config: The configuration they do it with.
    """

    def __init__(self, works: Mapping[str, Work], config: DictConfig) -> None:
        self._works, self._config = works, config
        self._running: dict[str, _Child] = {}

    def __enter__(self) -> Children:
        context = mp.get_context("spawn")
        for name, work in self._works.items():
            mine, its = context.Pipe()
            process = context.Process(target=_serve, args=(work, self._config, its))
            process.start()
            its.close()  # or the end of the process would not be seen at this side
            self._running[name] = _Child(process, mine)
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._running.values():
            child.process.kill()  # whatever it does; its loaders notice and follow
            child.process.join()

    def turn(self, name: str, order: Order) -> Turn:
        """Gives a process a turn and waits for its end.

        Raises:
            ChildError: A process failed.
        """
        answer = self._ask(name, order)
        assert isinstance(answer, Turn)
        return answer

    def finish(self, name: str) -> int:
        """Lets a process end; returns the most memory it held, in bytes.

        Raises:
            ChildError: A process failed.
        """
        memory = self._ask(name, Order(0))
        assert isinstance(memory, int)
        self._running.pop(name).process.join()
        return memory

    def _ask(self, name: str, order: Order) -> Turn | int:
        with suppress(OSError):  # of a process that has ended; what it said is read below
            self._running[name].connection.send(order)
        owners: dict[object, str] = {}
        handles: list[Connection | int] = []
        for owner, child in self._running.items():
            both = (child.connection, child.process.sentinel)
            handles += both
            owners |= dict.fromkeys(both, owner)
        # Another one that speaks out of its turn has failed.
        speaks = sorted((owners[handle] for handle in wait(handles)), key=name.__eq__)
        return self._running[speaks[0]].answer(speaks[0])
