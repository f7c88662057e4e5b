"""What became of pictures: for people, line by line and as a sum, and for scripts, as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wm_lightning.errors import UserError, with_flags
from wm_lightning.inference.files import Job
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.search import SENSITIVITIES
from wm_lightning.inference.telling import console, say

Status = Literal["written", "skipped", "failed", "refused", "marked", "unmarked", "planned"]
WITH_RESULT = ("written", "skipped", "planned")


class Outcome(NamedTuple):
    """What became of one picture.

    Attributes:
        job: The picture.
        findings: What was found in it.
        notes: What was not kept.
        error: Why there is no result; None where there is one, or none was asked for.
        status: ``refused``: there is none because what was found is doubtful. ``marked`` and ``unmarked``: it was
            looked at alone.
        seconds: How long it took.
        row: For the sheet of all pictures, where one is asked for.
    """

    job: Job
    findings: Findings = Findings()
    notes: tuple[str, ...] = ()
    error: str | None = None
    status: Status = "written"
    seconds: float = 0.0
    row: npt.NDArray[np.uint8] | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns it for a JSON file; docs/predict.md lists the keys."""
        looked_at = self.status not in ("failed", "skipped", "planned")
        return {
            "file": str(self.job.source),
            "status": self.status,
            "result": str(self.job.target) if self.status in WITH_RESULT else None,
            **(self.findings.as_json() if looked_at else {}),
            "notes": list(self.notes),
            "error": self.error,
            "seconds": round(self.seconds, 3),
        }


def as_report(outcomes: Sequence[Outcome]) -> bytes:
    """Returns what became of each picture as a JSON file."""
    each = [outcome.as_json() for outcome in outcomes]
    # Bytes of names that are no text become escapes, which JSON has too.
    return json.dumps(each, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


class Teller:
    """Tells of a command's pictures on the standard output, or on the error output where that one holds data.

    Args:
        options: Of the command: ``json``, ``quiet``, ``verbose``, ``output``, ``detect``, ``search``.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.data, self.errors = options, console(sys.stdout), console(sys.stderr)
        self.words = self.errors if options.json or options.output == "-" else self.data

    def error(self, error: UserError | str) -> None:
        """Tells what failed."""
        sentence = error if isinstance(error, str) else with_flags(error, vars(self.options), output="-o")
        say(self.errors, f"error: {sentence}")

    def warn(self, sentence: str) -> None:
        """Tells what should be looked at."""
        say(self.errors, f"warning: {sentence}")

    def lost(self) -> str | None:
        """Says why not all lines for scripts could be written; None where they could, or nobody wanted more."""
        return self.data.file.failure if self.options.json else None  # type: ignore[attr-defined]  # of LastingStream

    def note(self, line: str) -> None:
        """Tells what is found of all pictures together, unless nothing is to be told."""
        if not self.options.quiet:
            say(self.words, line)

    def progress(self) -> Progress:
        """Returns a bar, with rate and time left, where words go to a terminal."""
        hidden = self.options.quiet or not self.words.is_terminal
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        return Progress(*columns, TimeRemainingColumn(), console=self.words, transient=True, disable=hidden)

    def outcome(self, outcome: Outcome) -> None:
        """Tells what became of a picture."""
        if self.options.json:
            # Escapes: any output has letters for these.
            self.data.file.write(json.dumps(outcome.as_json()) + "\n")
            self.data.file.flush()
        if outcome.error is not None:
            self.error(outcome.error)
            return
        name = outcome.job.source if self.options.detect else outcome.job.target
        if outcome.findings.doubt is not None:
            self.warn(f"{name}: {outcome.findings.doubt}; check it.")
        if outcome.notes and self.options.quiet and not self.options.json:  # which else stand in the line that is told
            self.warn(f"{name}: {'; '.join(outcome.notes)}.")
        if not self.options.quiet and not self.options.json:
            say(self.words, f"{name}: {self._told(outcome)}")

    def _told(self, outcome: Outcome) -> str:
        if outcome.status == "skipped":
            return "is there already"
        if outcome.status == "planned":
            return f"would be made of {outcome.job.source}"
        verbose = self.options.verbose
        found = outcome.findings.told("are marked" if self.options.detect else "changed", all_of_them=verbose)
        return "; ".join((found, *outcome.notes, *([f"{outcome.seconds:.2f} s"] if verbose else [])))

    def sum(self, outcomes: Sequence[Outcome], planned: int, seconds: float, interrupted: bool = False) -> None:
        """Tells in one line what became of all, and what to try where nothing was found."""
        counts = Counter(outcome.status for outcome in outcomes)
        if self.options.dry_run:
            parts = [f"{counts['planned']} of {planned} pictures would be written"]
        elif self.options.detect:
            parts = [f"{counts['marked']} of {counts['marked'] + counts['unmarked']} pictures carry a mark"]
        else:
            parts = [f"{counts['written']} of {planned} pictures written"]
        untouched = sum(outcome.status == "written" and not outcome.findings.changed for outcome in outcomes)
        parts += [f"{untouched} of them as they were"] if untouched else []
        parts += [f"{counts['skipped']} there already"] if counts["skipped"] else []
        parts += [f"{counts[status]} {status}" for status in ("failed", "refused") if counts[status]]
        parts += [f"interrupted, {planned - len(outcomes)} left"] if interrupted else []
        done = sum(counts[status] for status in ("written", "marked", "unmarked"))
        parts += [] if self.options.dry_run else [f"{seconds:.1f} s, {done / seconds:.1f} pictures/s"]
        say(self.words, "; ".join(parts))
        missed = untouched or counts["unmarked"]
        sought = self.options.mark is None and not self.options.same_mark
        if sought and missed and not interrupted and self.options.search.sensitivity < SENSITIVITIES["high"]:
            say(self.words, "A watermark that was left? --sensitivity high, or up to 1, asks for less evidence.")
