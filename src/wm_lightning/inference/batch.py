"""Cleans the picture files of a command, and tells what became of each."""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.errors import TooLargeError, UserError, with_flags
from wm_lightning.extras import needing
from wm_lightning.files import FORMATS, SUFFIXES
from wm_lightning.images.limits import Limits, limited_pixels
from wm_lightning.inference.cleaning import Cleaned, gigabytes_for
from wm_lightning.inference.codecs import Codecs
from wm_lightning.inference.encoding import file_of
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.files import Job, as_png, write_whole
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.given_masks import allowed_by, opened_mask
from wm_lightning.inference.known import NoEngine, clean, needs_network
from wm_lightning.inference.outcomes import Outcome, Teller, as_report
from wm_lightning.inference.outputs import is_done, places_of, planned, put, put_result
from wm_lightning.inference.pictures import Picture
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import TILE, Search, as_scales, as_sensitivity
from wm_lightning.inference.sheets import Sheets, panels, row
from wm_lightning.inference.stopping import ended_by_sigterm
from wm_lightning.inference.watched import WatchedEngine
from wm_lightning.mark.known import KnownMark, load_mark

FAILED = 1
REFUSED = 3  # argparse takes 2
INTERRUPTED = 130  # as a shell says it of SIGINT
MOST = 8  # pictures that are worked on at once
LARGE_ONES = threading.Lock()


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
        jobs = planned(options)
        options.sheet = options.compare and len(jobs) > 1 and options.output is not None
        options.places = places_of(jobs, options)
        if options.passed_over:
            tell.warn(options.passed_over)
        if options.dry_run:
            return _told_alone(jobs, tell, options)
        options.known = _known_mark(jobs, options, tell)
        with Codecs(min(_workers(options), len(jobs)), limits) as options.codecs:
            mask = None if options.mask == "auto" else opened_mask(options.codecs, options.mask)
            if mask is not None and not mask.any():
                tell.warn(f"--mask {options.mask} is black: no pixel may change.")
            engine = _opened_engine(options)
            return _cleaned(jobs, engine, mask, options, tell)
    except UserError as error:
        tell.error(error)
        return FAILED
    except OSError as error:  # of a name that is too long, a folder that may not be read, ...
        tell.error(f"{error.filename} cannot be looked at: {error.strerror}.")
        return FAILED


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


def _opened_engine(options: argparse.Namespace) -> Engine:
    if not needs_network(options.known):
        return NoEngine()
    return open_engine(options.weights, options.device, options.engine, options.tta, options.trust)


def _told_alone(jobs: Sequence[Job], tell: Teller, options: argparse.Namespace) -> int:
    """Tells what would be done."""
    outcomes = [_before(job, options) or Outcome(job, status="planned") for job in jobs]
    for outcome in outcomes:
        tell.outcome(outcome)
    if not options.quiet:
        tell.sum(outcomes, len(jobs), 0.0)
    return _status(outcomes)


def _before(job: Job, options: argparse.Namespace) -> Outcome | None:
    """Returns what is known of a picture before it is looked at."""
    if job.error is not None:
        return Outcome(job, error=job.error, status="failed")
    done = not options.detect and is_done(options.places[job], options)
    return Outcome(job, status="skipped") if done else None


def _cleaned(
    jobs: list[Job], engine: Engine, mask: npt.NDArray[Any] | None, options: argparse.Namespace, tell: Teller
) -> int:
    started, outcomes, late, interrupted = time.perf_counter(), list[Outcome](), list[Outcome](), 0
    try:
        _clean_all(jobs, engine, mask, options, tell, outcomes, late)
    except KeyboardInterrupt as error:
        interrupted = getattr(error, "status", INTERRUPTED)
    for outcome in late:
        outcomes.append(outcome)
        tell.outcome(outcome)
    if options.report:  # also of a run that was interrupted
        write_whole(as_report(outcomes), Path(options.report))
    if interrupted or not options.quiet:
        tell.sum(outcomes, len(jobs), time.perf_counter() - started, bool(interrupted))
    lost = tell.lost()
    if lost is not None:
        tell.error(f"The standard output cannot be written: {lost}.")
    return interrupted or (_status(outcomes) if lost is None else FAILED)


def _status(outcomes: Sequence[Outcome]) -> int:
    statuses = {outcome.status for outcome in outcomes}
    return FAILED if "failed" in statuses else REFUSED if "refused" in statuses else 0


def _clean_all(
    jobs: list[Job],
    engine: Engine,
    mask: npt.NDArray[Any] | None,
    options: argparse.Namespace,
    tell: Teller,
    outcomes: list[Outcome],
    late: list[Outcome],
) -> None:
    """Cleans the pictures, tells of each, and adds what became of it to ``outcomes``, or ``late`` if it was to stop."""
    started = time.perf_counter()
    sheets = Sheets(Path(options.output), options.first_sheet) if options.sheet else None
    with tell.progress() as progress:
        task = progress.add_task(
            "looking for watermarks" if options.detect else "removing watermarks", total=len(jobs), rate=""
        )
        for outcome in _outcomes(jobs, engine, mask, options, late):
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


