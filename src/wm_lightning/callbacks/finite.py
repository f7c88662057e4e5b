"""A loss that is no number stops the run, with what it takes to look into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from wm_lightning.data import BaseDataModule
from wm_lightning.data.pairs import StagePairs, WatermarkPairs
from wm_lightning.data.synthesis import to_json
from wm_lightning.errors import NamingError
from wm_lightning.types import Sample


class NotFiniteError(NamingError):
    """The loss became infinite or not a number."""


class FiniteLoss(L.Callback):
    """Stops training before a loss that is infinite or not a number reaches the weights.

    The names of the batch's photographs are written to a file; where their marks were drawn, with the specifications,
    from which :func:`~wm_lightning.data.synthesis.replay` makes the same pictures. The checkpoints of earlier epochs
    stay. A validation loss that is no number stops it too, before its checkpoint is taken for one.

    Args:
        path: The JSON file.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._names: list[str] = []

    def on_train_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Sample,
        batch_idx: int,
    ) -> None:
        """Keeps the names."""
        self._names = list(batch.name)

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        """Looks at each step's loss.

        Raises:
            NotFiniteError: It is not finite.
        """
        if torch.isfinite(loss):
            return
        value, epoch = float(loss.detach()), trainer.current_epoch
        self._write(trainer, value)
        raise NotFiniteError(
            "The loss became {} in epoch {}, step {}; the batch is described in {}. Lower {optimizer.lr}, set "
            "{gradient_clip_val}=1, or use {precision}=32-true, and go on: the same with {ckpt_path}=last.",
            value,
            epoch + 1,
            trainer.global_step + 1,
            self.path,
        )

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Looks at each validation's loss.

        Raises:
            NotFiniteError: It is not finite.
        """
        loss = trainer.callback_metrics.get("val/loss")
        if loss is not None and not torch.isfinite(loss):
            raise NotFiniteError(
                "The validation loss became {} in epoch {}, so the network cannot be judged. Lower {optimizer.lr} or "
                "use {precision}=32-true, and go on: the same with {ckpt_path}=last.",
                float(loss),
                trainer.current_epoch + 1,
            )

    def _write(self, trainer: L.Trainer, loss: float) -> None:
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by fit
        assert isinstance(datamodule, BaseDataModule)
        pairs, epoch = datamodule.pairs("train"), trainer.current_epoch
        record = {
            "loss": str(loss),
            "epoch": epoch,
            "step": trainer.global_step,
            "batch": {name: _specifications(pairs, epoch, name) for name in self._names},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")


def _specifications(pairs: StagePairs, epoch: int, name: str) -> dict[str, Any]:
    """Returns the specifications of a pair's marks; empty for a pair of files, which has none."""
    if not isinstance(pairs, WatermarkPairs):
        return {}
    first, second = pairs.views((epoch, pairs.names.index(name)))
    views = {"watermarked": first, "reference": second}
    return {name: json.loads(to_json(view.spec)) for name, view in views.items() if view is not None}
