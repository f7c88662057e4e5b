"""Cleans the picture files of a command, and tells what became of each."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wm_lightning.errors import UserError, with_flags
from wm_lightning.inference.cleaning import Cleaned, clean_pixels
from wm_lightning.inference.codecs import Codecs
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.files import Job, beside, plan, write_png, write_whole
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.given_masks import mask_values
from wm_lightning.inference.known import without_known
from wm_lightning.inference.pictures import Picture, file_of
from wm_lightning.inference.remover import as_allowed, open_engine
from wm_lightning.inference.search import SENSITIVITIES, TILE, Search, as_scales, as_sensitivity
from wm_lightning.inference.sheets import Sheets, panels, row
from wm_lightning.inference.telling import console as lasting_console
from wm_lightning.inference.telling import say as _say
from wm_lightning.mark.known import KnownMark, load_mark

FAILED = 1
REFUSED = 3  # argparse takes 2
MOST = 8  # pictures that are worked on at once
LARGE_ONES = threading.Lock()


class Outcome(NamedTuple):
    """What became of one picture.

    Attributes:
        job: The picture.
        findings: What was found in it.
        notes: What was not kept.
        error: Why there is no result; None where there is one.
        refused: Whether there is none because what was found is doubtful.
        row: For the sheet of all pictures, where one is asked for.
    """

    job: Job
    findings: Findings = Findings()
    notes: tuple[str, ...] = ()
    error: str | None = None
    refused: bool = False
    row: npt.NDArray[np.uint8] | None = None


def clean_files(options: argparse.Namespace) -> int:
    """Cleans the pictures that were asked for, see :mod:`wm_lightning.inference.command`; returns the exit status.

    It is 0, 1 if a picture failed, else 3 if one was refused.
    """
    console, errors = lasting_console(sys.stdout), lasting_console(sys.stderr)
    try:
        options.search = Search(as_sensitivity(options.sensitivity), as_scales(options.scales))
        jobs = plan(options.inputs, options.output)
        options.sheet = options.compare and len(jobs) > 1
        _check_more(jobs, options)
    except UserError as error:
        return _ended(errors, error, options)
    try:
        options.known = _known_mark(jobs, options, console)
    except UserError as error:
        return _ended(errors, error, options)
    with Codecs(min(os.cpu_count() or 1, MOST, len(jobs))) as options.codecs:
        try:
            mask = None if options.mask == "auto" else _opened_mask(options.codecs, options.mask)
            engine = open_engine(options.weights, options.device, options.engine, options.tta, options.trust)
        except UserError as error:
            return _ended(errors, error, options)
        return _cleaned(jobs, engine, mask, options, (console, errors))


def _known_mark(jobs: list[Job], options: argparse.Namespace, console: Console) -> KnownMark | None:
    """Returns the mark that the pictures are said to have; None where it is to be sought in each.

    Raises:
        UserError: Its file is damaged, or the pictures share none.
    """
    if options.mark is not None:
        return load_mark(options.mark)
    if not options.same_mark:
        return None
    from wm_lightning.mark.estimate import estimate_mark  # imports PyTorch, which ONNX Runtime's users need not have

    mark = estimate_mark([job.source for job in jobs], lambda line: None if options.quiet else _say(console, line))
    if not options.quiet:
        _say(console, f"the mark: {mark.told()}")
    return mark


def _ended(errors: Console, error: UserError, options: argparse.Namespace) -> int:
    _say(errors, f"error: {with_flags(error, vars(options), output='-o')}")
    return FAILED


def _cleaned(
    jobs: list[Job],
    engine: Engine,
    mask: npt.NDArray[Any] | None,
    options: argparse.Namespace,
    consoles: tuple[Console, Console],
) -> int:
    console, errors = consoles
    started, outcomes = time.perf_counter(), list[Outcome]()
    try:
        try:
            _clean_all(jobs, engine, mask, options, consoles, outcomes)
        finally:  # also of a run that was interrupted
            if options.report:
                write_whole(_report(outcomes), Path(options.report))
    except UserError as error:  # pictures are written; the report or a sheet cannot be
        _say(errors, f"error: {error}")
        return FAILED
    failed = sum(outcome.error is not None and not outcome.refused for outcome in outcomes)
    refused = sum(outcome.refused for outcome in outcomes)
    if not options.quiet:
        _summarise(console, outcomes, len(jobs), (failed, refused), time.perf_counter() - started)
        if (
            options.known is None
            and options.search.sensitivity < SENSITIVITIES["high"]
            and any(map(_untouched, outcomes))
        ):
            _say(console, "A watermark that was left? --sensitivity high, or up to 1, asks for less evidence.")
    return FAILED if failed else REFUSED if refused else 0


def _clean_all(
    jobs: list[Job],
    engine: Engine,
    mask: npt.NDArray[Any] | None,
    options: argparse.Namespace,
    consoles: tuple[Console, Console],
    outcomes: list[Outcome],
) -> None:
    """Cleans the pictures, tells of each, and adds what became of it to ``outcomes``."""
    started, (console, errors) = time.perf_counter(), consoles
    sheets = Sheets(Path(options.output)) if options.sheet else None
    with _progress(console, options.quiet) as progress:
        task = progress.add_task("removing watermarks", total=len(jobs), rate="")
        for outcome in _outcomes(jobs, engine, mask, options):
            outcomes.append(outcome._replace(row=None))
            rate = len(outcomes) / (time.perf_counter() - started)
            progress.update(task, advance=1, rate=f"{rate:.1f} pictures/s")
            if sheets is not None and outcome.row is not None:
                sheets.add(outcome.row)
            if outcome.error is not None:
                _say(errors, f"error: {outcome.error}")
                if options.on_error == "stop" and not outcome.refused:
                    break
            elif outcome.findings.doubt is not None:
                _say(errors, f"warning: {outcome.job.target}: {outcome.findings.doubt}; look at it.")
            if outcome.error is None and not options.quiet:
                told = "; ".join((outcome.findings.told(), *outcome.notes))
                _say(progress.console, f"{outcome.job.target}: {told}")
    if sheets is not None:
        sheets.finish()


def _outcomes(
    jobs: list[Job], engine: Engine, mask: npt.NDArray[Any] | None, options: argparse.Namespace
) -> Iterator[Outcome]:
    """Cleans pictures side by side and says in their order what became of them."""
    stopping, rest = threading.Event(), iter(jobs)

    def work(job: Job) -> Outcome:
        try:
            picture = options.codecs.read(job.source)
            if job.error is not None:  # after what is said of a file that could not be read anyway
                raise UserError(job.error)
            # Large pictures one after the other: they take the memory, and all cores by themselves.
            with LARGE_ONES if max(picture.pixels.shape) > TILE else nullcontext():
                allowed = _allowed(mask, picture.pixels.shape[:2], options.mask)
                if options.known is None:
                    cleaned = clean_pixels(engine, picture.pixels, allowed, options.strength, options.search)
                else:
                    cleaned = without_known(engine, picture.pixels, options.known, allowed, options.strength)
            if stopping.is_set():
                return Outcome(job, error=f"{job.source} was given up.")
            return _write(job, picture, cleaned, options)
        except UserError as error:
            if options.on_error == "stop":
                stopping.set()
            return Outcome(job, error=with_flags(error, vars(options)))
        except Exception as error:  # the others go on
            if options.on_error == "stop":
                stopping.set()
            return Outcome(job, error=f"{job.source} failed: {type(error).__name__}: {error}.")

    workers = min(os.cpu_count() or 1, MOST)
    with ThreadPoolExecutor(workers) as pool:
        # Few are begun ahead, so that what was asked to stop does.
        begun = deque(pool.submit(work, job) for job in islice(rest, workers))
        try:
            while begun:
                outcome = begun.popleft().result()
                begun.extend(pool.submit(work, job) for job in islice(rest, 1))
                yield outcome
        finally:
            stopping.set()
            for future in begun:
                future.cancel()


def _write(job: Job, picture: Picture, cleaned: Cleaned, options: argparse.Namespace) -> Outcome:
    findings = Findings.of(picture.pixels, cleaned)
    small = row(picture.pixels, cleaned.pixels, cleaned.mask) if options.sheet else None
    if options.strict and findings.doubt is not None:
        error = f"{job.source} was not written: {findings.doubt} (--strict)."
        return Outcome(job, findings, error=error, refused=True, row=small)
    content, notes = file_of(picture, cleaned.pixels, job.target.suffix, options.codecs.encode)
    write_whole(content, job.target)
    if options.save_mask:
        write_png(Image.fromarray(cleaned.mask), options.places["mask"][job])
    if options.compare:
        both = panels(picture.pixels, cleaned.pixels, cleaned.mask)
        write_png(Image.fromarray(both), options.places["compare"][job])
    return Outcome(job, findings, tuple(notes), row=small)


def _check_more(jobs: Sequence[Job], options: argparse.Namespace) -> None:
    """Sees that what is written beside results overwrites none, no input, and nothing else of its kind.

    Raises:
        UserError: It would.
    """
    able = [job for job in jobs if job.error is None]
    options.places = {what: dict(zip(able, beside(able, what), strict=True)) for what in ("mask", "compare")}
    more = [("--compare", path) for path in options.places["compare"].values() if options.compare]
    more += [("--save-mask", path) for path in options.places["mask"].values() if options.save_mask]
    if options.sheet:
        more += [("--compare", path) for path in Sheets.paths(Path(options.output), len(jobs))]
    if options.report:
        more.append(("--report", Path(options.report)))
    taken = {path.absolute() for job in jobs for path in (job.source, job.target)}
    for option, path in more:
        if path.absolute() in taken:
            raise UserError(f"{option} would write over {path}; rename that picture, or leave {option} out.")
        taken.add(path.absolute())
    if options.report and Path(options.report).is_dir():
        raise UserError(f"--report {options.report} is a folder; give a file.")


def _report(outcomes: Sequence[Outcome]) -> bytes:
    """Returns what became of each picture as a JSON file."""
    each = [
        {
            "file": str(one.job.source),
            "status": "refused" if one.refused else "written" if one.error is None else "failed",
            "result": str(one.job.target) if one.error is None else None,
            **(one.findings.as_json() if one.error is None or one.refused else {}),
            "notes": list(one.notes),
            "error": one.error,
        }
        for one in outcomes
    ]
    # Bytes of names that are no text become escapes, which JSON has too.
    return json.dumps(each, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _opened_mask(codecs: Codecs, path: str) -> npt.NDArray[Any]:
    """Reads a mask: (H, W), of the file's depth.

    Raises:
        UserError: It cannot be read.
    """
    if not Path(path).is_file():
        raise UserError(f"--mask {path} is no file; give a picture, white where pixels may change, or auto.")
    try:
        return mask_values(codecs.read(Path(path)))
    except UserError as error:
        raise UserError(f"--mask {error}") from error


def _allowed(mask: npt.NDArray[Any] | None, size: tuple[int, int], path: str) -> npt.NDArray[np.float32] | None:
    try:
        return as_allowed(mask, size)
    except UserError as error:
        raise UserError(f"--mask {path}: {error}") from error


def _progress(console: Console, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet)


def _untouched(outcome: Outcome) -> bool:
    return outcome.error is None and not outcome.findings.changed


def _summarise(
    console: Console, outcomes: list[Outcome], planned: int, missing: tuple[int, int], seconds: float
) -> None:
    failed, refused = missing
    written = len(outcomes) - failed - refused
    parts = [f"{written} of {planned} pictures written"]
    untouched = sum(map(_untouched, outcomes))
    parts += [f"{untouched} of them as they were"] if untouched else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{refused} refused"] if refused else []
    parts.append(f"{seconds:.1f} s, {written / seconds:.1f} pictures/s")
    _say(console, "; ".join(parts))
