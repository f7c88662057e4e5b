"""Weight files that can be passed on: safetensors, which hold numbers and text and can run nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wm_lightning.errors import UserError
from wm_lightning.files import replacing

SUFFIX = ".safetensors"
# What stands in for paths of the machine a network was trained on, and for what may be a path or a word
PLACEHOLDERS = {"root": "PHOTOS", "logos": "LOGOS", "mark": "MARK", "split_dir": None, "cache_dir": None}
FOR_ABSOLUTE = {"fonts": "FONTS", "weights": "auto"}


def write_weights(checkpoint: dict[str, Any], path: Path, half: bool = False) -> None:
    """Writes a network's weights, configuration and card, without the paths of the machine it was trained on.

    Args:
        checkpoint: As :func:`~wm_lightning.trained.read` returns it; its ``card`` may be missing.
        path: A file that ends in ``.safetensors``; written beside its place and renamed.
        half: Keeps floating-point values as float16, at half the size; BatchNorm's stay float32.
    """
    state = {}
    for key, value in checkpoint["state_dict"].items():
        if key.startswith("net."):
            keep = not half or not value.is_floating_point() or value.ndim < 2
            state[key.removeprefix("net.")] = (value if keep else value.half()).contiguous()
    config = with_texts(checkpoint["config"], _placeholder, lists=FOR_ABSOLUTE)
    card = {key: checkpoint[key] for key in ("card",) if checkpoint.get(key)}
    text = json.dumps({"config": config, "epoch": checkpoint["epoch"], **card})
    with replacing(path) as draft:
        save_file(state, draft, metadata={"format": "pt", "wm_lightning": text})
        draft.chmod(0o644)  # the library writes files that only their owner can read


def mean_of(checkpoints: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the first checkpoint with the mean of all checkpoints' weights.

    Networks that were fine-tuned from each other can be averaged, often to a better one (Wortsman et al., "Model
    soups", ICML 2022); score the result.

    Args:
        checkpoints: As :func:`~wm_lightning.trained.read` returns them, of one network.

    Raises:
        UserError: They are of different networks.
    """
    states = [{key: value for key, value in one["state_dict"].items() if key.startswith("net.")} for one in checkpoints]
    shapes = [{key: value.shape for key, value in state.items()} for state in states]
    if any(shape != shapes[0] for shape in shapes):
        raise UserError("The checkpoints are of different networks, so they have no mean; give those of one network.")
    mean = {
        # Counts of batches are no weights.
        key: torch.stack([state[key] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for key, value in states[0].items()
    }
    return {**checkpoints[0], "state_dict": mean}


def read_weights(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a weight file as if it were a checkpoint, ``state_dict`` (float32), ``config``, ``epoch`` and all.

    Raises:
        UserError: The file is damaged, or was not written by this project.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {f"net.{key}": file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as weights; it is damaged or another kind of file.") from error
    if "wm_lightning" not in metadata:
        raise UserError(f"{path} holds no weights of this project: it does not say which network they belong to.")
    widened = {key: value.float() if value.dtype == torch.float16 else value for key, value in state.items()}
    try:
        facts = json.loads(metadata["wm_lightning"])
        kept = {key: facts[key] for key in ("config", "epoch", "card") if key in facts}
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged: what it says of its network cannot be read.") from error
    return {**kept, "state_dict": widened}


def with_texts(node: Any, change: Callable[[str, str], Any], lists: Collection[str] = ()) -> Any:  # noqa: ANN401
    """Returns a configuration's node whose texts are others: what to do with one is said by the key it stands at.

    Args:
        node: Dictionaries, lists and plain values; left as it is.
        change: Takes a key and its text.
        lists: Keys whose lists hold such texts too; in other lists they stay.
    """

    def changed(key: str, value: Any) -> Any:  # noqa: ANN401 - whatever a configuration holds
        if isinstance(value, list) and key in lists:
            return [changed(key, item) for item in value]
        return change(key, value) if isinstance(value, str) else with_texts(value, change, lists)

    if isinstance(node, dict):
        return {key: changed(key, value) for key, value in node.items()}
    return [with_texts(item, change, lists) for item in node] if isinstance(node, list) else node


def _placeholder(key: str, text: str) -> str | None:
    """Returns what stands in for a path of the machine a network was trained on."""
    return PLACEHOLDERS.get(key, FOR_ABSOLUTE.get(key, text) if Path(text).is_absolute() else text)
