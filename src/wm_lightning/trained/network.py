"""A trained network: what it is, what it was trained with, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_lightning.errors import UserError
from wm_lightning.models import RestorationNet
from wm_lightning.trained.contents import located, network_state, read
from wm_lightning.trained.trust import build, check_trusted, trusted_class
from wm_lightning.trained.weights import write_weights


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with its weights, ready to be used.

    Attributes:
        net: The network, in evaluation mode.
        config: What it was trained with: ``model``, ``loss``, ``data``, ``optim``, ``seed``, ``trainer``.
        epoch: The epoch its weights are of, from 0.
        card: What a file says of it in words and numbers: ``trained_on``, ``licence``, ``metrics``; may be empty.
    """

    net: RestorationNet
    config: Mapping[str, Any]
    epoch: int = 0
    card: Mapping[str, Any] = field(default_factory=dict)


def load(name: str, trust: Sequence[str] = ()) -> TrainedNetwork:
    """Loads a trained network.

    Args:
        name: The path of a checkpoint or of a ``.safetensors`` file, or the name of weights that come with this
            project, such as ``general``.
        trust: Packages beside this one whose classes a file may ask for; see :mod:`wm_lightning.trained.trust`.

    Raises:
        UserError: There is no such file, it is damaged, its weights do not fit, or it asks for code that is not
            trusted.
    """
    path = located(name)
    content = read(path)
    options = content["config"].get("model")
    if not options:
        raise UserError(f"{path} holds no network: it does not say which one its weights are of.")
    check_trusted(options, path, trust)
    target = options.get("_target_") if isinstance(options, dict) else None
    if not issubclass(trusted_class(target, path, trust), RestorationNet):
        raise UserError(f"{path} asks for {target}, which is no network; it was not built.")
    try:
        net: RestorationNet = build(options, path, trust)
        net.load_state_dict(network_state(content))
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} does not fit {target}; it was written by another version of it.") from error
    return TrainedNetwork(net.eval(), content["config"], content["epoch"], content.get("card", {}))


def save(trained: TrainedNetwork, path: Path, half: bool = False) -> None:
    """Writes a network to a ``.safetensors`` file, without the paths of the machine it was trained on.

    Args:
        trained: The network.
        path: Of the file; written beside its place and renamed.
        half: Keeps floating-point values as float16, at half the size; BatchNorm's stay float32.
    """
    state = {f"net.{key}": value for key, value in trained.net.state_dict().items()}
    content = {"state_dict": state, "config": trained.config, "epoch": trained.epoch, "card": trained.card}
    write_weights(content, path, half)
