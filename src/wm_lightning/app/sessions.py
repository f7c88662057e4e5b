"""Temporary files of the people who have the page open."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock


class Sessions:
    """Gives each open page a folder, which is deleted when the page is closed.

    Args:
        root: Below which the folders are made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, Path] = {}
        self._lock = Lock()

    def take(self, session: str, uploads: Sequence[str]) -> list[Path]:
        """Moves uploaded files to the session's folder, in place of what it held; returns them there."""
        inputs = self._fresh(session, "inputs")
        taken = []
        for number, upload in enumerate(uploads):
            # Two files may have one name.
            place = inputs / str(number)
            place.mkdir()
            taken.append(Path(shutil.move(upload, place)))
        return taken

    def results(self, session: str) -> Path:
        """Returns an empty folder for results; the session's earlier ones are deleted."""
        return self._fresh(session, "results")

    def end(self, session: str) -> None:
        """Deletes the session's files."""
        with self._lock:
            folder = self._folders.pop(session, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _fresh(self, session: str, kind: str) -> Path:
        with self._lock:
            # A browser chooses its session's name, so that the name is no part of a path.
            folder = self._folders.setdefault(session, Path(tempfile.mkdtemp(dir=self.root)))
        for old in folder.glob(f"{kind}-*"):
            shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=folder))
