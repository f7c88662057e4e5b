"""One table of all jobs of a multirun."""

from __future__ import annotations

import csv
import json
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

log = logging.getLogger(__name__)

HEADINGS = ("job", "overrides", "objective", "test psnr", "test psnr_input", "epochs", "minutes")


class SweepTable(Callback):
    """Writes ``sweep.csv`` after every job of a multirun and prints it at the end, the best job first.

    What it knows of a job it reads from the job's folder, so jobs may run in any process and order.
    """

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Brings ``sweep.csv`` up to date."""
        if job_return.hydra_cfg is not None and job_return.hydra_cfg.hydra.mode == RunMode.MULTIRUN:
            # hydra.sweep.dir may hold the time, which another process would read anew.
            folder = Path(job_return.hydra_cfg.hydra.runtime.output_dir).parent
            write_csv(collect(folder), folder / "sweep.csv")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Prints the table."""
        folder = Path(config.hydra.sweep.dir)
        rows = collect(folder)
        write_csv(rows, folder / "sweep.csv")
        print_table(rows, f"{len(rows)} jobs in {folder}")
        log.info("written: %s", folder / "sweep.csv")


def collect(folder: Path) -> list[dict[str, Any]]:
    """Reads what each job below a multirun's folder left.

    Returns:
        A row of ``HEADINGS`` for each job, the best objective first; a job without one (it failed) comes last.
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
                "overrides": " ".join(str(override) for override in OmegaConf.load(settings)),
                "objective": objective.get("value"),
                "test psnr": summary.get("test", {}).get("psnr"),
                "test psnr_input": summary.get("test", {}).get("psnr_input"),
                "epochs": summary.get("epochs_run"),
                "minutes": summary.get("training_time_min"),
            }
        )
    return sorted(rows, key=lambda row: math.inf if row["objective"] is None else sign * row["objective"])


def write_csv(rows: Sequence[dict[str, Any]], path: Path, headings: Sequence[str] = HEADINGS) -> None:
    """Writes rows that have all headings."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, headings)
        writer.writeheader()
        writer.writerows(rows)


def print_table(rows: Sequence[dict[str, Any]], title: str, headings: Sequence[str] = HEADINGS) -> None:
    """Prints rows that have all headings."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_shown(row[heading]) for heading in headings))
    # A log file has no width of its own.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _shown(value: object) -> str:
    if value is None:
        return "failed"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
