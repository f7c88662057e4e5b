"""Whether processes that train together mean the same run."""

from __future__ import annotations

from collections.abc import Mapping

import lightning as L
import torch

from wm_lightning.data.datamodule import BaseDataModule
from wm_lightning.errors import UserError


class Agreement(L.Callback):
    """Compares what processes have found, each by itself, before they train: they would average what does not belong.

    Photographs may have been copied to one machine and not to another, a folder may not be shared, and an argument may
    have been typed on one machine alone.

    Args:
        facts: What must be the same in all, by what it is called.
    """

    def __init__(self, facts: Mapping[str, object]) -> None:
        self.facts = {name: str(value) for name, value in facts.items()}

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Runs once the processes know each other; the split of photographs is compared too.

        Raises:
            UserError: They differ.
        """
        if stage != "fit" or trainer.world_size == 1:
            return
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by fit
        assert isinstance(datamodule, BaseDataModule)
        assert datamodule.split is not None
        mine = {**self.facts, "split of the photographs": datamodule.split.digest()}
        parts = [mine] * trainer.world_size
        torch.distributed.all_gather_object(parts, mine)
        for rank, part in enumerate(parts):
            if differing := [name for name in mine if part[name] != parts[0][name]]:
                told = "; ".join(f"{name}: {parts[0][name]} and {part[name]}" for name in differing)
                raise UserError(
                    f"Process {rank} means another run than process 0 ({told}). Start all with the same command, in "
                    "the same folder of a disk that all machines share, with the same photographs."
                )
