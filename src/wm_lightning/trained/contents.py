"""Reads what a checkpoint or weight file holds; refused in one sentence when it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import shipped, shipped_names
from wm_lightning.models import RestorationNet
from wm_lightning.trained.older import of_today, renamed
from wm_lightning.trained.weights import SUFFIX, read_weights


def located(name: str) -> str:
    """Returns the path of a checkpoint or weight file.

    Args:
        name: A path, or the name of weights that come with this project, such as ``general``; a file comes first.
    """
    return str(shipped(name, SUFFIX) or name)


def read(name: str) -> dict[str, Any]:
    """Reads a checkpoint of this project, or a weight file; builds nothing of what it asks for.

    Args:
        name: See :func:`located`.

    Returns:
        At least ``state_dict``, ``epoch`` and ``config``: as this version would write it, of dictionaries, lists and
        plain values alone.

    Raises:
        UserError: The file is missing, damaged or of another project.
    """
    content = _read(name)
    if "config" not in content:
        raise UserError(f"{name} is no checkpoint of this project: it lacks the configuration it was trained with.")
    try:
        # What pickle and YAML could smuggle in beside plain values ends here.
        config = json.loads(json.dumps(content["config"]))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{name} has a configuration that is no plain values; it was not used.") from error
    kinds = ((config, dict), (content.get("state_dict"), dict), (content.get("epoch"), int))
    if not all(isinstance(part, kind) for part, kind in kinds):
        raise UserError(f"{name} is damaged: its weights, its epoch or its configuration is missing.")
    arguments = renamed(content.get("hyper_parameters", {}))
    return {**content, "config": of_today(config), "hyper_parameters": arguments}


def load_state(net: RestorationNet, name: str) -> None:
    """Loads a network's weights from such a file, or from a plain state dict, as the notebook saves.

    Raises:
        UserError: The file is missing or damaged, or holds the weights of another network.
    """
    content = _read(name)
    try:
        net.load_state_dict(network_state(content) if "state_dict" in content else content)
    except (RuntimeError, TypeError) as error:
        raise ArgumentError(
            "The weights {} do not fit a {} with its head; choose the model and the {head} that they are of (those of "
            "the watermarkcnn notebook are of the unet with {head}=direct).",
            name,
            type(net).__name__,
        ) from error


def network_state(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the part of a ``state_dict`` that is the network's, as the network names it."""
    state = content["state_dict"]
    return {key.removeprefix("net."): value for key, value in state.items() if key.startswith("net.")}


def _read(name: str) -> dict[str, Any]:
    path = located(name)
    if not Path(path).is_file():
        names = ", ".join(shipped_names())
        raise UserError(
            f"There is no checkpoint {path}; give the path of a .ckpt or .safetensors file, or one of {names}."
        )
    if Path(path).suffix == SUFFIX:
        return read_weights(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for files that are no checkpoint
        raise UserError(f"{path} cannot be read as a checkpoint; it is damaged or another kind of file.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no checkpoint and no weights, but a {type(content).__name__}.")
    return content
