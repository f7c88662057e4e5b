"""Scores a network on a published benchmark."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor

from wm_lightning.data.swcnn import BenchmarkPair, swcnn_pairs
from wm_lightning.data.synthesis.blend import changed
from wm_lightning.errors import ArgumentError
from wm_lightning.files import write_csv
from wm_lightning.metrics import PRESETS, measure
from wm_lightning.reports.published import PublishedName
from wm_lightning.reports.record import write_record
from wm_lightning.types import Sample

log = logging.getLogger(__name__)

COLUMNS = PRESETS["swcnn"]
LARGEST_SCALE = 10
Row = dict[str, str | float]


class StampedBenchmark:
    """SWCNN's benchmark, or one of its kind: each watermark on each photograph, in the published order of channels.

    Args:
        root: The benchmark's folder.
        photographs: The folder that holds ``*.jpg``, below ``root`` or absolute.
        watermarks: The folder that holds ``*.png``, likewise.
        scale: Of a watermark's own size.
        opacities: Of the watermarks.
        published: Whose figures were measured on these pairs.
        batch_size: Pairs of one photograph that are restored together.

    Raises:
        UserError: A number is out of range.
    """

    def __init__(
        self,
        root: str | Path,
        photographs: str | Path,
        watermarks: str | Path,
        scale: float,
        opacities: list[float],
        published: PublishedName,
        batch_size: int = 4,
    ) -> None:
        if batch_size < 1:
            raise ArgumentError("{benchmark.batch_size}={} must be at least 1.", batch_size)
        if not 0 < scale <= LARGEST_SCALE:
            raise ArgumentError("{scale}={} must be above 0 and at most {}.", scale, LARGEST_SCALE)
        if not opacities:
            raise ArgumentError("{opacities} is empty; give some, for example [0.3].")
        for opacity in opacities:
            if not 0 < opacity <= 1:
                raise ArgumentError("{opacities}: {} must be above 0 and at most 1.", opacity)
        self.photographs, self.watermarks, self.scale = Path(root) / photographs, Path(root) / watermarks, scale
        self.opacities, self.published, self.batch_size = opacities, published, batch_size

    def __call__(self, restore: Callable[[Tensor], Tensor]) -> list[Row]:
        """Scores a network.

        Args:
            restore: Restores (B, 3, H, W) in 0..1.

        Returns:
            For each pair its ``opacity``, ``name`` and metric columns.

        Raises:
            UserError: A folder is missing or empty.
        """
        rows: list[Row] = []
        with Progress(transient=True) as progress:
            for opacity in self.opacities:
                task = progress.add_task(f"opacity {opacity:g}", total=None)
                found = swcnn_pairs(self.photographs, self.watermarks, opacity, self.scale)
                for pairs in _batches(found, self.batch_size):
                    rows += _score(restore, pairs, opacity)
                    progress.advance(task, len(pairs))
        return rows


def means_by_opacity(rows: Sequence[Row]) -> dict[float, dict[str, float]]:
    """Returns the mean over pairs of each metric column, by opacity."""
    opacities = dict.fromkeys(float(row["opacity"]) for row in rows)
    return {
        opacity: {
            column: float(np.nanmean([row[column] for row in rows if row["opacity"] == opacity])) for column in COLUMNS
        }
        for opacity in opacities
    }


def write_rows(rows: Sequence[Row], folder: Path) -> None:
    """Writes ``benchmark.csv``, a row for each pair, and ``benchmark.json``, the means."""
    write_csv(folder / "benchmark.csv", tuple(rows[0]), (row.values() for row in rows))
    write_record(
        folder / "benchmark.json", {f"{opacity:g}": means for opacity, means in means_by_opacity(rows).items()}
    )


def _batches(pairs: Iterator[BenchmarkPair], size: int) -> Iterator[list[BenchmarkPair]]:
    """Yields pairs of one size together."""
    batch: list[BenchmarkPair] = []
    for pair in pairs:
        if batch and (len(batch) == size or batch[0].clean.shape != pair.clean.shape):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


def _score(restore: Callable[[Tensor], Tensor], pairs: Sequence[BenchmarkPair], opacity: float) -> list[Row]:
    watermarked, clean = (_stacked([getattr(pair, field) for pair in pairs]) for field in ("watermarked", "clean"))
    mask = torch.from_numpy(np.stack([changed(pair.clean, pair.watermarked) for pair in pairs]))[:, None].float()
    sample = Sample(watermarked, None, clean, mask, [pair.name for pair in pairs])
    scores = measure(restore(watermarked), sample, COLUMNS)
    return [
        {"opacity": opacity, "name": pair.name, **{column: float(scores[column][index]) for column in COLUMNS}}
        for index, pair in enumerate(pairs)
    ]


def _stacked(pictures: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).movedim(-1, 1).float().div(255)
