"""A training step and a callback."""

from __future__ import annotations

import logging

import lightning as L
import torch
from torch import Tensor

from wm_lightning import Sample, WatermarkRemoval

log = logging.getLogger(__name__)


class Quiet(WatermarkRemoval):
    """Adds noise to what the network sees in training."""

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """See the base class."""
        noisy = batch.watermarked + 0.01 * torch.randn_like(batch.watermarked)
        return super().training_step(batch._replace(watermarked=noisy.clamp(0, 1)), batch_idx)


class Count(L.Callback):
    """Says at the end how many steps there were."""

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        log.info("my_wm counted %d steps", trainer.global_step)
