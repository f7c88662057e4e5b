"""The progress bar."""

from __future__ import annotations

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar

# The logged name and how the bar calls it.
_SHOWN = {"val/loss": "val loss", "val/gain": "dB over doing nothing", "val/gain_in": "inside"}


class Progress(RichProgressBar):
    """A bar for each epoch with the step's loss and, from the last validation, loss and dB over doing nothing."""

    def get_metrics(
        self, trainer: L.Trainer, pl_module: L.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Returns the figures to show."""
        figures = super().get_metrics(trainer, pl_module)
        figures.pop("v_num", None)  # the logger's folder name, which says nothing here
        known = trainer.callback_metrics
        return {**figures, **{title: round(float(known[name]), 3) for name, title in _SHOWN.items() if name in known}}
