"""Figures of a training under way, to TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import lightning as L
from torch import Tensor

from wm_lightning.callbacks.summary import RunSummary
from wm_lightning.callbacks.tensorboard import detached_copy, tensorboard_loggers
from wm_lightning.engine import StepOutput, WatermarkRemoval
from wm_lightning.errors import ArgumentError
from wm_lightning.reports.gallery import (
    FigureEntry,
    PictureFigure,
    network_figures,
    picture_figures,
    training_figures,
)
from wm_lightning.types import Sample

PictureFigureName = Literal["side_by_side", "local_psnr", "local_ssim", "watermark_residual", "residual_error"]
NetworkFigure = Literal[
    "attention", "activations", "decoder_features", "kernels", "gradient_norms", "saliency", "grad_cam"
]
TrainingFigure = Literal["training_loss_psnr", "training_loss_psnr_ssim", "learning_rate"]
FigureName = Literal[PictureFigureName, NetworkFigure, TrainingFigure]


class _Seen(NamedTuple):
    """The first validation picture, (3, H, W), and its mask, (1, H, W)."""

    watermarked: Tensor
    predicted: Tensor
    clean: Tensor
    mask: Tensor


class EpochFigures(L.Callback):
    """Sends figures of the first validation picture, of the network and of the training so far to TensorBoard.

    They are drawn every ``every_n_epochs`` epochs and at the end of the training. Other loggers get none.

    Args:
        names: Which of the figures in :mod:`~wm_lightning.reports.gallery`. What a network does not have, such as
            attention gates, is left out.
        every_n_epochs: How often.
        own: Other figures of the picture, by name; drawn like those that are named.

    Raises:
        ValueError: ``every_n_epochs`` is less than 1.
    """

    def __init__(
        self, names: Sequence[FigureName], every_n_epochs: int, own: Mapping[str, PictureFigure] | None = None
    ) -> None:
        if every_n_epochs < 1:
            raise ArgumentError("{every_n_epochs}={} must be at least 1.", every_n_epochs)
        self.own, self.names, self.every_n_epochs = own or {}, frozenset((*names, *(own or {}))), every_n_epochs
        self._undrawn: _Seen | None = None

    def on_validation_batch_end(  # noqa: D102 - Lightning's hook
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: StepOutput,  # type: ignore[override]  # our module returns this, Lightning allows anything
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx or trainer.sanity_checking or not tensorboard_loggers(trainer):
            return
        first = (batch.watermarked, outputs["prediction"], batch.clean, batch.mask)
        self._undrawn = _Seen(*(pictures[0].cpu() for pictures in first))
        if self._is_due(trainer):
            self._draw_seen(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the curves, once the summary has the epoch."""
        if self._is_due(trainer):
            self._draw_curves(trainer)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the last epoch, unless it has been."""
        if self._undrawn is not None:
            self._draw_seen(trainer, pl_module)
            self._draw_curves(trainer)

    def _is_due(self, trainer: L.Trainer) -> bool:
        return (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def _draw_seen(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, WatermarkRemoval)
        assert self._undrawn is not None
        seen, self._undrawn = self._undrawn, None
        if self.names & {*get_args(PictureFigureName), *self.own}:
            self._send(trainer, picture_figures(seen.watermarked, seen.predicted, seen.clean, self.own))
        if self.names & {*get_args(NetworkFigure)}:
            # At the end Lightning has already taken the network off its device.
            net = detached_copy(pl_module.candidates[pl_module.kept]).to(trainer.strategy.root_device)
            self._send(trainer, network_figures(net, seen.watermarked, seen.clean, seen.mask))

    def _draw_curves(self, trainer: L.Trainer) -> None:
        if self.names & {*get_args(TrainingFigure)} and tensorboard_loggers(trainer):
            callbacks: list[L.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by its constructor
            history = next(callback.history for callback in callbacks if isinstance(callback, RunSummary))
            # An epoch whose loss was no number cannot be the best one, and is left out.
            self._send(trainer, training_figures([epoch for epoch in history if math.isfinite(epoch["val/loss"])]))

    def _send(self, trainer: L.Trainer, entries: Iterable[FigureEntry]) -> None:
        for entry in entries:
            if entry.name not in self.names:
                continue
            for logger in tensorboard_loggers(trainer):
                logger.experiment.add_figure(f"figures/{entry.name}", entry.draw(), trainer.global_step)
