"""What is written of a run when it begins."""

from __future__ import annotations

from typing import Any

import lightning as L

from wm_lightning.data.datamodule import BaseDataModule


class Beginning(L.Callback):
    """Saves the split and tells the loggers the configuration.

    Not before the checkpoint that a run goes on from is known to fit: until then the folder is that of another run.

    Args:
        config: Plain containers and values.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Runs once network and schedule have been compared with the checkpoint's."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by fit
        assert isinstance(datamodule, BaseDataModule)
        datamodule.save_split()
        for logger in trainer.loggers:
            logger.log_hyperparams(self.config)
