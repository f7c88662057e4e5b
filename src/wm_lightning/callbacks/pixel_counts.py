"""What is counted over all pixels of a test set, in memory that does not grow with it."""

from __future__ import annotations

from functools import reduce

import lightning as L
import torch
from torch import Tensor

from wm_lightning.engine import StepOutput
from wm_lightning.metrics.extent import Extent, measure_extent
from wm_lightning.metrics.masks import PROBABILITY, found_mask
from wm_lightning.reports.figures.confusion import Confusion, count_pixels
from wm_lightning.reports.figures.histogram import BINS, residual_counts
from wm_lightning.types import Sample


class PixelCounts(L.Callback):
    """Counts residuals and found watermark pixels over a test.

    Attributes:
        residuals: (2, 2, 511): of the model and of the untouched input, of all pixels and inside the mask; see
            :func:`~wm_lightning.reports.figures.histogram.residual_counts`.
        confusion: Pixels that the model found, or changed where it predicts no mask, against those that are marked.
        extent: Where under the marks the error that is left sits.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.residuals = torch.zeros(2, 2, BINS, dtype=torch.int64)
        self.confusion = Confusion()
        self.extent = Extent()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forgets an earlier test."""
        self._forget()

    def on_test_batch_end(  # noqa: D102 - Lightning's hook
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: StepOutput,  # type: ignore[override]  # our module returns this, Lightning allows anything
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        prediction, mask = outputs["prediction"], outputs["mask"]
        self.residuals += torch.stack([_counts(picture, batch) for picture in (prediction, batch.watermarked)])
        found = found_mask(prediction, batch.watermarked, mask)
        self.confusion += count_pixels(found > PROBABILITY, batch.mask)
        self.extent = self.extent.plus(measure_extent(prediction, batch))

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Adds up what all processes counted."""
        if trainer.world_size == 1:
            return
        mine = (self.residuals, self.confusion, self.extent)
        parts: list[tuple[Tensor, Confusion, Extent]] = [mine] * trainer.world_size
        torch.distributed.all_gather_object(parts, mine)
        self.residuals = torch.stack([residuals for residuals, _, _ in parts]).sum(dim=0)
        self.confusion = sum((confusion for _, confusion, _ in parts), Confusion())
        self.extent = reduce(Extent.plus, (extent for _, _, extent in parts))


def _counts(picture: Tensor, batch: Sample) -> Tensor:
    return torch.stack([residual_counts(picture, batch.clean), residual_counts(picture, batch.clean, batch.mask)])
