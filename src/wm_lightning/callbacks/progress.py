"""The progress bar."""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme

# The logged name and how the bar calls it.
_SHOWN = {"val/loss": "val loss", "val/gain": "dB over the identity", "val/gain_in": "inside"}
# Without a mark between them, a figure would be read with the next one's name as its unit.
_THEME = RichProgressBarTheme(metrics_text_delimiter=" | ")


class Progress(RichProgressBar):
    """A bar for each epoch with the step's loss and, from the last validation, loss and dB over the identity.

    Args:
        theme: How the bar looks.
        **options: As for Lightning's ``RichProgressBar``.
    """

    def __init__(
        self,
        theme: RichProgressBarTheme = _THEME,
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(theme=theme, **options)

    def _get_train_description(self, current_epoch: int) -> str:
        """Counts epochs from 1, as the log does; Lightning's bar begins at 0."""
        described = f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}"
        return described.ljust(len(self.validation_description))  # so that the bars stand below each other

    def get_metrics(
        self, trainer: L.Trainer, pl_module: L.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Returns the figures to show."""
        figures = super().get_metrics(trainer, pl_module)
        figures.pop("v_num", None)  # the logger's folder name, which says nothing here
        known = trainer.callback_metrics
        return {**figures, **{title: round(float(known[name]), 3) for name, title in _SHOWN.items() if name in known}}
