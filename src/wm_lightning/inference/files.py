"""Which files are to be cleaned, and where the results go; writes them whole or not at all."""

from __future__ import annotations

import glob
import io
import os
from collections import Counter
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
        error: Why it cannot be written; None where nothing is known that speaks against it.
    """

    source: Path
    target: Path
    error: str | None = None


def plan(inputs: Sequence[str], output: str) -> list[Job]:
    """Finds the pictures and names their results.

    Args:
        inputs: Files, folders (searched recursively, their structure is kept), and patterns such as ``*.jpg``.
        output: A folder; or a file, where there is one picture.

    Returns:
        The pictures; one whose result would take the place of another's has an error.

    Raises:
        UserError: An input is missing or holds no picture, or a result would take the place of an input.
    """
    once: dict[str, tuple[Path, Path]] = {}  # a picture that is named twice is taken once
    for name in inputs:
        for source, place in _found(name, Path(output)):
            once.setdefault(_real(source), (source, place))
    found = list(once.values())
    out = Path(output)
    single = _is_for_one(out, len(found) == 1 and not Path(inputs[0]).is_dir())
    jobs = [Job(source, out if single else out / _named(place)) for source, place in found]
    taken: dict[str, Path] = {}
    # Those that keep their suffix come first: another would only become what they are.
    for source, target, _ in sorted(jobs, key=lambda job: job.source.suffix != job.target.suffix):
        real = _real(target)
        if real in once:
            raise ArgumentError("{} is one of the inputs, which are never written over; give another {output}.", target)
        taken.setdefault(real, source)
    return [_checked(job, taken[_real(job.target)]) for job in jobs]


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


def _checked(job: Job, first: Path) -> Job:
    if first == job.source:
        return job
    return job._replace(error=f"{job.source} and {first} would both be written to {job.target}; take it by itself.")


def _real(path: Path) -> str:
    return os.path.realpath(path)  # of links that lead to themselves too, which pathlib refuses


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
    # A name that begins with `~` is mostly that of a folder, but may be a file's; pathlib refuses one of no user.
    path = Path(name) if os.path.lexists(name) else Path(os.path.expanduser(name))  # noqa: PTH111
    if path.is_dir():
        results = Path(_real(out)) if Path(_real(path)) in Path(_real(out)).parents else None
        inside = sorted(file for file in pictures_below(path) if results not in Path(_real(file)).parents)
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


def _named(place: Path) -> Path:
    """Returns a result's place: files whose suffix cannot be written become PNG."""
    return place if place.suffix.lower() in FORMATS else place.with_suffix(".png")
