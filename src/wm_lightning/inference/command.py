"""``predict.py`` and ``wm-predict``: picture files in, the same files without watermarks out."""

from __future__ import annotations

import argparse
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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wm_lightning.errors import UserError
from wm_lightning.inference.cleaning import Cleaned, clean_pixels
from wm_lightning.inference.search import TILE
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.ensemble import ENSEMBLES
from wm_lightning.inference.files import Job, plan, write_png, write_whole
from wm_lightning.inference.pictures import Picture, encode_picture, read_picture
from wm_lightning.inference.pixels import as_bytes, changed_share, told_change
from wm_lightning.inference.remover import DEFAULT, as_allowed, open_engine

FAILED = 1
MOST = 8  # pictures that are worked on at once
LARGE_ONES = threading.Lock()


class Outcome(NamedTuple):
    """What became of one picture.

    Attributes:
        job: The picture.
        changed: Share of its pixels that changed, 0..1.
        notes: What was not kept.
        error: Why there is no result; None where there is one.
    """

    job: Job
    changed: float = 0.0
    notes: tuple[str, ...] = ()
    error: str | None = None


def predict(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, or 1 if a picture failed."""
    options = _parser().parse_args(arguments)
    console, errors = Console(), Console(stderr=True)
    try:
        jobs = plan(options.inputs, options.output)
        engine = open_engine(options.weights, options.device, options.engine, options.ensemble)
        mask = None if options.mask == "auto" else _opened_mask(options.mask)
    except UserError as error:
        errors.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        return FAILED
    started, outcomes = time.perf_counter(), []
    with _progress(console, options.quiet) as progress:
        task = progress.add_task("removing watermarks", total=len(jobs), rate="")
        for outcome in _outcomes(jobs, engine, mask, options):
            outcomes.append(outcome)
            rate = len(outcomes) / (time.perf_counter() - started)
            progress.update(task, advance=1, rate=f"{rate:.1f} pictures/s")
            if outcome.error is not None:
                errors.print(f"error: {outcome.error}", markup=False, highlight=False, soft_wrap=True)
                if options.on_error == "stop":
                    break
            elif not options.quiet:
                _tell(progress.console, outcome)
    failed = sum(outcome.error is not None for outcome in outcomes)
    if not options.quiet:
        _summarise(console, outcomes, len(jobs), failed, time.perf_counter() - started)
    return FAILED if failed else 0


def main() -> None:
    """Entry point of ``predict.py`` and ``wm-predict``."""
    sys.exit(predict())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wm-predict",
        description="Removes visible watermarks from pictures. Use it only on pictures you have the right to change.",
    )
    parser.add_argument("inputs", nargs="+", metavar="PICTURE", help="files, folders (searched recursively), patterns")
    parser.add_argument(
        "-o", "--output", required=True, help="folder, or file for one picture; inputs stay as they are"
    )
    parser.add_argument(
        "--weights", default=DEFAULT, help="file of weights, or the name of shipped ones; default: general"
    )
    parser.add_argument("--mask", default="auto", help="picture, white where pixels may change; auto: anywhere")
    parser.add_argument("--strength", type=_share, default=1.0, help="how much of a mark is taken away, 0 to 1")
    parser.add_argument("--save-mask", action="store_true", help="write where marks were found, as NAME.mask.png")
    parser.add_argument("--compare", action="store_true", help="write before and after, as NAME.compare.png")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where it runs")
    parser.add_argument("--engine", choices=("torch", "onnx"), default="torch", help="onnx needs no PyTorch")
    parser.add_argument(
        "--ensemble", type=int, choices=ENSEMBLES, default=1, help="copies, mirrored and turned, to take the mean over"
    )
    parser.add_argument("--on-error", choices=("skip", "stop"), default="skip", help="after a picture that failed")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors alone")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} must be in 0..1")
    return value


def _outcomes(
    jobs: list[Job], engine: Engine, mask: Image.Image | None, options: argparse.Namespace
) -> Iterator[Outcome]:
    """Cleans pictures side by side and says in their order what became of them."""
    stopping, rest = threading.Event(), iter(jobs)

    def work(job: Job) -> Outcome:
        try:
            picture = read_picture(job.source)
            # Large pictures one after the other: they take the memory, and all cores by themselves.
            with LARGE_ONES if max(picture.pixels.shape) > TILE else nullcontext():
                allowed = _allowed(mask, picture.pixels.shape[:2], options.mask)
                cleaned = clean_pixels(engine, picture.pixels, allowed, options.strength)
            if stopping.is_set():
                return Outcome(job, error=f"{job.source} was given up.")
            return _write(job, picture, cleaned, options)
        except UserError as error:
            if options.on_error == "stop":
                stopping.set()
            return Outcome(job, error=str(error))

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
    content, lost = encode_picture(picture, cleaned.pixels, job.target.suffix)
    write_whole(content, job.target)
    if options.save_mask:
        write_png(Image.fromarray(cleaned.mask), _beside(job.target, "mask"))
    if options.compare:
        both = np.concatenate((picture.pixels, cleaned.pixels), axis=1)
        write_png(Image.fromarray(as_bytes(both)), _beside(job.target, "compare"))
    return Outcome(job, changed_share(picture.pixels, cleaned.pixels), (*picture.notes, *lost))


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f"{target.stem}.{what}.png")


def _opened_mask(path: str) -> Image.Image:
    if not Path(path).is_file():
        raise UserError(f"--mask {path} is no file; give a picture, white where pixels may change, or auto.")
    try:
        with Image.open(path) as opened:
            mask: Image.Image = opened.convert("L")
            return mask
    except OSError as error:
        raise UserError(f"--mask {path} cannot be read as a picture; give another, or auto.") from error


def _allowed(mask: Image.Image | None, size: tuple[int, int], path: str) -> npt.NDArray[np.float32] | None:
    try:
        return as_allowed(mask, size)
    except UserError as error:
        raise UserError(f"--mask {path}: {error}") from error


def _progress(console: Console, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet)


def _tell(console: Console, outcome: Outcome) -> None:
    told = "; ".join((told_change(outcome.changed), *outcome.notes))
    console.print(f"{outcome.job.target}: {told}", markup=False, highlight=False, soft_wrap=True)


def _summarise(console: Console, outcomes: list[Outcome], planned: int, failed: int, seconds: float) -> None:
    written = len(outcomes) - failed
    parts = [f"{written} of {planned} pictures written"]
    untouched = sum(outcome.error is None and not outcome.changed for outcome in outcomes)
    parts += [f"{untouched} without a watermark"] if untouched else []
    parts += [f"{failed} failed"] if failed else []
    parts.append(f"{seconds:.1f} s, {written / seconds:.1f} pictures/s")
    console.print("; ".join(parts), markup=False, highlight=False, soft_wrap=True)
