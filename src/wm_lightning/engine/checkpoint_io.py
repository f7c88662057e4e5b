"""Writes checkpoints: whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from wm_lightning.errors import UserError
from wm_lightning.files import replacing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it, so that a killed process leaves the old one whole.

    Lightning's own writes to the system's folder for temporary files, from where moving to another disk is a copy that
    can be cut off.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: object = None
    ) -> None:
        """Writes a checkpoint to a local file.

        Raises:
            UserError: The disk is full, or cannot be written to.
        """
        try:
            with replacing(Path(path)) as draft, draft.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            reason = _disk_error(error)
            if reason is None:
                raise
            raise UserError(
                f"{path} could not be written ({reason}); make room and go on with the same command and "
                "ckpt_path=last: an earlier checkpoint is still whole."
            ) from error


def _disk_error(error: BaseException | None) -> str | None:
    """Returns what the system said, which PyTorch hides behind an error of its own."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return None if error is None else error.strerror
