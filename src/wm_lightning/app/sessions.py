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

    def take(self, session: str, tab: str, uploads: Sequence[str]) -> list[Path]:
        """Moves uploaded files to the session's folder, in place of all that it held of a tab; returns them there."""
        folder = self._folder(session) / tab
        shutil.rmtree(folder, ignore_errors=True)
        taken = []
        for number, upload in enumerate(uploads):
            # Two files may have one name.
            place = folder / "inputs" / str(number)
            place.mkdir(parents=True)
            taken.append(Path(shutil.move(upload, place)))
        return taken

    def results(self, session: str, tab: str) -> Path:
        """Returns a new folder for results; of earlier ones, all but the first and the last are deleted.

        The page goes on showing previews of the first, and the last until there is another.
        """
        folder = self._folder(session) / tab
        folder.mkdir(exist_ok=True)
        earlier = sorted(int(path.name.removeprefix("results-")) for path in folder.glob("results-*"))
        for number in earlier[1:-1]:
            shutil.rmtree(folder / f"results-{number}", ignore_errors=True)
        fresh = folder / f"results-{earlier[-1] + 1 if earlier else 0}"
        fresh.mkdir()
        return fresh

    def end(self, session: str) -> None:
        """Deletes the session's files."""
        with self._lock:
            folder = self._folders.pop(session, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, session: str) -> Path:
        with self._lock:
            if session not in self._folders:
                # A browser chooses its session's name, so that the name is no part of a path.
                self._folders[session] = Path(tempfile.mkdtemp(dir=self.root))
            return self._folders[session]
