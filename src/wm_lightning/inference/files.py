"""Which files are to be cleaned, and where the results go; writes them whole or not at all."""

from __future__ import annotations

import glob
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import FORMATS, pictures_below, replacing


class Job(NamedTuple):
    """One picture.

    Attributes:
        source: Its file.
        target: The file to write.
    """

    source: Path
    target: Path


def plan(inputs: Sequence[str], output: str) -> list[Job]:
    """Finds the pictures and names their results.

    Args:
        inputs: Files, folders (searched recursively, their structure is kept), and patterns such as ``*.jpg``.
        output: A folder; or a file, where there is one picture.

    Raises:
        UserError: An input is missing or holds no picture, or a result would take the place of an input or of another
            result.
    """
    once: dict[Path, tuple[Path, Path]] = {}  # a picture that is named twice is taken once
    for name in inputs:
        for source, place in _found(name, Path(output)):
            once.setdefault(source.resolve(), (source, place))
    found = list(once.values())
    out = Path(output)
    single = _is_for_one(out, len(found) == 1 and not Path(inputs[0]).is_dir())
    jobs = [Job(source, out if single else out / _named(place)) for source, place in found]
    taken: dict[Path, Path] = {}
    for source, target in jobs:
        resolved = target.resolve()
        if resolved in once:
            raise ArgumentError("{} is one of the inputs, which are never written over; give another {output}.", target)
        if taken.setdefault(resolved, source) != source:
            raise UserError(f"{taken[resolved]} and {source} would both be written to {target}; take them one by one.")
    return jobs


def _is_for_one(out: Path, one: bool) -> bool:
    """Says whether a name is that of one picture's result, and not of a folder.

    Raises:
        UserError: It is that of a file, which cannot be written, or not for more than one picture.
    """
    if out.is_dir():
        return False
    suffix = out.suffix.lower()
    if not out.is_file() and suffix not in Image.registered_extensions():
        return False
    if not one:
        raise ArgumentError(
            "{output}={} is the name of a file; give a folder for several pictures, or for a folder's.", out
        )
    if suffix not in FORMATS:
        raise ArgumentError("{output}={} cannot be written; give a folder, or a file of {}.", out, ", ".join(FORMATS))
    return True


def write_whole(content: bytes, target: Path) -> None:
    """Writes a file beside its place and renames it, so that nothing half-written is left.

    Raises:
        UserError: It cannot be written.
    """
    try:
        with replacing(target) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}.") from error


def write_png(image: Image.Image, target: Path) -> None:
    """Writes a PNG file as :func:`write_whole` does.

    Raises:
        UserError: It cannot be written.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_whole(buffer.getvalue(), target)


def _found(name: str, out: Path) -> list[tuple[Path, Path]]:
    """Returns pictures, each with its place below the folder that was named.

    Results of an earlier run, in an output folder that lies in the one that was named, are not among them.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        results = out.resolve() if path.resolve() in out.resolve().parents else None
        inside = sorted(file for file in pictures_below(path) if results not in file.resolve().parents)
        if not inside:
            kinds = ", ".join(suffix[1:] for suffix in FORMATS)
            raise UserError(f"{name} holds no picture ({kinds}); give another folder.")
        return [(file, file.relative_to(path)) for file in inside]
    if path.exists():
        return [(path, Path(path.name))]
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - of any folder
    if not matches:
        raise UserError(f"There is no {name}; give a picture, a folder or a pattern.")
    return [pair for match in matches for pair in _found(str(match), out)]


def _named(place: Path) -> Path:
    """Returns a result's place: files whose suffix cannot be written become PNG."""
    return place if place.suffix.lower() in FORMATS else place.with_suffix(".png")
