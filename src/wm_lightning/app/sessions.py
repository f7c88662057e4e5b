"""Temporary files of the people who have the page open, and the jobs that work on them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition

from wm_lightning.errors import UserError

DAY = 24 * 3600  # seconds
CALLS = 100  # more than can wait at once


class AbandonedError(UserError):
    """Nobody waits for a job any more."""


@dataclass
class _Session:
    folder: Path
    jobs: int = 0
    ended: bool = False
    calls: int = 0
    used: float = field(default_factory=time.monotonic)


class Job:
    """One job of a session: where its files lie, and whether anybody still waits for it."""

    def __init__(self, session: _Session) -> None:
        self._session = session

    def check(self) -> None:
        """Does nothing while somebody waits.

        Raises:
            AbandonedError: The page was closed, or the program is about to end.
        """
        if self._session.ended:
            raise AbandonedError("The page was closed, so the picture was given up.")

    def call(self) -> str:
        """Returns a name in place of a tab's, for one of many calls by a program; the newest 100 keep their files."""
        self._session.calls += 1
        return f"call-{self._session.calls % CALLS}"

    def take(self, tab: str, uploads: Sequence[str]) -> list[Path]:
        """Moves uploaded files to the session's folder, in place of all that it held of a tab; returns them there."""
        folder = self._session.folder / tab
        shutil.rmtree(folder, ignore_errors=True)
        taken = []
        for number, upload in enumerate(uploads):
            # Two files may have one name.
            place = folder / "inputs" / str(number)
            place.mkdir(parents=True)
            taken.append(Path(shutil.move(upload, place)))
        return taken

    def results(self, tab: str) -> Path:
        """Returns a new folder for results; of earlier ones, all but the first and the last are deleted.

        The page goes on showing previews of the first, and the last until there is another.
        """
        folder = self._session.folder / tab
        folder.mkdir(exist_ok=True)
        earlier = sorted(int(path.name.removeprefix("results-")) for path in folder.glob("results-*"))
        for number in earlier[1:-1]:
            shutil.rmtree(folder / f"results-{number}", ignore_errors=True)
        fresh = folder / f"results-{earlier[-1] + 1 if earlier else 0}"
        fresh.mkdir()
        return fresh


class Sessions:
    """Gives each open page a folder, which is deleted when the page is closed.

    Args:
        root: Below which the folders are made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sessions: dict[str, _Session] = {}
        self._closed = False
        self._changed = Condition()

    @contextmanager
    def job(self, session: str) -> Iterator[Job]:
        """Works for a session, whose files stay until the work is done.

        Clients that never say goodbye, as one that uses HTTP alone, are forgotten after a day.
        """
        with self._changed:
            stale = [name for name, one in self._sessions.items() if time.monotonic() - one.used > DAY and not one.jobs]
            for name in stale:
                self._end(name)
            if session not in self._sessions:
                # A browser chooses its session's name, so that the name is no part of a path.
                self._sessions[session] = _Session(Path(tempfile.mkdtemp(dir=self.root)), ended=self._closed)
            current = self._sessions[session]
            current.jobs += 1
        try:
            yield Job(current)
        finally:
            with self._changed:
                current.jobs -= 1
                current.used = time.monotonic()
                _tidy(current)
                self._changed.notify_all()

    def end(self, session: str) -> None:
        """Deletes the session's files, as soon as its jobs have noticed that nobody waits for them."""
        with self._changed:
            self._end(session)

    def close(self, patience: float) -> None:
        """Ends all sessions, and waits some seconds for their jobs to stop; those that come later stop at once."""
        with self._changed:
            self._closed = True
            left = list(self._sessions.values())
            for name in list(self._sessions):
                self._end(name)
            self._changed.wait_for(lambda: not any(one.jobs for one in left), patience)

    def _end(self, session: str) -> None:
        ended = self._sessions.pop(session, None)
        if ended is not None:
            ended.ended = True
            _tidy(ended)


def _tidy(session: _Session) -> None:
    # What is deleted below a job would in part be written again.
    if session.ended and not session.jobs:
        shutil.rmtree(session.folder, ignore_errors=True)
