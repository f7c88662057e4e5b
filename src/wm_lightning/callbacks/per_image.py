"""The scores of each test picture."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import torch

from wm_lightning.data.datamodule import BaseDataModule
from wm_lightning.engine import StepOutput
from wm_lightning.files import write_csv
from wm_lightning.metrics import count_defined
from wm_lightning.types import Sample


class PerImageTable(L.Callback):
    """Writes one CSV row for each test picture, in the order of the test split, with the columns that were measured.

    Args:
        path: The file; replaced at the end of a test.

    Attributes:
        rows: After a test, each picture's name and columns.
        defined: After a test, for each column the number of pictures it is defined on.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.defined: dict[str, int] = {}
        self.rows: list[tuple[str, dict[str, float]]] = []

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forgets an earlier test."""
        self.rows = []

    def on_test_batch_end(  # noqa: D102 - Lightning's hook
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: StepOutput,  # type: ignore[override]  # our module returns this, Lightning allows anything
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        columns = {column: values.tolist() for column, values in outputs["scores"].items()}
        for index, name in enumerate(batch.name):
            self.rows.append((name, {column: values[index] for column, values in columns.items()}))

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the file, with the rows of all processes."""
        if trainer.world_size > 1:
            parts: list[list[tuple[str, dict[str, float]]]] = [[] for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(parts, self.rows)
            datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by test
            assert isinstance(datamodule, BaseDataModule)
            # Each process took every n-th picture, and left broken ones out.
            order = {name: place for place, name in enumerate(datamodule.pairs(datamodule.scored).names)}
            self.rows = sorted((row for rows in parts for row in rows), key=lambda row: order[row[0]])
        self.defined = count_defined(scores for _, scores in self.rows)
        if trainer.is_global_zero:
            write_csv(self.path, ["name", *self.defined], ([name, *scores.values()] for name, scores in self.rows))
