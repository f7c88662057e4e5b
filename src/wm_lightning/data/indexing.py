"""Builds the index of a folder of photographs: each file is looked at once, until it changes."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from PIL.ExifTags import Base

from wm_lightning.data.index import Entry, read_index, unwritable, write_index
from wm_lightning.data.sources import BrokenPictureError, decode, each_of, find_names, raise_judged
from wm_lightning.errors import UserError

log = logging.getLogger(__name__)

TURNED = range(5, 9)  # EXIF orientations that exchange width and height
CHUNK = 2**20  # bytes of a file in memory at once


class Indexed(NamedTuple):
    """What building an index came to.

    Attributes:
        entries: What is known of each file.
        looked_at: Number of files that were read.
        gone: Number of entries whose files are no longer there.
        finished: False where it was interrupted before all files were looked at.
    """

    entries: Mapping[str, Entry]
    looked_at: int
    gone: int
    finished: bool

    def broken(self) -> dict[str, str]:
        """Returns the photographs that cannot be used, with the reason of each."""
        return {name: entry.reason for name, entry in self.entries.items() if entry.reason}

    def copies(self) -> int:
        """Returns how many files have the content of another one, each but the first of such counted."""
        contents = Counter(entry.sha256 for entry in self.entries.values() if entry.sha256)
        return contents.total() - len(contents)


def index_folder(root: Path) -> Indexed:
    """Looks at every photograph below a folder that is new or has changed, and writes the folder's index.

    Interrupted by Ctrl-C, it writes what it has seen, so that the next time it goes on from there; killed, it leaves
    the old index.

    Raises:
        UserError: The folder is missing, holds no picture or cannot be written to.
    """
    names = find_names(root)
    if not os.access(root, os.W_OK):  # not after an hour of work
        raise unwritable(root, "permission denied")
    try:
        before = dict(read_index(root))
    except UserError as error:
        log.warning("%s, which happens now", error)
        before = {}
    entries = {name: before[name] for name in names if name in before and _unchanged(root / name, before[name])}
    kept, finished = len(entries), True
    left = [name for name in names if name not in entries]
    try:
        for name, entry in each_of(left, lambda name: look_at(root / name, before.get(name)), "looking at photographs"):
            if entry is not None:
                entries[name] = entry
    except KeyboardInterrupt:
        finished = False
    write_index(root, entries)
    return Indexed(entries, len(entries) - kept, len(before.keys() - set(names)), finished)


def look_at(path: Path, before: Entry | None = None) -> Entry | None:
    """Returns what is to be known of a file; None where it has gone, or a link leads nowhere.

    Its pixels are decoded, since a file that is cut short shows only then; of a JPEG an eighth, which reads all of it.

    Args:
        path: The file.
        before: What was known of it. Where only its time has changed, its content is read and not decoded.
    """
    digest = ""
    try:
        status = path.stat()
    except OSError:
        return None
    try:
        digest = _digest(path)
        if before is not None and digest == before.sha256:
            return before._replace(bytes=status.st_size, mtime_ns=status.st_mtime_ns)
        decode(path, short_side=8)
        width, height = _upright_size(path)
    except OSError as error:
        return _broken_entry(path, error, status, digest)
    return Entry(status.st_size, status.st_mtime_ns, width, height, digest, "")


def _broken_entry(path: Path, error: OSError, status: os.stat_result, digest: str) -> Entry | None:
    try:
        raise_judged(path, error)
    except BrokenPictureError as broken:
        return Entry(status.st_size, status.st_mtime_ns, 0, 0, digest, broken.reason)
    except OSError:  # it has gone since, or the machine cannot go on
        return None


def _unchanged(path: Path, entry: Entry) -> bool:
    try:
        return entry.fits(path.stat())
    except OSError:
        return False


def _digest(path: Path) -> str:
    digest = hashlib.sha256()  # as `sha256sum` gives it
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _upright_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as opened:
        turned = opened.getexif().get(Base.Orientation) in TURNED
        return opened.size[::-1] if turned else opened.size
