"""The result of a test as a table, beside the row of the identity."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wm_lightning.metrics import KNOWN_COLUMNS


class Shown(NamedTuple):
    """One column of the table.

    Attributes:
        heading: What stands above it.
        model: The metric column of the model.
        nothing: That of the identity, None where there is none.
        digits: Digits after the point.
        sign: 1 where higher is better, -1 where lower is.
        without: What stands in the row of the identity where there is no column for it.
    """

    heading: str
    model: str
    nothing: str | None
    digits: int
    sign: int = 1
    without: str = ""


# Those whose metric column was measured are shown. RMSE is left out beside our own PSNR, which says the same.
SHOWN = (
    Shown("PSNR", "psnr", "psnr_input", 2),
    Shown("PSNR\nmarked", "psnr_marked", "psnr_input_marked", 2),
    Shown("PSNR\nno mark", "psnr_unmarked", None, 2, without="exact"),
    Shown("PSNR", "psnr_slbr", "psnr_input", 2),
    Shown("SSIM", "ssim", "ssim_input", 4),
    Shown("SSIM", "ssim_uniform", "ssim_input_uniform", 4),
    Shown("SSIM", "ssim_slbr", "ssim_input_slbr", 4),
    Shown("PSNR\nin mask", "psnr_in", "psnr_input_in", 2),
    Shown("PSNR\noutside", "psnr_out", None, 2, without="exact"),
    Shown("PSNR\nto ref.", "psnr_ref", "psnr_input_ref", 2),
    Shown("SSIM\nto ref.", "ssim_ref", "ssim_input_ref", 4),
    Shown("RMSE", "rmse_slbr", "rmse_input", 2, sign=-1),
    Shown("RMSEw", "rmse_w", "rmse_input_w", 2, sign=-1),
    Shown("RMSEw", "rmse_slbr_w", "rmse_input_w", 2, sign=-1),
    Shown("IoU", "iou", None, 3),
    Shown("F1", "f1", None, 3),
    Shown("LPIPS", "lpips", "lpips_input", 4, sign=-1),
    Shown("NIQE", "niqe", "niqe_input", 2, sign=-1),
)
LEAST_GAIN = 0.005  # dB: less is shown as +0.00
# What the verdict goes by, the first that was measured: the model's column, that of the identity, against what.
_VERDICTS = (
    ("psnr", "psnr_input", "clean photograph"),
    ("psnr_slbr", "psnr_input", "clean photograph"),
    ("psnr_ref", "psnr_input_ref", "second watermarked view"),
)


def shown_columns(scores: Mapping[str, float]) -> list[Shown]:
    """Returns what a table shows of the metric columns that were measured; metrics of somebody's own come last.

    Pictures with and without a mark stand apart where there are both: a mean over the two says nothing of either.

    Args:
        scores: Mean of each column; NaN where it is not defined on any picture.
    """
    own = [name for name in scores if f"{name}_input" in scores and name not in KNOWN_COLUMNS]
    unmarked = not math.isnan(scores.get("psnr_unmarked", math.nan))
    left_out = {"psnr"} if unmarked else {"psnr_marked", "psnr_unmarked"}
    shown = [column for column in SHOWN if column.model in scores and column.model not in left_out]
    return [*shown, *(Shown(name, name, f"{name}_input", 4) for name in own)]


def verdict(scores: Mapping[str, float]) -> str:
    """Says in a sentence whether the model is better than the identity.

    Args:
        scores: Mean of each metric column, of any preset.
    """
    model, nothing, target = next(verdict for verdict in _VERDICTS if verdict[0] in scores)
    alone, unmarked = scores.get("psnr_unmarked", math.nan), ""
    if not math.isnan(alone):
        model, nothing = "psnr_marked", "psnr_input_marked"
        unmarked = f"Pictures without a mark come back at {alone:.2f} dB against themselves. "
        if math.isnan(scores[nothing]):
            return f"No picture has a mark. {unmarked}".strip()
    gain = scores[model] - scores[nothing]
    if math.isnan(scores[nothing]):
        return f"These pairs have no {target} to compare with."
    better = "better than" if gain >= LEAST_GAIN else "NOT better than"
    return (
        f"Against the {target} the model is {better} the identity ({gain:+.2f} dB). "
        f"{unmarked}PSNR in dB, mean over pictures; ref. is the second watermarked view."
    )


def result_table(scores: Mapping[str, float], title: str) -> Table:
    """Returns model, identity and the gain as rows; a gain above 0 is for the better in all columns.

    Args:
        scores: Mean of each metric column, of any preset; NaN where it is not defined on any picture.
        title: The table's heading.
    """
    table = Table(title=escape(title), min_width=90)  # a path may have brackets
    table.add_column("", overflow="fold")  # figures cut short would be wrong ones
    rows = ["model"], ["identity"], ["gain"]
    for shown in shown_columns(scores):
        table.add_column(shown.heading, overflow="fold")
        for row, cell in zip(rows, _cells(shown, scores), strict=True):
            row.append(cell)
    for row in rows:
        table.add_row(*row)
    return table


def _cells(shown: Shown, scores: Mapping[str, float]) -> tuple[str, str, str]:
    model = scores[shown.model]
    if shown.nothing is None:
        return _figure(model, shown.digits), shown.without, ""
    nothing = scores[shown.nothing]
    gain = shown.sign * (model - nothing)
    return _figure(model, shown.digits), _figure(nothing, shown.digits), _figure(gain, shown.digits, "+")


def _figure(value: float, digits: int, sign: str = "") -> str:
    return "n/a" if math.isnan(value) else f"{value:{sign}.{digits}f}"


def print_result(scores: Mapping[str, float], title: str, console: Console | None = None) -> None:
    """Prints :func:`result_table` and says which row is better."""
    # A log file has no width of its own; 110 columns hold the usual table without wrapping, 140 also LPIPS and NIQE.
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    console.print(result_table(scores, title))
    console.print(verdict(scores))
