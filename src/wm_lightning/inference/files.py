"""Which files are to be cleaned, and where the results go; writes them whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import FORMATS, replacing
from wm_lightning.inference.selection import EVERYTHING, OTHERS, Choice, find, real


class Job(NamedTuple):
    """One picture.

    Attributes:
        source: Its file; ``-`` where it came from the standard input.
        target: The file to write; ``-`` for the standard output.
        error: Why it cannot be written; None where nothing is known that speaks against it.
        data: The file's content, where it came from the standard input.
    """

    source: Path
    target: Path
    error: str | None = None
    data: bytes | None = None


def plan(
    inputs: Sequence[str],
    output: str | None,
    choice: Choice = EVERYTHING,
    suffix: str = "",
    listed_names: Sequence[str] = (),
    over: bool = False,
) -> list[Job]:
    """Finds the pictures and names their results.

    Args:
        inputs: Files, folders (their structure is kept), and patterns such as ``*.jpg``.
        output: A folder; or a file, where there is one picture; or None: results lie beside their pictures.
        choice: Which pictures are taken.
        suffix: What is added to the names of results, before ``.jpg``.
        listed_names: Further inputs, which are no patterns.
        over: Whether each picture is its own result, which is not written, or in place.

    Returns:
        The pictures; one whose result would take the place of another's has an error.

    Raises:
        UserError: An input is missing or holds no picture, or a result would take the place of an input.
    """
    if output == "":
        raise ArgumentError("{output} is an empty name; give a folder or a file ('.' is this folder).")
    _check_suffix(suffix)
    found = find(inputs, None if output is None else Path(output), choice, listed_names)
    if over:
        return [Job(source, source) for source, _ in found]
    if output is None:
        jobs = [Job(source, _named(source, suffix)) for source, _ in found]
        results = {real(job.target) for job in jobs}  # of an earlier run
        jobs = [job for job in jobs if real(job.source) not in results]
    else:
        out = Path(output)
        single = _is_for_one(out, len(found) == 1 and not (inputs and Path(inputs[0]).is_dir()))
        if single and suffix:
            raise ArgumentError("{output}={} is the result's whole name; leave {suffix} out, or give a folder.", out)
        jobs = [Job(source, out if single else out / _named(place, suffix)) for source, place in found]
    sources = {real(job.source) for job in jobs}
    for job in jobs:
        if real(job.target) in sources:
            raise ArgumentError(
                "{} is one of the inputs, which are never overwritten; give another {output}, or --in-place.",
                job.target,
            )
    return _each_by_itself(jobs, real)


def named_jobs(names: Iterable[str], suffix: str = "") -> list[Job]:
    """Names the results of pictures, whose names are below one folder or store, below another one.

    Args:
        names: Of the pictures.
        suffix: As for :func:`plan`.

    Returns:
        The pictures, as there.

    Raises:
        UserError: The suffix would lead to another folder.
    """
    _check_suffix(suffix)
    return _each_by_itself([Job(Path(name), _named(Path(name), suffix)) for name in names], str)


def beside(jobs: Sequence[Job], what: str) -> list[Path]:
    """Returns a place beside each result, ``NAME.WHAT.png``; the suffix comes in where that place is another's."""
    stems = Counter((job.target.parent, job.target.stem.lower()) for job in jobs)
    taken = {path.absolute() for job in jobs for path in (job.source, job.target)}
    places = []
    for job in jobs:
        place = job.target.with_name(f"{job.target.stem}.{what}.png")
        if stems[job.target.parent, job.target.stem.lower()] > 1 or place.absolute() in taken:
            place = job.target.with_name(f"{job.target.name}.{what}.png")
        places.append(place)
    return places


def _check_suffix(suffix: str) -> None:
    if {"/", "\0", os.sep} & set(suffix):
        raise ArgumentError("{suffix}={} is part of a name, and no folder; give something like _clean.", suffix)


def _each_by_itself(jobs: Sequence[Job], place: Callable[[Path], str]) -> list[Job]:
    """Returns pictures, of which those have an error whose result would take the place of another's."""
    taken: dict[str, Path] = {}
    # Those that keep their suffix come first: another would only become what they are.
    for job in sorted(jobs, key=lambda job: job.source.suffix != job.target.suffix):
        taken.setdefault(place(job.target), job.source)
    return [_checked(job, taken[place(job.target)]) for job in jobs]


def _checked(job: Job, first: Path) -> Job:
    if first == job.source:
        return job
    return job._replace(error=f"{job.source} and {first} would both be written to {job.target}; take it by itself.")


def _is_for_one(out: Path, one: bool) -> bool:
    """Says whether a name is that of one picture's result, and not of a folder.

    Raises:
        UserError: It is that of a file, which cannot be written, or not for more than one picture.
    """
    if out.is_dir():
        return False
    suffix = out.suffix.lower()
    if not out.is_file() and suffix not in Image.registered_extensions().keys() | FORMATS.keys() | OTHERS:
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


def backup_of(path: Path) -> Path:
    """Returns where a picture is kept before it is written over; no picture's name, so that no later run takes it."""
    return path.with_name(f"{path.name}.orig")


def write_in_place(content: bytes, target: Path) -> None:
    """Writes over a picture, which is kept as :func:`backup_of` says; one that is kept already is the first and stays.

    Raises:
        UserError: It cannot be written; then the picture is as it was.
    """
    backup = backup_of(target)
    try:
        if not backup.exists():
            with replacing(backup) as draft:
                shutil.copy2(target, draft)
        write_whole(content, target)
        shutil.copymode(backup, target)
    except OSError as error:
        raise UserError(f"{backup} cannot be written: {error.strerror or error}.") from error


def write_png(image: Image.Image, target: Path) -> None:
    """Writes a PNG file as :func:`write_whole` does.

    Raises:
        UserError: It cannot be written.
    """
    write_whole(as_png(image), target)


def as_png(image: Image.Image) -> bytes:
    """Returns a PNG file's content."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _named(place: Path, suffix: str = "") -> Path:
    """Returns a result's place: files whose suffix cannot be written become PNG."""
    kind = place.suffix if place.suffix.lower() in FORMATS else ".png"
    return place.with_name(f"{place.stem}{suffix}{kind}")
