"""Cleans the picture files of a command, and tells what became of each."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from wm_lightning.errors import UserError
from wm_lightning.extras import needing
from wm_lightning.images.limits import Limits, limited_pixels
from wm_lightning.inference.cleaner import FileCleaner, known_before, opened_engine
from wm_lightning.inference.cluster import on_cluster, planned_on_cluster
from wm_lightning.inference.codecs import Codecs
from wm_lightning.inference.files import Job, write_whole
from wm_lightning.inference.given_masks import opened_mask
from wm_lightning.inference.outcomes import Outcome, Teller, as_report
from wm_lightning.inference.outputs import places_of, planned
from wm_lightning.inference.search import Search, as_scales, as_sensitivity
from wm_lightning.inference.sheets import Sheets
from wm_lightning.inference.stopping import ended_by_sigterm
from wm_lightning.mark.known import KnownMark, load_mark

FAILED = 1
REFUSED = 3  # argparse takes 2
INTERRUPTED = 130  # as a shell says it of SIGINT
MOST = 8  # pictures that are worked on at once


def clean_files(options: argparse.Namespace) -> int:
    """Cleans the pictures that were asked for, see :mod:`wm_lightning.inference.command`; returns the exit status.

    It is 0, 1 if a picture failed, else 3 if one was refused; 130 after Ctrl-C, 143 after SIGTERM.
    """
    tell, limits = Teller(options), Limits(options.max_megapixels, options.max_memory, options.max_minutes)
    with limited_pixels(limits.megapixels), ended_by_sigterm():
        return _planned_and_cleaned(options, limits, tell)


def _planned_and_cleaned(options: argparse.Namespace, limits: Limits, tell: Teller) -> int:
    try:
        options.search = Search(as_sensitivity(options.sensitivity), as_scales(options.scales))
        with _looked_at():
            jobs = _planned(options)
        if options.passed_over:
            tell.warn(options.passed_over)
        if options.dry_run:
            return _told_alone(jobs, tell, options)
        with _looked_at():
            options.known = _known_mark(jobs, options, tell)
        workers = min(_workers(options), len(jobs)) if options.ray is None else 1
        with Codecs(workers, limits) as codecs:
            with _looked_at():
                mask = None if options.mask == "auto" else opened_mask(codecs, options.mask)
                engine = opened_engine(options) if options.ray is None else None
            if mask is not None and not mask.any():
                tell.warn(f"--mask {options.mask} is black: no pixel may change.")
            if engine is None:
                return _cleaned(jobs, on_cluster(jobs, mask, options), [], options, tell)
            cleaner = FileCleaner(engine, codecs, mask, options, workers)
            return _cleaned(jobs, cleaner.outcomes(jobs, options.places), cleaner.late, options, tell)
    except UserError as error:
        tell.error(error)
        return FAILED


def _planned(options: argparse.Namespace) -> list[Job]:
    """Finds the pictures, and sets what the options say of all of them: ``there``, ``sheet`` and ``places``.

    Raises:
        UserError: See :func:`planned` and :func:`places_of`.
    """
    options.there = os.path.lexists
    jobs = planned(options) if options.ray is None else planned_on_cluster(options)
    options.sheet = options.compare and len(jobs) > 1 and options.output is not None
    options.places = places_of(jobs, options)
    return jobs


@contextmanager
def _looked_at() -> Iterator[None]:
    """Names what was asked for and cannot be looked at: a name that is too long, a folder that may not be read, ...

    Raises:
        UserError: There is one. Errors of no file are mistakes of ours, and keep their traces.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise UserError(f"{error.filename} cannot be looked at: {error.strerror}.") from error


def _known_mark(jobs: Sequence[Job], options: argparse.Namespace, tell: Teller) -> KnownMark | None:
    """Returns the mark that the pictures are said to have; None where it is to be sought in each.

    Raises:
        UserError: Its file is damaged, or the pictures share none.
    """
    if options.mark is not None:
        return load_mark(options.mark)
    if not options.same_mark:
        return None
    with needing("--same-mark"):
        from wm_lightning.mark.estimate import estimate_mark

    mark = estimate_mark([job.source for job in jobs], tell.note)
    tell.note(f"the mark: {mark.told()}")
    return mark


def _told_alone(jobs: Sequence[Job], tell: Teller, options: argparse.Namespace) -> int:
    """Tells what would be done."""
    outcomes = []
    for job in jobs:
        try:
            outcome = known_before(job, options.places, options) or Outcome(job, status="planned")
        except UserError as error:
            outcome = Outcome(job, error=str(error), status="failed")
        outcomes.append(outcome)
        tell.outcome(outcome)
    if not options.quiet:
        tell.sum(outcomes, len(jobs), 0.0)
    return _status(outcomes)


def _cleaned(
    jobs: list[Job], each: Generator[Outcome], late: list[Outcome], options: argparse.Namespace, tell: Teller
) -> int:
    """Cleans the pictures; of those in ``late`` nobody asked any more."""
    started, outcomes, interrupted, ended = time.perf_counter(), list[Outcome](), 0, False
    try:
        _clean_all(jobs, each, options, tell, outcomes)
    except KeyboardInterrupt as error:
        interrupted = getattr(error, "status", INTERRUPTED)
    except UserError as error:  # a cluster was lost, a sheet cannot be written; what is done is told all the same
        tell.error(error)
        ended = True
    for outcome in late:
        outcomes.append(outcome)
        tell.outcome(outcome)
    if options.report:  # also of a run that was interrupted, or ended
        write_whole(as_report(outcomes), Path(options.report))
    if interrupted or not options.quiet:
        tell.sum(outcomes, len(jobs), time.perf_counter() - started, bool(interrupted))
    lost = tell.lost()
    if lost is not None:
        tell.error(f"The standard output cannot be written: {lost}.")
    return interrupted or (FAILED if ended or lost is not None else _status(outcomes))


def _status(outcomes: Sequence[Outcome]) -> int:
    statuses = {outcome.status for outcome in outcomes}
    return FAILED if "failed" in statuses else REFUSED if "refused" in statuses else 0


def _clean_all(
    jobs: list[Job],
    each: Generator[Outcome],
    options: argparse.Namespace,
    tell: Teller,
    outcomes: list[Outcome],
) -> None:
    """Cleans the pictures, tells of each, and adds what became of it to ``outcomes``."""
    started = time.perf_counter()
    sheets = Sheets(Path(options.output), options.first_sheet) if options.sheet else None
    # Closed before the bar is: it may have put another standard output in place of the bar's own.
    with tell.progress() as progress, closing(each):
        task = progress.add_task(
            "looking for watermarks" if options.detect else "removing watermarks", total=len(jobs), rate=""
        )
        for outcome in each:
            outcomes.append(outcome._replace(row=None))
            rate = len(outcomes) / (time.perf_counter() - started)
            progress.update(task, advance=1, rate=f"{rate:.1f} pictures/s")
            if sheets is not None and outcome.row is not None:
                sheets.add(outcome.row)
            tell.outcome(outcome)
            if options.on_error == "stop" and outcome.status == "failed":
                break
    if sheets is not None:
        sheets.finish()


def _workers(options: argparse.Namespace) -> int:
    return int(options.jobs or min(os.cpu_count() or 1, MOST))
