"""A word on where a training goes, long before its first epoch ends."""

from __future__ import annotations

import logging
import time

import lightning as L
import torch

from wm_lightning.callbacks.tensorboard import detached_copy
from wm_lightning.data import BaseDataModule
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import ArgumentError
from wm_lightning.metrics import measure
from wm_lightning.types import collate

log = logging.getLogger(__name__)


class FirstLook(L.Callback):
    """Scores a few validation pictures once, some seconds after the first step; says it and logs ``early/...``.

    An epoch of many photographs takes hours, and a training that goes wrong shows it within a minute. Where a
    validation comes sooner, there is no need for it. A copy of the network is looked at, so that training goes on to
    the same bits.

    Args:
        after_seconds: When.
        pictures: How many of the first validation pairs.

    Raises:
        ValueError: ``pictures`` is less than 1.
    """

    def __init__(self, after_seconds: float = 30, pictures: int = 32) -> None:
        if pictures < 1:
            raise ArgumentError("{pictures}={} must be at least 1.", pictures)
        self.after_seconds, self.pictures = after_seconds, pictures
        self._began: float | None = None
        self._done = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """There is nothing left to say."""
        self._done = self._done or not trainer.sanity_checking

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, index: int) -> None:
        """Starts the clock with the first step; a run that goes on has said it."""
        if self._began is None:
            self._began, self._done = time.monotonic(), self._done or trainer.global_step > 0

    def on_train_batch_end(  # noqa: D102 - Lightning's hook
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        if self._done or self._began is None or time.monotonic() - self._began < self.after_seconds:
            return
        self._done = True
        if trainer.is_global_zero:
            self._look(trainer, pl_module)

    @torch.no_grad()
    def _look(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, WatermarkRemoval)
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by fit
        assert isinstance(datamodule, BaseDataModule)
        pairs, net = datamodule.pairs("val"), detached_copy(pl_module.net)
        scores: dict[str, list[torch.Tensor]] = {"gain": [], "gain_in": []}
        chosen = pairs.draw([(0, index) for index in range(min(self.pictures, len(pairs)))]).samples
        if not chosen:  # all broken; the validation will say more
            return
        for start in range(0, len(chosen), datamodule.batch_size):
            packed = collate(chosen[start : start + datamodule.batch_size])
            batch = datamodule.transfer_batch_to_device(packed, pl_module.device, 0).unpack()
            with trainer.precision_plugin.forward_context():
                prediction = net.predict(batch.watermarked)
            for name, values in measure(prediction.image, batch, tuple(scores)).items():
                scores[name].append(values)
        means = {name: float(torch.cat(values).nanmean()) for name, values in scores.items()}
        log.info(
            "a first look after %d steps: %+.2f dB over the identity, inside the mark %+.2f (%d validation pictures)",
            trainer.global_step, means["gain"], means["gain_in"], len(chosen),
        )  # fmt: skip
        for logger in trainer.loggers:
            logger.log_metrics({f"early/{name}": value for name, value in means.items()}, trainer.global_step)
