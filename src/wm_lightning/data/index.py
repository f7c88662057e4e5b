"""The index of a folder of photographs: what each file is, in one table that lies in the folder itself.

It is a CSV file: read in a fraction of a second for 100,000 photographs, looked at with any program, written whole or
not at all. Names are relative, so a folder that is moved or mounted elsewhere takes its index along.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from wm_lightning.commands import program, shell
from wm_lightning.errors import UserError
from wm_lightning.files import replacing

NAME = ".wm_index.csv"  # hidden, so no search for pictures or results meets it


class Entry(NamedTuple):
    """What is known of a file.

    Attributes:
        bytes: Its size.
        mtime_ns: When it was last changed, in nanoseconds.
        width: In pixels, upright; 0 of a broken one.
        height: Likewise.
        sha256: Of its content; empty where it cannot be read.
        reason: Why it cannot be used; empty of an intact one.
    """

    bytes: int
    mtime_ns: int
    width: int
    height: int
    sha256: str
    reason: str

    def fits(self, status: os.stat_result) -> bool:
        """Says whether the file is the one that was looked at: it has that size and time of change."""
        return (self.bytes, self.mtime_ns) == (status.st_size, status.st_mtime_ns)


COLUMNS = ("name", *Entry._fields)


def read_index(folder: Path) -> Iterator[tuple[str, Entry]]:
    """Yields the name and entry of each file, in the order of the names; nothing where there is no index.

    Raises:
        UserError: It is damaged, or of another version.
    """
    path = folder / NAME
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.reader(file, strict=True)
            if tuple(next(rows, ())) != COLUMNS:
                raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
            for name, size, mtime, width, height, digest, reason in rows:
                yield name, Entry(int(size), int(mtime), int(width), int(height), digest, reason)
    except FileNotFoundError:
        return
    except (OSError, ValueError, csv.Error) as error:
        anew = shell(*program("data"), "index", str(folder))
        raise UserError(f"{path} cannot be read as an index ({error}); build it anew: {anew}") from error


def write_index(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Writes the index, or leaves the old one as it is.

    Raises:
        UserError: The folder cannot be written to.
    """
    try:
        with (
            replacing(folder / NAME) as draft,
            # Names of files are bytes, which need not be UTF-8.
            draft.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows((name, *entry) for name, entry in sorted(entries.items()))
    except OSError as error:
        raise unwritable(folder, error.strerror or str(error)) from error


def unwritable(folder: Path, reason: str) -> UserError:
    """Returns the sentence that says where an index lies and that it cannot."""
    return UserError(
        f"{folder} cannot be written to ({reason}), and its index lies in it, as {NAME}; make it writable, or train "
        "without an index: photographs are then checked when they are drawn."
    )


def known_broken(folder: Path) -> dict[str, str]:
    """Returns the photographs that the index knows to be broken, by name, with the reason of each.

    One that has changed since is not among them: it may be whole again, which shows when it is drawn.

    Raises:
        UserError: The index is damaged, or of another version.
    """
    found = {}
    for name, entry in read_index(folder):
        if entry.reason:
            try:
                unchanged = entry.fits((folder / name).stat())
            except OSError:  # gone, a link to nothing, or in a folder that may not be read
                continue
            if unchanged:
                found[name] = entry.reason
    return found
