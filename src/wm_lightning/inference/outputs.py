"""What a command writes, and that it overwrites nothing that nobody allowed it to."""

from __future__ import annotations

import argparse
import filecmp
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import FORMATS
from wm_lightning.inference.files import Job, backup_of, beside, plan, write_in_place, write_whole
from wm_lightning.inference.pictures import Picture
from wm_lightning.inference.selection import Choice, listed, passed_over, real
from wm_lightning.inference.sheets import Sheets

STREAM = "-"


class Place(NamedTuple):
    """Where the files of one picture go; None for those that are not asked for."""

    result: Path
    mask: Path | None = None
    compare: Path | None = None

    def below(self, folder: Path) -> Place:
        """Returns the same places below a folder."""
        mask, compare = (None if path is None else folder / path for path in (self.mask, self.compare))
        return Place(folder / self.result, mask, compare)

    def files(self) -> list[Path]:
        """Returns those that are written, the result last: where it is, the others are."""
        return [path for path in (self.mask, self.compare, self.result) if path is not None]


def planned(options: argparse.Namespace) -> list[Job]:
    """Finds the pictures that a command is asked for, and where their results go.

    Raises:
        UserError: See :func:`~wm_lightning.inference.files.plan`.
    """
    names = listed(options.files_from) if options.files_from is not None else []
    if STREAM in options.inputs:
        return _from_stream(options, names)
    choice = Choice(tuple(options.include), tuple(options.exclude), options.recursive)
    options.passed_over = passed_over([*options.inputs, *names], choice)
    if options.output == STREAM:
        jobs = plan(options.inputs, None, choice, listed_names=names, over=True)
        if len(jobs) > 1:
            raise ArgumentError("{output}=- is the standard output, which takes one picture; give a folder.")
        return [job._replace(target=Path(STREAM)) for job in jobs]
    over = options.in_place or options.detect
    jobs = plan(options.inputs, options.output, choice, options.suffix, names, over=over)
    if options.in_place:  # links stay links
        jobs = [job._replace(target=Path(real(job.target))) if job.target.is_symlink() else job for job in jobs]
    return jobs


def _from_stream(options: argparse.Namespace, names: Sequence[str]) -> list[Job]:
    options.passed_over = None
    if len(options.inputs) + len(names) > 1 or options.files_from == STREAM:
        raise UserError("- is the standard input, which holds one picture; give it alone.")
    output = options.output or STREAM
    if options.suffix and output != STREAM:
        raise ArgumentError("{output}={} is the result's whole name; leave {suffix} out.", output)
    if (
        not options.detect
        and output != STREAM
        and (Path(output).suffix.lower() not in FORMATS or Path(output).is_dir())
    ):
        raise ArgumentError(
            "{output}={} must be - or a file of {} for a picture that has no name.", output, ", ".join(FORMATS)
        )
    if sys.stdin is None:
        raise UserError("The standard input is closed; give a picture by its name.")
    try:
        data = sys.stdin.buffer.read()
    except OSError as error:  # it is a folder, ...
        raise UserError(f"The standard input cannot be read: {error.strerror}.") from error
    return [Job(Path(STREAM), Path(output), data=data)]


def places_of(jobs: Sequence[Job], options: argparse.Namespace) -> dict[Job, Place]:
    """Says what is written where; sees that it takes no place of another's, of an input, or of what is there.

    Args:
        jobs: The pictures.
        options: Of the command; ``there`` says whether a path of a picture's files is taken, which ``os.path.lexists``
            does for files, and a list of what a store holds for names in it.

    Raises:
        UserError: It would.
    """
    able = [job for job in jobs if job.error is None]
    masks = beside(able, "mask") if options.save_mask else [None] * len(able)
    both = beside(able, "compare") if options.compare else [None] * len(able)
    places = {job: Place(job.target, *more) for job, *more in zip(able, masks, both, strict=True)}
    more = [("--compare", path) for path in both] + [("--save-mask", path) for path in masks]
    if options.sheet:
        options.first_sheet = _free_sheet(options) if options.skip_existing else 1
        more += [("--compare", path) for path in Sheets.paths(Path(options.output), len(jobs), options.first_sheet)]
    beside_them = [(option, path) for option, path in more if path is not None]
    report = [("--report", Path(options.report))] if options.report else []
    # Of a cluster's pictures there are names below two folders.
    into, out = (Path(options.inputs[0]), Path(options.output)) if options.ray is not None else (Path(), Path())
    taken = {path.absolute() for job in jobs for path in (into / job.source, out / job.target)}
    for option, path in (*((option, out / path) for option, path in beside_them), *report):
        if path.absolute() in taken:
            raise UserError(f"{option} would write over {path}; rename that picture, or leave {option} out.")
        taken.add(path.absolute())
    if options.report and Path(options.report).is_dir():
        raise UserError(f"--report {options.report} is a folder; give a file.")
    if not (options.overwrite or options.skip_existing):
        results = [] if options.detect else [_made(job, options) for job in able]
        _check_new([*results, *(path for _, path in beside_them)], options.there)
        _check_new([path for _, path in report], os.path.lexists)  # a file here, also where results go to a store
    return places


def is_done(place: Place, options: argparse.Namespace) -> bool:
    """Says whether all files of a picture are there, and are to stay.

    Raises:
        UserError: One that is there cannot be looked at.
    """
    if not options.skip_existing:
        return False
    if options.in_place:
        backup = backup_of(place.result)
        try:  # a run that was killed may have kept a picture and not yet written over it
            return options.there(backup) and not filecmp.cmp(backup, place.result, shallow=False)
        except OSError as error:
            raise UserError(f"{error.filename or backup} cannot be read: {error.strerror}.") from error
    return all(options.there(path) for path in place.files())


def put(content: bytes, path: Path, options: argparse.Namespace) -> None:
    """Writes a file where it may be written; one that is there stays with ``--skip-existing``.

    Raises:
        UserError: It cannot be written, or came into being since the command began.
    """
    if path == Path(STREAM):
        try:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        except OSError as error:
            raise UserError(f"The standard output cannot be written: {error.strerror}.") from error
    elif options.overwrite or not os.path.lexists(path):
        write_whole(content, path)
    elif not options.skip_existing:
        raise UserError(f"{path} appeared a moment ago and was not overwritten; --overwrite replaces it.")


def put_result(content: bytes, picture: Picture, job: Job, options: argparse.Namespace) -> None:
    """Writes a picture's result, see :func:`put`; in place where that is asked for, and only what differs.

    Raises:
        UserError: It cannot be written.
    """
    if not options.in_place:
        put(content, job.target, options)
    elif content != picture.file:
        write_in_place(content, job.target)


def _made(job: Job, options: argparse.Namespace) -> Path:
    return backup_of(job.target) if options.in_place else job.target


def _check_new(paths: Sequence[Path], is_there: Callable[[Path], bool]) -> None:
    there = [path for path in paths if path != Path(STREAM) and is_there(path)]
    if there:
        more = f" and {len(there) - 1} more exist" if len(there) > 1 else " exists"
        raise UserError(
            f"{there[0]}{more} already; --skip-existing leaves what is there and does the rest, "
            "--overwrite replaces it."
        )


def _free_sheet(options: argparse.Namespace) -> int:
    number = 1
    while os.path.lexists(Sheets.paths(Path(options.output), 1, number)[0]):
        number += 1
    return number
