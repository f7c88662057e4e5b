"""Checkpoint files: whole or not there when written, refused in one sentence when they cannot be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from wm_lightning.errors import UserError
from wm_lightning.files import replacing
from wm_lightning.models import RestorationNet
from wm_lightning.weights import SUFFIX, read_weights

RUNS = Path("outputs/train")  # where a run has its folder unless told otherwise


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it, so that a killed process leaves the old one whole.

    Lightning's own writes to the system's folder for temporary files, from where moving to another disk is a copy that
    can be cut off.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: object = None
    ) -> None:
        """Writes a checkpoint to a local file."""
        with replacing(Path(path)) as draft, draft.open("wb") as file:
            torch.save(checkpoint, file)


def newest_checkpoint(runs: Path = RUNS) -> Path:
    """Returns the last checkpoint of the run that wrote one last.

    Raises:
        UserError: There is none.
    """
    found = runs.glob("*/*/checkpoints/last.ckpt")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise UserError(f"ckpt_path=last: no run below {runs} has finished an epoch; give a checkpoint's path.")
    return newest


def load_checkpoint(path: str) -> dict[str, Any]:
    """Reads a checkpoint of this project, or a weight file, which has a configuration too.

    Raises:
        UserError: The file is missing, damaged or of another project.
    """
    checkpoint = _read(path)
    if "config" not in checkpoint:
        raise UserError(f"{path} is no checkpoint of this project: it lacks the configuration it was trained with.")
    return checkpoint


def _read(path: str) -> dict[str, Any]:
    _check_exists(path)
    if Path(path).suffix == SUFFIX:
        return read_weights(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for files that are no checkpoint
        raise UserError(f"{path} cannot be read as a checkpoint; it is damaged or another kind of file.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no checkpoint and no weights, but a {type(content).__name__}.")
    return content


def load_weights(net: RestorationNet, path: str) -> None:
    """Loads a network's weights from a checkpoint of this project, or from a plain state dict, as the notebook saves.

    Raises:
        UserError: The file is missing or damaged, or holds the weights of another network.
    """
    loaded = _read(path)
    state = loaded.get("state_dict")
    state = loaded if state is None else {k.removeprefix("net."): v for k, v in state.items() if k.startswith("net.")}
    try:
        net.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"weights={path} does not fit model._target_={type(net).__name__}; choose its model."
        ) from error


def _check_exists(checkpoint: str) -> None:
    if not Path(checkpoint).is_file():
        raise UserError(f"There is no checkpoint {checkpoint}; give the path of a .ckpt or .safetensors file.")
