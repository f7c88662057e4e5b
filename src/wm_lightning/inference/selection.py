"""Which files a command takes: of folders, of patterns and of lists, less those that were not asked for."""

from __future__ import annotations

import codecs
import glob
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from wm_lightning.errors import UserError
from wm_lightning.files import FORMATS, pictures_below

DRAWN = ("heic", "heif", "hif", "jxl", "jp2", "j2k", "psd", "pdf", "svg", "exr", "hdr")
RAW = ("dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2", "pef", "srw")  # of cameras
OTHERS = frozenset(f".{kind}" for kind in (*DRAWN, *RAW)) - FORMATS.keys()
"""Suffixes of pictures that are not taken."""


class Choice(NamedTuple):
    """Which of the pictures that are found are taken.

    Attributes:
        include: Patterns such as ``*.jpg``, of a name or of a path below the folder that was named; none: all.
        exclude: The same for what is left out.
        recursive: Whether folders within folders are searched.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    recursive: bool = True

    def takes(self, place: Path) -> bool:
        """Says whether a picture is taken, by its path below the folder that was named."""
        if not self.recursive and len(place.parts) > 1:
            return False
        return (not self.include or _matches(place, self.include)) and not _matches(place, self.exclude)


EVERYTHING = Choice()


def find(
    names: Sequence[str], out: Path | None, choice: Choice = EVERYTHING, listed_names: Sequence[str] = ()
) -> list[tuple[Path, Path]]:
    """Finds pictures, each with its place below the folder that was named; one that is named twice once.

    Args:
        names: Files, folders, and patterns such as ``*.jpg``.
        out: Where results go: those of an earlier run, in an output folder that lies in one that was named, are not
            among the pictures.
        choice: Which are taken.
        listed_names: Further files and folders; no patterns, and reading says so of those that are not there.

    Raises:
        UserError: A name is that of nothing, or of a folder without pictures, or none is left.
    """
    once: dict[str, tuple[Path, Path]] = {}
    if "" in names:
        raise UserError("An input is an empty name; give a picture, a folder or a pattern ('.' is this folder).")
    found = [pair for name in names for pair in _found(name, out)]
    for name in listed_names:
        # A name that is too long is that of no folder; reading says so, as pathlib would here.
        found += _found(name, out) if os.path.isdir(name) else [(Path(name), Path(Path(name).name))]  # noqa: PTH112
    for source, place in found:
        if choice.takes(place):
            once.setdefault(real(source), (source, place))
    if not once:
        raise UserError("No picture is left by --include, --exclude and --no-recursive; ask for more.")
    return list(once.values())


def listed(path: str) -> list[str]:
    r"""Reads names of files, one a line, or between them ``\0`` as ``find -print0`` writes it.

    Args:
        path: Of the list; ``-`` is the standard input.

    Raises:
        UserError: It cannot be read, or is empty.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"--files-from {path} cannot be read: {error.strerror}.") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as PowerShell writes it
        data = os.fsencode(data.decode("utf-16", "replace"))
    data = data.removeprefix(codecs.BOM_UTF8)
    lines = data.split(b"\0") if b"\0" in data else data.splitlines()
    names = [os.fsdecode(line) for line in lines if line]
    if not names:
        raise UserError(f"--files-from {path} names no file; write one a line.")
    return names


def passed_over(names: Iterable[str], choice: Choice = EVERYTHING) -> str | None:
    """Says what in folders is not looked at: pictures of kinds that are not taken, folders that are links or closed.

    Returns:
        A sentence or two; None where there is nothing of that.
    """
    kinds, closed, linked = Counter[str](), list[OSError](), 0
    for name in filter(os.path.isdir, names):
        for here, subfolders, files in os.walk(name, onerror=closed.append):
            subfolders[:] = [folder for folder in subfolders if choice.recursive and not folder.startswith(".")]
            linked += sum(Path(here, folder).is_symlink() for folder in subfolders)
            places = (Path(os.path.relpath(here, name)) / file for file in files if not file.startswith("."))
            kinds.update(place.suffix.lower() for place in places if choice.takes(place))
    kinds = Counter({suffix: count for suffix, count in kinds.items() if suffix in OTHERS})
    folders = [f"{error.filename} cannot be searched: {error.strerror}." for error in closed]
    if linked:
        folders.append(f"Links to folders were not followed ({linked}); name what they lead to.")
    return " ".join([*told_of_kinds(kinds), *folders]) or None


def told_of_kinds(kinds: Counter[str]) -> list[str]:
    """Returns a sentence of files that were skipped, counted by their suffixes; none of none."""
    if not kinds:
        return []
    each = ", ".join(f"{count} {suffix[1:]}" for suffix, count in sorted(kinds.items()))
    heic = ' (HEIC: pip install "wm-lightning[heif]")' if {".heic", ".heif", ".hif"} & kinds.keys() else ""
    return [f"skipped, since they cannot be read: {each}; save them as JPEG, PNG, WebP, TIFF or BMP{heic}."]


def real(path: Path) -> str:
    """Returns where a path leads; of links that lead to themselves too, which pathlib refuses."""
    return os.path.realpath(path)


def _found(name: str, out: Path | None) -> list[tuple[Path, Path]]:
    # A name that begins with `~` is mostly that of a folder, but may be a file's; pathlib refuses one of no user.
    path = Path(name) if os.path.lexists(name) else Path(os.path.expanduser(name))  # noqa: PTH111
    if path.is_dir():
        results = Path(real(out)) if out is not None and Path(real(path)) in Path(real(out)).parents else None
        inside = sorted(file for file in pictures_below(path) if results not in Path(real(file)).parents)
        if not inside:
            kinds = ", ".join(suffix[1:] for suffix in FORMATS)
            raise UserError(f"{name} holds no picture ({kinds}); give another folder.")
        return [(file, file.relative_to(path)) for file in inside]
    if os.path.lexists(path):  # also a link to nowhere, of which reading says so
        return [(path, Path(path.name))]
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - of any folder
    if not matches:
        raise UserError(f"There is no {name}; give a picture, a folder or a pattern.")
    return [pair for match in matches for pair in _found(str(match), out)]


def _matches(place: Path, patterns: Iterable[str]) -> bool:
    return any(fnmatch(place.as_posix(), pattern) or fnmatch(place.name, pattern) for pattern in patterns)
