"""What a stage's pairs share with the process that trains: batches, and which pictures are broken."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch.utils.data import DataLoader, get_worker_info

from wm_lightning.errors import UserError
from wm_lightning.types import PackedSample, collate

log = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """Pairs that were asked for.

    Attributes:
        samples: Those that there are.
        broken: Pictures that were met and cannot be used, by name, with the reason of each; named in every batch that
            meets them, since nobody knows which batches are used.
    """

    samples: Sequence[PackedSample]
    broken: dict[str, str]


class Loader(DataLoader[PackedSample]):
    """Yields batches of :class:`~wm_lightning.data.pairs.StagePairs`; a batch without an intact picture is passed over.

    What loader processes found broken is told here, in the process that trains, and each picture once.
    """

    def __iter__(self) -> Iterator[PackedSample]:  # type: ignore[override]  # its own iterator yields what processes send
        """Begins an epoch.

        Raises:
            UserError: None of its pictures can be used.
        """
        empty = True
        for batch, broken in super().__iter__():
            for name, reason in broken.items():
                note_broken(self.dataset.broken, name, reason)  # type: ignore[attr-defined]  # StagePairs has it
            if batch is not None:
                empty = False
                yield batch
        if empty:
            raise none_left(self.dataset.stage, len(self.dataset.names))  # type: ignore[attr-defined]


def collate_drawn(drawn: Drawn) -> tuple[PackedSample | None, dict[str, str]]:
    """Returns the batch, None where no picture of it is intact, and what was found broken."""
    return (collate(drawn.samples) if drawn.samples else None), drawn.broken


def note_broken(broken: dict[str, str], name: str, reason: str) -> None:
    """Adds a picture that cannot be used, and names it in the log: once, and not from a loader process."""
    if name not in broken:
        broken[name] = reason
        if get_worker_info() is None:
            log.warning("skipped: %s cannot be used: %s", name, reason)


def none_left(stage: str, count: int) -> UserError:
    """Returns the sentence that says that a stage has no picture which can be used."""
    return UserError(f"No readable photograph is left for {stage}: {count} cannot be used; the log says why.")
