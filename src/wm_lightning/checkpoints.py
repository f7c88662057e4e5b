"""Checkpoint files: whole or not there when written, refused in one sentence when they cannot be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from wm_lightning.errors import UserError
from wm_lightning.files import SHIPPED, replacing, shipped_names
from wm_lightning.losses import LETTERS
from wm_lightning.models import RestorationNet
from wm_lightning.weights import SUFFIX, read_weights

# The loss of checkpoints from before it was made of terms: its weights, by their classes and what they were when unset.
OLD_LOSS = "wm_lightning.losses.ColorAwareLoss"
OLD_TERMS = {
    "l1": ("MaskedL1", 1), "outside": ("OutsideL1", 0), "mask": ("MaskBce", 0), "iou": ("MaskIou", 0),
    "opacity": ("OpacityL1", 0), "layer": ("LayerL1", 0), "proposal": ("ProposalL1", 0), "content": ("ContentL1", 0),
    "psnr": ("NegativePsnr", 0),
}  # fmt: skip
RUNS = Path("outputs/train")  # where a run has its folder unless told otherwise


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


def located(name: str) -> str:
    """Returns the path of a checkpoint or weight file.

    Args:
        name: A path, or the name of weights that come with this project, such as ``general``; a file comes first.
    """
    shipped = SHIPPED / f"{name}{SUFFIX}"
    return str(shipped) if not Path(name).exists() and Path(name).name == name and shipped.is_file() else name


def load_checkpoint(path: str) -> dict[str, Any]:
    """Reads a checkpoint of this project, or a weight file, which has a configuration too; see :func:`located`.

    Raises:
        UserError: The file is missing, damaged or of another project.
    """
    checkpoint = _read(path)
    if "config" not in checkpoint:
        raise UserError(f"{path} is no checkpoint of this project: it lacks the configuration it was trained with.")
    return {**checkpoint, "config": _of_today(checkpoint["config"])}


def _of_today(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration of an older checkpoint as it would be written now."""
    loss = config.get("loss", {})
    if loss.get("_target_") != OLD_LOSS:
        return config
    terms: dict[str, Any] = {
        name: {"_target_": f"wm_lightning.losses.{kind}", "weight": loss.get(name, weight)}
        for name, (kind, weight) in OLD_TERMS.items()
        if weight or loss.get(name)
    }
    letters = {letter: loss[letter] for letter in LETTERS}
    for name in LETTERS.values():
        terms[name] = {"_target_": f"wm_lightning.losses.{name.capitalize()}"}
    terms["perceptual"]["weights"] = loss["perceptual"]["weights"]
    return {**config, "loss": {"_target_": "wm_lightning.losses.CompositeLoss", "terms": terms, **letters}}


def _read(path: str) -> dict[str, Any]:
    path = located(path)
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
            f"weights={path} does not fit model._target_={type(net).__name__} with its head; choose the model and the "
            "model.head that the weights are of (the watermarkcnn notebook's are of model=unet model.head=full)."
        ) from error


def _check_exists(checkpoint: str) -> None:
    if not Path(checkpoint).is_file():
        names = ", ".join(shipped_names())
        raise UserError(
            f"There is no checkpoint {checkpoint}; give the path of a .ckpt or .safetensors file, or one of {names}."
        )
