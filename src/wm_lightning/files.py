"""Files: which are pictures, where this project's own lie, and how one, or a table, is written whole or not at all.

Free of PyTorch, which ONNX Runtime's users need not have.
"""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".apng": "PNG", ".webp": "WEBP", ".tif": "TIFF",
    ".tiff": "TIFF", ".bmp": "BMP", ".avif": "AVIF", ".gif": "GIF",
}  # fmt: skip
"""Pillow's name of what a suffix stands for, in lower case."""
if find_spec("pillow_heif") is not None:
    FORMATS |= {".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF"}
PHOTOGRAPHS = frozenset(suffix for suffix, kind in FORMATS.items() if kind != "GIF")
"""Suffixes of what is trained on: 256 colours make no photograph."""

SUFFIXES = {kind: suffix for suffix, kind in reversed(FORMATS.items())}
"""The first suffix of each."""


def pictures_below(folder: Path) -> Iterator[Path]:
    """Finds picture files by their suffix, in no order; links to folders are not followed, hidden ones passed over."""
    return (folder / name for name in names_below(folder))


def names_below(folder: Path, suffixes: Container[str] = FORMATS) -> Iterator[str]:
    """Finds what :func:`pictures_below` does, as names relative to the folder, ``deep/a.jpg``.

    Args:
        folder: Where it looks.
        suffixes: Of what is found, in lower case.
    """
    # Of a hundred thousand files, a path of each would take most of the time.
    for here, subfolders, files in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        below = Path(here).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in files:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:  # noqa: PTH122
                yield prefix + name


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Gives a path beside a file's place to write to, and puts what was written there: nobody meets half a file.

    An error inside leaves the old file as it was, and no draft.

    Raises:
        OSError: The place cannot be written to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Processes that write one file at once, as jobs of a multirun do their table, each have a draft of their own.
    # Its name is no longer than others, as names have an end.
    draft = target.with_name(f".{zlib.crc32(os.fsencode(target.name)):x}.{os.getpid():x}{target.suffix}")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_csv(path: Path, headings: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes a table with all digits of its numbers; what is None is empty.

    Args:
        path: Of the file; written beside its place and renamed.
        headings: The first line.
        rows: As many values each.

    Raises:
        OSError: The place cannot be written to.
    """
    with replacing(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)


def own_folder(name: str, packaged: str) -> Path:
    """Returns a folder of this project: beside its code in an installed wheel, at the top of a clone.

    Args:
        name: In a clone.
        packaged: In a wheel, see ``pyproject.toml``.
    """
    here = Path(__file__).parent
    return here / packaged if (here / packaged).is_dir() else here.parents[1] / name


CONF = own_folder("conf", packaged="conf")
"""The configuration files."""

SHIPPED = own_folder("weights", packaged="shipped")
"""The weights that come with this project."""


def shipped(name: str, suffix: str) -> Path | None:
    """Returns a file of weights that come with this project, such as ``general``; None where there is none.

    Args:
        name: Of the weights, or a path; a file of that name in the current folder comes first.
        suffix: Of the file.
    """
    path = SHIPPED / f"{name}{suffix}"
    return path if not Path(name).exists() and Path(name).name == name and path.is_file() else None


def shipped_names() -> list[str]:
    """Returns the names of the weights that come with this project, in alphabetical order."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
