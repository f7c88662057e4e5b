"""Which pixels a network took for watermark, against those that were."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning.reports.figures.style import MODEL, new_figure, plain_axes


@dataclass(frozen=True)
class Confusion:
    """Numbers of pixels; those of several pictures add up with ``+``.

    Attributes:
        tp: Watermarked and found.
        fn: Watermarked, not found.
        fp: Not watermarked, but found.
        tn: Neither.
    """

    tp: int = 0
    fn: int = 0
    fp: int = 0
    tn: int = 0

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.tp + other.tp, self.fn + other.fn, self.fp + other.fp, self.tn + other.tn)

    def scores(self) -> dict[str, float]:
        """Returns precision, recall, F1 and IoU in 0..1; NaN where nothing was watermarked or found."""
        return {
            "precision": _share(self.tp, self.tp + self.fp),
            "recall": _share(self.tp, self.tp + self.fn),
            "F1": _share(2 * self.tp, 2 * self.tp + self.fn + self.fp),
            "IoU": _share(self.tp, self.tp + self.fn + self.fp),
        }


def count_pixels(found: Tensor, mask: Tensor) -> Confusion:
    """Compares two masks of one shape, a pixel belonging to them where they are not 0."""
    claim, mark = found != 0, mask != 0
    hit, claimed, marked = int((claim & mark).sum()), int(claim.sum()), int(mark.sum())
    return Confusion(hit, marked - hit, claimed - hit, mark.numel() - marked - claimed + hit)


def confusion_matrix(counts: Confusion) -> Figure:
    """Draws the matrix as shares of the watermarked and of the other pixels, with precision, recall, F1 and IoU.

    Args:
        counts: Pixels of a picture or of a whole test set.
    """
    total = counts.tp + counts.fn + counts.fp + counts.tn
    figure = new_figure(3.9, f"Watermark pixels found: {total:,} pixels")
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    cells = np.array([[counts.tp, counts.fn], [counts.fp, counts.tn]], dtype=float)
    of_row = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    # Up to 0.6 of the map, dark letters are read well everywhere.
    left.imshow(of_row, cmap="Blues", vmin=0, vmax=1 / 0.6, aspect="auto")
    names = (("found", "missed"), ("false alarm", "left alone"))
    for row in range(2):
        for column in range(2):
            number = cells[row, column]
            words = f"{names[row][column]}\n{100 * of_row[row, column]:.2f} % of the row\n{number:,.0f} pixels"
            words += f"\n{100 * number / max(total, 1):.2f} % of all"
            left.text(column, row, words, ha="center", va="center", fontsize=9)
    left.set_title("Shade: share of each row", fontsize=10)
    left.set_xticks([0, 1], ["found", "not found"], fontsize=9)
    left.set_yticks([0, 1], ["watermarked", "not\nwatermarked"], fontsize=9)
    left.set_xlabel("by the model: its mask, or what it changed", fontsize=9)
    _score_bars(right, counts.scores())
    return figure


def _score_bars(axes: Axes, scores: Mapping[str, float]) -> None:
    axes.barh(range(len(scores)), list(scores.values()), color=MODEL, height=0.6)
    for position, value in enumerate(scores.values()):
        known = math.isfinite(value)
        axes.text(value + 0.02 if known else 0.02, position, f"{value:.3f}" if known else "none", va="center")
    plain_axes(axes, "Scores of the pixels found", "score (0..1)", "")
    axes.set_yticks(range(len(scores)), list(scores), fontsize=9)
    axes.set_xlim(0, 1.15)
    axes.set_ylim(len(scores) - 0.4, -0.6)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
