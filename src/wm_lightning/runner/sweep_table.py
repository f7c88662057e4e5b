"""One table of all jobs of a multirun."""

from __future__ import annotations

import json
import logging
import math
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wm_lightning.files import write_csv
from wm_lightning.runner.explanations import explain

log = logging.getLogger(__name__)

HEADINGS = ("job", "overrides", "objective", "test psnr", "test psnr_input", "epochs", "minutes")


class SweepTable(Callback):
    """Writes ``sweep.csv`` after every job of a multirun and prints it at the end, the best job first.

    What it knows of a job it reads from the job's folder, so jobs may run in any process and order. A job that fails is
    told at once, and the others go on; the command's exit status is then 1.
    """

    begun: ClassVar[Path | None] = None  # the folder of a multirun whose table has not been printed

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Takes note of the folder."""
        SweepTable.begun = Path(config.hydra.sweep.dir)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Brings ``sweep.csv`` up to date."""
        if job_return.hydra_cfg is not None and job_return.hydra_cfg.hydra.mode == RunMode.MULTIRUN:
            # hydra.sweep.dir may hold the time, which another process would read anew.
            job = Path(job_return.hydra_cfg.hydra.runtime.output_dir)
            write_table(_joined(collect(job.parent)), job.parent / "sweep.csv")
            if job_return.status == JobStatus.FAILED:
                _tell(job, job_return._return_value)  # its public form raises it

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Prints the table."""
        self.finish()

    @classmethod
    def finish(cls) -> None:
        """Prints the table, unless it has been: Hydra does not say so when a multirun with a failed job has ended."""
        folder, cls.begun = cls.begun, None
        if folder is None:
            return
        rows = collect(folder)
        if not rows:  # it failed before its first job
            return
        write_table(_joined(rows), folder / "sweep.csv")
        shared, shortened = _without_shared(rows)
        print_table(shortened, f"{len(rows)} jobs in {folder}{' with ' if shared else ''}{' '.join(shared)}")
        log.info("written: %s", folder / "sweep.csv")


def _tell(job: Path, error: BaseException) -> None:
    """Logs why a job failed, and writes the trace to its folder."""
    (job / "error.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    sentence = explain(error) or f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    log.error("job %s failed: %s (%s)", job.name, sentence, job / "error.txt")


def collect(folder: Path) -> list[dict[str, Any]]:
    """Reads what each job below a multirun's folder left.

    Returns:
        A row of ``HEADINGS`` for each job, its overrides as a list, the best objective first; a job without one (it
        failed) comes last.
    """
    rows = []
    sign = 1.0
    for settings in sorted(folder.glob("*/.hydra/overrides.yaml")):
        job = settings.parent.parent
        file = job / "summary.json"
        summary = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        objective = summary.get("objective", {})
        sign = -1.0 if objective.get("mode") == "max" else sign
        rows.append(
            {
                "job": job.name,
                "overrides": [str(override) for override in OmegaConf.load(settings)],
                "objective": objective.get("value"),
                "test psnr": summary.get("test", {}).get("psnr"),
                "test psnr_input": summary.get("test", {}).get("psnr_input"),
                "epochs": summary.get("epochs_run"),
                "minutes": summary.get("training_time_min"),
            }
        )
    return sorted(rows, key=lambda row: math.inf if row["objective"] is None else sign * row["objective"])


def _without_shared(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Returns the overrides that all jobs have, and the rows without them."""
    typed = [row["overrides"] for row in rows]
    shared = [word for word in typed[0] if all(word in words for words in typed)] if len(rows) > 1 else []
    own = [[word for word in words if word not in shared] for words in typed]
    return shared, _joined([{**row, "overrides": words} for row, words in zip(rows, own, strict=True)])


def _joined(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns rows whose overrides are one text."""
    return [{**row, "overrides": " ".join(row["overrides"])} for row in rows]


def write_table(rows: Sequence[dict[str, Any]], path: Path, headings: Sequence[str] = HEADINGS) -> None:
    """Writes rows that have all headings to a CSV file."""
    write_csv(path, headings, ([row[heading] for heading in headings] for row in rows))


def print_table(rows: Sequence[dict[str, Any]], title: str, headings: Sequence[str] = HEADINGS) -> None:
    """Prints rows that have all headings."""
    table = Table(title=escape(title))  # what stands in brackets would be taken for a style
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_shown(row[heading], heading)) for heading in headings))
    # A log file has no width of its own.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _shown(value: object, heading: str) -> str:
    if value is None:
        return "failed" if heading == "objective" else ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
