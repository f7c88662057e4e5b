"""Ends a trial early that the pruner has no hope for."""

from __future__ import annotations

import lightning as L
import optuna

from wm_lightning.callbacks import Validated


class ReportEpochs(Validated):
    """Reports a metric to a trial after each validated epoch, and ends the training where the pruner says so.

    The last epoch is reported but never ends a trial, which then has nothing left to save.

    Args:
        trial: The trial.
        metric: The logged name.
        sign: -1 where the study's direction is the opposite of the metric's.

    Raises:
        optuna.TrialPruned: From ``on_train_epoch_end``, after the run's summary has the epoch.
    """

    def __init__(self, trial: optuna.Trial, metric: str, sign: float = 1.0) -> None:
        self.trial, self.metric, self.sign = trial, metric, sign

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Runs after the epoch's validation."""
        if not self.validated or self.metric not in trainer.callback_metrics:
            return
        value = float(trainer.callback_metrics[self.metric])
        self.trial.report(self.sign * value, trainer.current_epoch)
        done = trainer.current_epoch + 1
        if done != trainer.max_epochs and self.trial.should_prune():
            raise optuna.TrialPruned(f"pruned after epoch {done}: {self.metric} {value:.5g}")
