"""Training with the statistics that validation uses."""

from __future__ import annotations

import lightning as L
from torch import nn

from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import ArgumentError


class FreezeBatchNorm(L.Callback):
    """Stops BatchNorm from normalising with each batch's own statistics from some epoch on.

    A small batch's mean and variance shift the tones of every picture in it at random, and a network that must return
    untouched pixels as they were cannot learn past that noise. With the running statistics fixed, training sees the
    network that validation sees; BatchNorm's scale and shift go on learning (Wu and Johnson, "Rethinking 'Batch' in
    BatchNorm", 2021, section 4).

    Args:
        from_epoch: The first epoch, counted from 0, that trains with fixed statistics; None never fixes them.

    Raises:
        ValueError: ``from_epoch`` is negative.
    """

    def __init__(self, from_epoch: int | None = None) -> None:
        if from_epoch is not None and from_epoch < 0:
            raise ArgumentError("{from_epoch}={} must not be negative.", from_epoch)
        self.from_epoch = from_epoch

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Runs each epoch, since a resumed run starts with every layer in training mode."""
        assert isinstance(pl_module, WatermarkRemoval)
        if self.from_epoch is None or trainer.current_epoch < self.from_epoch:
            return
        for module in pl_module.net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
