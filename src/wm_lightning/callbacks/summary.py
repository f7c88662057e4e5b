"""What a run was and what came out of it, as one JSON file."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from wm_lightning.callbacks.validated import Validated
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.reports.record import write_record


class RunSummary(Validated):
    """Collects each epoch's figures and writes a summary when training ends, also when it was interrupted.

    The keys up to ``criterion`` are those of the ``watermarkcnn`` notebook, PSNR and SSIM here against the clean
    photograph. Figures survive a resume.

    Args:
        path: The JSON file.

    Attributes:
        history: For each validation its scalars, by their logged names; that at an epoch's end has the epoch's means of
            training too. ``epoch`` counts from 1, and of one within an epoch is a fraction.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.history: list[dict[str, float]] = []
        self._monitor, self._sign = "val/loss", 1.0
        self._seconds_before = 0.0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training, those before a resume included."""
        return self._seconds_before + time.monotonic() - self._started

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Learns what the best checkpoint is chosen by."""
        callback = trainer.checkpoint_callback
        if isinstance(callback, ModelCheckpoint) and callback.monitor:
            self._monitor, self._sign = callback.monitor, -1.0 if callback.mode == "max" else 1.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keeps the epoch's figures; Lightning writes the epoch's checkpoint after this."""
        if self.validated:
            self._keep(trainer, trainer.current_epoch + 1, "")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keeps the validation's figures, since it may be one within an epoch."""
        super().on_validation_end(trainer, pl_module)
        if self.validated:
            batches = trainer.fit_loop.epoch_loop.batch_progress.current.ready
            self._keep(trainer, trainer.current_epoch + round(batches / trainer.num_training_batches, 3), "val")

    def _keep(self, trainer: L.Trainer, epoch: float, names: str) -> None:
        """Takes figures whose names begin so, in place of what was known of the same step."""
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(names)}
        if self.history and self.history[-1]["step"] == trainer.global_step:
            self.history.pop()
        self.history.append({"epoch": epoch, "step": trainer.global_step, **found})

    def best(self) -> dict[str, float]:
        """Returns the figures of the validation that the best checkpoint is of; empty before the first validation."""
        judged = [figures for figures in self.history if math.isfinite(figures.get(self._monitor, math.nan))]
        return min(judged, key=lambda figures: self._sign * figures[self._monitor], default={})

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Keeps what there is of a run that was stopped."""
        if self.history and trainer.optimizers and trainer.state.fn == "fit":
            self.on_train_end(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the summary."""
        assert isinstance(pl_module, WatermarkRemoval)
        last = self.history[-1] if self.history else {}
        optimizer = trainer.optimizers[0]
        self.update(
            {
                "best_loss": self.best().get("val/loss"),
                "best_epoch": self.best().get("epoch"),
                "epochs_run": trainer.current_epoch,
                "train_loss_final": last.get("train/loss"),
                "val_loss_final": last.get("val/loss"),
                "psnr_final": last.get("train/psnr"),
                "val_psnr_final": last.get("val/psnr"),
                "ssim_final": last.get("train/ssim"),
                "val_ssim_final": last.get("val/ssim"),
                "training_time_min": self.seconds / 60,
                "learning_rate_end": optimizer.param_groups[0]["lr"],
                "optimizer": type(optimizer).__name__,
                "criterion": pl_module.loss.describe(),
                "precision": trainer.precision,
                "parameters": sum(parameter.numel() for parameter in pl_module.net.parameters()),
                "history": self.history,
            }
        )

    @rank_zero_only
    def update(self, values: dict[str, Any]) -> None:
        """Adds keys to the file; the old file stays whole until the new one is. Only the first process writes."""
        before = json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_record(self.path, {**before, **values})

    def state_dict(self) -> dict[str, Any]:
        """Returns what a resumed run goes on from."""
        return {"history": self.history, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from an earlier run's figures."""
        self.history, self._seconds_before = state_dict["history"], state_dict["seconds"]


def read_history(path: Path, checkpoint: Mapping[str, Any]) -> list[dict[str, float]]:
    """Returns the figures of each epoch of the run that a checkpoint is of.

    Args:
        path: Of the checkpoint. Where its run's summary is still beside it, the history is that of the whole run.
        checkpoint: Its content, with the history up to its own epoch; used where there is no summary, or where that is
            of a run which was resumed and has not ended again.
    """
    state: dict[str, Any] = checkpoint.get("callbacks", {}).get(RunSummary.__qualname__, {})
    own: list[dict[str, float]] = state.get("history", [])
    summary = path.resolve().parent.parent / "summary.json"
    if not summary.is_file():
        return own
    whole: list[dict[str, float | None]] = json.loads(summary.read_text(encoding="utf-8")).get("history", [])
    if len(whole) < len(own):
        return own
    return [{name: math.nan if value is None else value for name, value in epoch.items()} for epoch in whole]
