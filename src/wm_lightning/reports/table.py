"""The result of a test as a table, beside the row of doing nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

# Heading, column of the model, column of doing nothing, digits.
_SHOWN = (
    ("PSNR", "psnr", "psnr_input", 2),
    ("SSIM", "ssim", "ssim_input", 4),
    ("PSNR in mask", "psnr_in", "psnr_input_in", 2),
    ("PSNR outside", "psnr_out", None, 2),
    ("PSNR to ref.", "psnr_ref", "psnr_input_ref", 2),
    ("SSIM to ref.", "ssim_ref", "ssim_input_ref", 4),
)


def result_table(scores: Mapping[str, float], title: str) -> Table:
    """Returns model, doing nothing (identity) and the difference as rows.

    Args:
        scores: Mean of each metric column.
        title: The table's heading.
    """
    table = Table("", *(heading for heading, *_ in _SHOWN), title=title, min_width=90)
    model, nothing, gain = ["model"], ["do nothing (identity)"], ["gain"]
    for _, ours, theirs, digits in _SHOWN:
        model.append(f"{scores[ours]:.{digits}f}")
        nothing.append("exact" if theirs is None else f"{scores[theirs]:.{digits}f}")
        gain.append("" if theirs is None else f"{scores[ours] - scores[theirs]:+.{digits}f}")
    for row in (model, nothing, gain):
        table.add_row(*row)
    return table


def print_result(scores: Mapping[str, float], title: str, console: Console | None = None) -> None:
    """Prints :func:`result_table` and says which row is better."""
    # A log file has no width of its own; 110 columns hold the table without wrapping.
    console = console or Console(width=None if sys.stdout.isatty() else 110)
    console.print(result_table(scores, title))
    gain = scores["psnr"] - scores["psnr_input"]
    verdict = "better than" if gain > 0 else "NOT better than"
    console.print(
        f"Against the clean photograph the model is {verdict} doing nothing ({gain:+.2f} dB). "
        "PSNR in dB, mean over pictures; ref. is the second watermarked view."
    )
