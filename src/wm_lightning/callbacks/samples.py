"""Sample pictures to TensorBoard."""

from __future__ import annotations

import lightning as L

from wm_lightning.callbacks.tensorboard import tensorboard_loggers
from wm_lightning.engine import StepOutput
from wm_lightning.reports.grid import grid_columns, sample_grid
from wm_lightning.types import Sample


class SampleImages(L.Callback):
    """Sends input, reference, prediction, clean photograph and mask of the first validation pairs to TensorBoard.

    Other loggers get none.

    Args:
        count: Number of pairs.
        every_n_epochs: How often.
    """

    def __init__(self, count: int = 4, every_n_epochs: int = 1) -> None:
        self.count, self.every_n_epochs = count, every_n_epochs

    def on_validation_batch_end(  # noqa: D102 - Lightning's hook
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: StepOutput,  # type: ignore[override]  # our module returns this, Lightning allows anything
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx or trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        for logger in tensorboard_loggers(trainer):
            grid = sample_grid(batch, outputs["prediction"], self.count)
            logger.experiment.add_image(f"val/{' | '.join(grid_columns(batch))}", grid, trainer.global_step)
