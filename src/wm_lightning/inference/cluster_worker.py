"""What a worker of a cluster does: fetches pictures where they lie in a store, cleans them, and sends results there."""

from __future__ import annotations

import argparse
import os
import pickle
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy.typing as npt

from wm_lightning.commands import importing_from_here
from wm_lightning.data.stores import FolderStore, S3Store, Store, open_store
from wm_lightning.errors import UserError
from wm_lightning.images.limits import Limits, limit_pixels
from wm_lightning.inference.cleaner import FileCleaner, opened_engine
from wm_lightning.inference.codecs import Codecs
from wm_lightning.inference.files import Job
from wm_lightning.inference.outcomes import Outcome
from wm_lightning.inference.outputs import Place


class Worker:
    """Cleans pictures in a process of a cluster, with a network that is loaded once.

    Args:
        mask: Where pixels may change, (H, W); None allows it everywhere.
        options: Of the command.
        threads: Pictures that are worked on at once.

    Attributes:
        error: Why it cannot begin, as where the network cannot be loaded; calls return it.
    """

    def __init__(self, mask: npt.NDArray[Any] | None, options: argparse.Namespace, threads: int) -> None:
        # What is there was made by a worker that ended before it could tell; others' results were looked for before.
        options.there, options.skip_existing = os.path.lexists, not options.overwrite
        self.options, self.threads = options, threads
        self.error: UserError | None = None
        limit_pixels(options.max_megapixels)
        limits = Limits(options.max_megapixels, options.max_memory, options.max_minutes)
        try:
            self.source, self.results = open_store(options.inputs[0]), open_store(options.output)
            with importing_from_here(bool(options.trust)):
                engine, codecs = opened_engine(options), Codecs(threads, limits)
            weakref.finalize(self, codecs.__exit__)  # Ray Data lets go of a worker before its process ends
            self.cleaner = FileCleaner(engine, codecs, mask, options, threads)
        except UserError as error:  # Ray would try again, and print traces
            self.error = error
        except Exception as error:
            self.error = UserError(f"A worker cannot begin: {type(error).__name__}: {error}.")

    def __call__(self, batch: Any) -> Any:  # noqa: ANN401 - tables of pyarrow, which may be missing
        """Cleans the pictures of a table's column ``work``; returns a table of what became of each."""
        import pyarrow as pa

        work: dict[Job, Place] = dict(map(pickle.loads, batch["work"].to_pylist()))
        outcomes = self.outcomes(work) if self.error is None else [self.error]
        return pa.table({"outcome": pa.array(map(pickle.dumps, outcomes), pa.binary())})

    def outcomes(self, work: Mapping[Job, Place]) -> Iterator[Outcome]:
        """Cleans pictures, given by their names, and says what became of each, whatever goes wrong."""
        left = dict.fromkeys(work)
        try:
            with TemporaryDirectory() as temporary:
                for outcome in self._outcomes(work, temporary):
                    del left[outcome.job]
                    yield outcome
        except Exception as error:  # Ray would drop what became of the others too
            yield from (_failed(job, error) for job in left)

    def _outcomes(self, work: Mapping[Job, Place], temporary: str) -> Iterator[Outcome]:
        into, out = _folder(self.source, temporary, "in"), _folder(self.results, temporary, "out")
        given: dict[Job, Job] = {}
        with ThreadPoolExecutor(self.threads) as pool:
            for job, outcome in pool.map(lambda job: (job, self._brought(job, work[job], into)), work):
                if outcome is not None:
                    yield outcome
                else:
                    given[Job(into / job.source, out / job.target)] = job
        places = {here: work[job].below(out) for here, job in given.items()}
        for outcome in self.cleaner.outcomes(list(given), places):
            outcome = self._taken_away(outcome, places[outcome.job], out)
            error = outcome.error
            if error is not None:
                for folder in sorted((f"{into}{os.sep}", f"{out}{os.sep}"), key=len, reverse=True):
                    error = error.replace(folder, "")  # one may lie in the other
            yield outcome._replace(job=given[outcome.job], error=error)

    def _brought(self, job: Job, place: Place, into: Path) -> Outcome | None:
        """Brings a picture's file, where it lies in a store; says what became of it if nothing is left to do."""
        try:
            if not self.options.overwrite and all(self.results.has(path.as_posix()) for path in place.files()):
                return Outcome(job, status="skipped")
            if isinstance(self.source, S3Store):
                self.source.fetch(job.source.as_posix(), into / job.source)
        except Exception as error:  # the others go on
            return _failed(job, error)
        return None

    def _taken_away(self, outcome: Outcome, place: Place, out: Path) -> Outcome:
        """Sends the files of a picture to a store, where results go to one."""
        if isinstance(self.results, S3Store):
            try:
                for path in filter(Path.exists, place.files()):
                    name = path.relative_to(out).as_posix()
                    if self.options.overwrite or not self.results.has(name):
                        self.results.put(path, name)
            except Exception as error:  # the others go on
                return outcome._replace(error=_failed(outcome.job, error).error, status="failed")
        return outcome


def _failed(job: Job, error: Exception) -> Outcome:
    """Returns what became of a picture that could not be brought, cleaned or taken away."""
    if isinstance(error, UserError):
        sentence = f"{job.source}: {error}"
    elif isinstance(error, OSError):
        reason = error.strerror or error
        sentence = f"{job.source}: the worker cannot keep its files ({reason}); make room in its TMPDIR."
    else:
        sentence = f"{job.source} failed: {type(error).__name__}: {error}."
    return Outcome(job, error=sentence, status="failed")


def _folder(store: Store, temporary: str, name: str) -> Path:
    """Returns where a store's files are worked on: a folder's where they lie."""
    return Path(store.root) if isinstance(store, FolderStore) else Path(temporary, name)
