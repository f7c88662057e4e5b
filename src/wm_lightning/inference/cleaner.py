"""Cleans picture files side by side with one network: what a command's process does, and each worker of a cluster."""

from __future__ import annotations

import argparse
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.errors import TooLargeError, UserError, with_flags
from wm_lightning.files import FORMATS, SUFFIXES
from wm_lightning.inference.cleaning import Cleaned, gigabytes_for
from wm_lightning.inference.codecs import Codecs, StoppedError
from wm_lightning.inference.encoding import file_of
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.files import Job, as_png
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.given_masks import allowed_by
from wm_lightning.inference.known import NoEngine, clean, needs_network
from wm_lightning.inference.outcomes import Outcome
from wm_lightning.inference.outputs import Place, is_done, put, put_result
from wm_lightning.inference.pictures import Picture
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import TILE
from wm_lightning.inference.sheets import panels, row
from wm_lightning.inference.watched import WatchedEngine

LARGE_ONES = threading.Lock()


class FileCleaner:
    """Cleans picture files with one network.

    Args:
        engine: Runs the network.
        codecs: Processes that read and write pictures.
        mask: Where pixels may change, (H, W); None allows it everywhere.
        options: Of the command, see :mod:`wm_lightning.inference.command`; also ``known``, the mark that the pictures
            have or None, ``search``, how marks are sought, and ``sheet``, whether rows for it are asked for.
        workers: Pictures that are worked on at once.

    Attributes:
        late: What became of pictures that were done while nobody asked for more.
    """

    def __init__(
        self,
        engine: Engine,
        codecs: Codecs,
        mask: npt.NDArray[Any] | None,
        options: argparse.Namespace,
        workers: int,
    ) -> None:
        self.engine, self.codecs, self.mask = engine, codecs, mask
        self.options, self.workers = options, workers
        self.late: list[Outcome] = []

    def outcomes(self, jobs: Sequence[Job], places: Mapping[Job, Place]) -> Generator[Outcome]:
        """Cleans pictures side by side and says in their order what became of them.

        With ``--on-error stop`` none is begun after one that failed; those in hand that are given up have no outcome.

        Args:
            jobs: The pictures.
            places: Where the files of each go that has no error yet.
        """
        stopping, rest = threading.Event(), iter(jobs)
        with ThreadPoolExecutor(self.workers) as pool:
            # Few are begun ahead, so that what was asked to stop does.
            begun = deque(pool.submit(self._outcome, job, places, stopping) for job in islice(rest, self.workers))
            try:
                while begun:
                    outcome = begun[0].result()
                    begun.popleft()
                    if not stopping.is_set():
                        begun.extend(pool.submit(self._outcome, job, places, stopping) for job in islice(rest, 1))
                    if outcome is not None:
                        yield outcome
            except BaseException:  # nobody waits for what is in hand, nor for a decoder that hangs
                stopping.set()
                in_hand = [future for future in begun if not future.cancel()]
                self.codecs.stop()
                ended = [future.result() for future in in_hand]
                self.late += [outcome for outcome in ended if outcome is not None]
                raise

    def _outcome(self, job: Job, places: Mapping[Job, Place], stopping: threading.Event) -> Outcome | None:
        """Returns what became of a picture; None of one that was given up since the command stops."""
        started = time.perf_counter()
        try:
            known = known_before(job, places, self.options)
            if known is not None and known.status == "skipped":
                return known
            outcome = self._looked_at(job, places, stopping)
        except StoppedError:
            return None
        except UserError as error:
            sentence = _naming(job, with_flags(error, vars(self.options)), places)
            outcome = Outcome(job, error=sentence, status="failed")
        except Exception as error:  # the others go on
            outcome = Outcome(job, error=f"{job.source} failed: {type(error).__name__}: {error}.", status="failed")
        if outcome.status == "failed" and self.options.on_error == "stop":
            stopping.set()
        return outcome._replace(seconds=time.perf_counter() - started)

    def _looked_at(self, job: Job, places: Mapping[Job, Place], stopping: threading.Event) -> Outcome:
        def go_on(_: int = 0) -> None:
            if stopping.is_set():
                raise StoppedError

        picture = self.codecs.read(job.source, job.data)
        if job.error is not None:  # after what is said of a file that could not be read anyway
            raise UserError(job.error)
        pages = [picture, *(picture.further if _holds_all(job, picture) else ())]
        needed, most = gigabytes_for([page.pixels for page in pages]), self.options.max_memory
        if most is not None and needed > most:
            told = f"would take some {needed:.2g} GB to be looked at, and {most:.2g} are allowed"
            raise TooLargeError(f"{job.source} {told}; reduce it first.")
        # Large pictures one after the other: they take the memory, and all cores by themselves.
        with LARGE_ONES if max(picture.pixels.shape) > TILE else nullcontext():
            watched = WatchedEngine(self.engine, go_on, self.options.max_minutes, job.source)
            cleaned = [self._cleaned(watched, page) for page in pages]
        go_on()
        return self._write(job, places[job], picture, cleaned)

    def _cleaned(self, engine: Engine, page: Picture) -> Cleaned:
        options = self.options
        allowed = allowed_by(self.mask, page.pixels.shape[:2], options.mask)
        return clean(engine, page.pixels, options.known, allowed, options.strength, options.search)

    def _write(self, job: Job, place: Place, picture: Picture, pages: Sequence[Cleaned]) -> Outcome:
        options = self.options
        cleaned, *further = pages
        before = (picture, *picture.further)
        findings = Findings.together([Findings.of(one.pixels, page) for one, page in zip(before, pages, strict=False)])
        if options.detect:
            return Outcome(job, findings, status="marked" if findings.changed else "unmarked")
        small = row(picture.pixels, cleaned.pixels, cleaned.mask) if options.sheet else None
        if options.strict and findings.doubt is not None:
            error = f"{job.source} was not written: {findings.doubt} (--strict)."
            return Outcome(job, findings, error=error, status="refused", row=small)
        suffix = job.target.suffix or SUFFIXES[picture.format]  # the standard output has none
        rest = [page.pixels for page in further]
        content, notes = file_of(picture, cleaned.pixels, suffix, self.codecs.encode, rest)
        if place.mask is not None:
            put(as_png(Image.fromarray(_mask_of_all(pages))), place.mask, options)
        if place.compare is not None:
            both = panels(picture.pixels, cleaned.pixels, cleaned.mask)
            put(as_png(Image.fromarray(both)), place.compare, options)
        # Last: where it is, all of a picture is done.
        put_result(content, picture, job, options)
        return Outcome(job, findings, tuple(notes), row=small)


