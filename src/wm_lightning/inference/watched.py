"""A network that is asked only as long as somebody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from wm_lightning.errors import TooLargeError
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import Engine


class WatchedEngine:
    """An engine that tells how many tiles of a picture it has done, and gives up after some minutes.

    Args:
        engine: Runs the network.
        tell: Is told before and after each tile how many are done; what it raises ends the work.
        minutes: That the picture may take from now on.
        name: Of the picture, for the error.
    """

    def __init__(self, engine: Engine, tell: Callable[[int], None], minutes: float, name: object) -> None:
        self.engine, self.tell, self.knows_layers = engine, tell, engine.knows_layers
        self.minutes, self.name, self.since = minutes, name, time.monotonic()
        self.done = 0

    def correct(self, picture: npt.NDArray[np.float32]) -> Correction:
        """See :class:`~wm_lightning.inference.engine.Engine`.

        Raises:
            TooLargeError: The picture has taken its time.
        """
        self.tell(self.done)
        if time.monotonic() - self.since > 60 * self.minutes:
            raise TooLargeError(
                f"{self.name} takes more than {self.minutes:g} minutes, the limit here; reduce it first."
            )
        found = self.engine.correct(picture)
        self.done += 1
        self.tell(self.done)
        return found
