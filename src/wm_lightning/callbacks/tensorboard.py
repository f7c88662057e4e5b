"""What TensorBoard is told of a run beside its scalars."""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.jit import TracerWarning, TracingCheckError  # type: ignore[attr-defined]  # public, not in its __all__

from wm_lightning.engine import WatermarkRemoval
from wm_lightning.models import RestorationNet

log = logging.getLogger(__name__)

SIDE = 64  # pixels: the graph is the same for any size, and a small picture is traced at once


def tensorboard_loggers(trainer: L.Trainer) -> list[TensorBoardLogger]:
    """Returns the trainer's TensorBoard loggers; none in a process that is not the first."""
    if not trainer.is_global_zero:
        return []
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def detached_copy(net: RestorationNet) -> RestorationNet:
    """Returns a copy in evaluation mode to look into; ``torch.compile`` does not follow it.

    Whatever is done to it, the network in training keeps its modes, statistics and gradients, and a compiled one is
    not compiled again for a hook. In Lightning's inference mode too, the copy's parameters can be differentiated.
    """
    with torch.inference_mode(False):
        return copy.deepcopy(net).eval()


class RunDescription(L.Callback):
    """Sends the network's graph and the configuration to TensorBoard, once for each folder.

    Args:
        config: The configuration as YAML.
    """

    def __init__(self, config: str) -> None:
        self.config = config

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes both; a run that goes on in its folder finds them there."""
        assert isinstance(pl_module, WatermarkRemoval)
        for logger in tensorboard_loggers(trainer):
            writer = logger.experiment
            if len(list(Path(logger.log_dir).glob("events.out.tfevents.*"))) > 1:  # others than the one just begun
                continue
            writer.add_text("configuration", f"```yaml\n{self.config}```")
            _add_graph(writer, pl_module.net)
            writer.flush()


def _add_graph(writer: Any, net: RestorationNet) -> None:  # noqa: ANN401 - a SummaryWriter, which has no types
    side = net.size.padded(SIDE)
    traced = detached_copy(net).cpu()
    try:
        with warnings.catch_warnings():
            # Sizes become constants, as they should here; and TensorBoard has no other way than this older tracer.
            warnings.simplefilter("ignore", TracerWarning)
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            writer.add_graph(traced, torch.zeros(1, 3, side, side))
    except (RuntimeError, TracingCheckError) as error:
        log.warning("TensorBoard gets no graph of %s, which cannot be traced: %s", type(net).__name__, error)
