"""Ways to take marks away, beside each other."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

HEADINGS = {
    "psnr_in": "PSNR\nin mask",
    "psnr_out": "PSNR\noutside",
    "psnr_marked": "PSNR\nmarked",
    "psnr_unmarked": "PSNR\nno mark",
}


def print_ways(scores: Mapping[str, Mapping[str, float]], pictures: int, console: Console | None = None) -> None:
    """Prints a row for each way.

    Args:
        scores: For each way its columns, in dB; NaN where one is not defined on any picture.
        pictures: How many they are means of.
        console: Where to.
    """
    table = Table(title=f"ways to take this mark away: {pictures} test pictures, as wm-predict does it", min_width=90)
    table.add_column("", overflow="fold")
    for heading in HEADINGS.values():
        table.add_column(heading, overflow="fold")
    for way, columns in scores.items():
        table.add_row(escape(way), *(_figure(columns[column]) for column in HEADINGS))
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)


def _figure(value: float) -> str:
    return "n/a" if math.isnan(value) else "exact" if value >= 100 else f"{value:.2f}"
