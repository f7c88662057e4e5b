"""Finds weight files and builds their networks."""

from __future__ import annotations

import inspect

from wm_lightning import models
from wm_lightning.checkpoints import load_checkpoint, located
from wm_lightning.errors import UserError
from wm_lightning.models import RestorationNet


def load_net(path: str) -> RestorationNet:
    """Builds the network of a weight file or checkpoint, with its weights.

    Args:
        path: Of a file, or the name of weights that come with this project, such as ``general``.

    Raises:
        UserError: There is no such file, or it is damaged, or its network is not one of this project's. Only those are
            built, so that a weight file from elsewhere can run nothing.
    """
    path = located(path)
    checkpoint = load_checkpoint(path)
    options = dict(checkpoint["config"]["model"])
    target = str(options.pop("_target_", ""))
    kind = getattr(models, target.rsplit(".", 1)[-1], None)
    if target.rpartition(".")[0] != models.__name__ or not (inspect.isclass(kind) and issubclass(kind, RestorationNet)):
        raise UserError(f"{path} is of the network {target}, which is none of {models.__name__}; give other weights.")
    try:
        net: RestorationNet = kind(**options)
        net.load_state_dict(
            {k.removeprefix("net."): v for k, v in checkpoint["state_dict"].items() if k.startswith("net.")}
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} does not fit {target}; it was written by another version of this project.") from error
    return net.eval()
