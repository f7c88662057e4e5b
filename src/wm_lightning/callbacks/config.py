"""The configuration travels inside the checkpoint."""

from __future__ import annotations

from typing import Any

import lightning as L


class ConfigInCheckpoint(L.Callback):
    """Stores a run's configuration in its checkpoints, so that one file is enough to rebuild and score a model.

    Args:
        config: Plain containers and values only, so that the file loads with ``weights_only=True``.
        typed: What was typed to begin the run, so that the file can tell how it goes on; None where nobody did.
    """

    def __init__(self, config: dict[str, Any], typed: dict[str, Any] | None = None) -> None:
        self.config, self.typed = config, typed

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the keys ``config`` and ``typed``."""
        checkpoint["config"] = self.config
        if self.typed is not None:
            checkpoint["typed"] = self.typed
