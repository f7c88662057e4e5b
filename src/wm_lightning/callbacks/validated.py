"""Whether an epoch had a validation of its own."""

from __future__ import annotations

import lightning as L


class Validated(L.Callback):
    """Knows whether there was a validation since the epoch began: the trainer goes on showing figures of an older one.

    Attributes:
        validated: Whether there was.
    """

    validated: bool = False

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forgets the last epoch's."""
        self.validated = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes note; the check before training is none."""
        self.validated = not trainer.sanity_checking
