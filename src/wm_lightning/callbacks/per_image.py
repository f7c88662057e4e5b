"""The scores of each test picture."""

from __future__ import annotations

import csv
from itertools import zip_longest
from pathlib import Path

import lightning as L
import torch

from wm_lightning.engine import StepOutput
from wm_lightning.metrics import COLUMNS
from wm_lightning.types import Sample


class PerImageTable(L.Callback):
    """Writes one CSV row for each test picture, in the order of the test split.

    Args:
        path: The file; replaced at the end of a test.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._rows: list[list[str]] = []

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forgets an earlier test."""
        self._rows = []

    def on_test_batch_end(  # noqa: D102 - Lightning's hook
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: StepOutput,  # type: ignore[override]  # our module returns this, Lightning allows anything
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        values = zip(*(outputs["scores"][column].tolist() for column in COLUMNS), strict=True)
        for name, row in zip(batch.name, values, strict=True):
            self._rows.append([name, *(f"{value:.6f}" for value in row)])

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the file, with the rows of all processes."""
        if trainer.world_size > 1:
            parts: list[list[list[str]]] = [[] for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(parts, self._rows)
            # Each process took every n-th picture.
            self._rows = [row for rows in zip_longest(*parts) for row in rows if row is not None]
        if not trainer.is_global_zero:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", *COLUMNS])
            writer.writerows(self._rows)