def opened_engine(options: argparse.Namespace) -> Engine:
    """Returns what runs the network that a command asks for; its errors are those of ``open_engine``."""
    if not needs_network(options.known):
        return NoEngine()
    return open_engine(options.weights, options.device, options.engine, options.tta, options.trust)


def known_before(job: Job, places: Mapping[Job, Place], options: argparse.Namespace) -> Outcome | None:
    """Returns what is known of a picture before it is looked at.

    Raises:
        UserError: What is there of it cannot be read.
    """
    if job.error is not None:
        return Outcome(job, error=job.error, status="failed")
    done = not options.detect and is_done(places[job], options)
    return Outcome(job, status="skipped") if done else None


def _naming(job: Job, sentence: str, places: Mapping[Job, Place]) -> str:
    """Returns an error that names its picture, or a file that is made of it: one of a network or a mask does not."""
    own = [job.source, *(places[job].files() if job in places else ())]
    return sentence if any(str(path) in sentence for path in own) else f"{job.source}: {sentence}"


def _holds_all(job: Job, picture: Picture) -> bool:
    """Says whether a result has all frames and pages of a picture, as no other format than its own does."""
    return FORMATS.get(job.target.suffix.lower(), picture.format) == picture.format


def _mask_of_all(pages: Sequence[Cleaned]) -> npt.NDArray[np.uint8]:
    """Returns where marks were found on any frame; of pages of several sizes, on those of the first page's."""
    masks = [page.mask for page in pages if page.mask.shape == pages[0].mask.shape]
    together: npt.NDArray[np.uint8] = np.maximum.reduce(masks)
    return together