def _outcomes(
    jobs: list[Job],
    engine: Engine,
    mask: npt.NDArray[Any] | None,
    options: argparse.Namespace,
    late: list[Outcome],
) -> Iterator[Outcome]:
    """Cleans pictures side by side and says in their order what became of them.

    Those that were done while nobody asked for more are added to ``late``.
    """
    stopping, rest = threading.Event(), iter(jobs)

    def go_on(_: int = 0) -> None:
        if stopping.is_set():
            raise _StoppedError

    def work(job: Job) -> Outcome:
        known = _before(job, options)
        if known is not None and known.status == "skipped":
            return known
        started = time.perf_counter()
        try:
            outcome = looked_at(job)
        except _StoppedError:
            return Outcome(job, error=f"{job.source} was given up.", status="failed")
        except UserError as error:
            outcome = Outcome(job, error=_naming(job, with_flags(error, vars(options)), options), status="failed")
        except Exception as error:  # the others go on
            outcome = Outcome(job, error=f"{job.source} failed: {type(error).__name__}: {error}.", status="failed")
        if outcome.status == "failed" and options.on_error == "stop":
            stopping.set()
        return outcome._replace(seconds=time.perf_counter() - started)

    def looked_at(job: Job) -> Outcome:
        picture = options.codecs.read(job.source, job.data)
        if job.error is not None:  # after what is said of a file that could not be read anyway
            raise UserError(job.error)
        pages = [picture, *(picture.further if _holds_all(job, picture) else ())]
        needed, most = gigabytes_for([page.pixels for page in pages]), options.max_memory
        if most is not None and needed > most:
            told = f"would take some {needed:.2g} GB to be looked at, and {most:.2g} are allowed"
            raise TooLargeError(f"{job.source} {told}; reduce it first.")
        # Large pictures one after the other: they take the memory, and all cores by themselves.
        with LARGE_ONES if max(picture.pixels.shape) > TILE else nullcontext():
            watched = WatchedEngine(engine, go_on, options.max_minutes, job.source)
            cleaned = [cleaned_page(watched, page) for page in pages]
        go_on()
        return _write(job, picture, cleaned, options)

    def cleaned_page(watched: WatchedEngine, page: Picture) -> Cleaned:
        allowed = allowed_by(mask, page.pixels.shape[:2], options.mask)
        return clean(watched, page.pixels, options.known, allowed, options.strength, options.search)

    workers = _workers(options)
    with ThreadPoolExecutor(workers) as pool:
        # Few are begun ahead, so that what was asked to stop does.
        begun = deque(pool.submit(work, job) for job in islice(rest, workers))
        try:
            while begun:
                outcome = begun[0].result()
                begun.popleft()
                begun.extend(pool.submit(work, job) for job in islice(rest, 1))
                yield outcome
        except BaseException:  # nobody waits for what is in hand, nor for a decoder that hangs
            stopping.set()
            in_hand = [future for future in begun if not future.cancel()]
            options.codecs.stop()
            ended = [future.result() for future in in_hand]
            late += [outcome for outcome in ended if outcome.status != "failed"]
            raise


def _naming(job: Job, sentence: str, options: argparse.Namespace) -> str:
    """Returns an error that names its picture, or a file that is made of it: one of a network or a mask does not."""
    own = [job.source, *(options.places[job].files() if job in options.places else ())]
    return sentence if any(str(path) in sentence for path in own) else f"{job.source}: {sentence}"


class _StoppedError(Exception):
    """The command was told to stop."""


def _workers(options: argparse.Namespace) -> int:
    return int(options.jobs or min(os.cpu_count() or 1, MOST))


def _holds_all(job: Job, picture: Picture) -> bool:
    """Says whether a result has all frames and pages of a picture, as no other format than its own does."""
    return FORMATS.get(job.target.suffix.lower(), picture.format) == picture.format


def _write(job: Job, picture: Picture, pages: Sequence[Cleaned], options: argparse.Namespace) -> Outcome:
    cleaned, *further = pages
    before = (picture, *picture.further)
    findings = Findings.together([Findings.of(one.pixels, page) for one, page in zip(before, pages, strict=False)])
    if options.detect:
        return Outcome(job, findings, status="marked" if findings.changed else "unmarked")
    small = row(picture.pixels, cleaned.pixels, cleaned.mask) if options.sheet else None
    if options.strict and findings.doubt is not None:
        error = f"{job.source} was not written: {findings.doubt} (--strict)."
        return Outcome(job, findings, error=error, status="refused", row=small)
    place = options.places[job]
    suffix = job.target.suffix or SUFFIXES[picture.format]  # the standard output has none
    rest = [page.pixels for page in further]
    content, notes = file_of(picture, cleaned.pixels, suffix, options.codecs.encode, rest)
    if place.mask is not None:
        put(as_png(Image.fromarray(_mask_of_all(pages))), place.mask, options)
    if place.compare is not None:
        both = panels(picture.pixels, cleaned.pixels, cleaned.mask)
        put(as_png(Image.fromarray(both)), place.compare, options)
    # Last: where it is, all of a picture is done.
    put_result(content, picture, job, options)
    return Outcome(job, findings, tuple(notes), row=small)


def _mask_of_all(pages: Sequence[Cleaned]) -> npt.NDArray[np.uint8]:
    """Returns where marks were found on any frame; of pages of several sizes, on those of the first page's."""
    masks = [page.mask for page in pages if page.mask.shape == pages[0].mask.shape]
    together: npt.NDArray[np.uint8] = np.maximum.reduce(masks)
    return together
