"""What of a configuration can be refused before anything is built, beside what signatures say."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from wm_lightning.errors import UserError
from wm_lightning.metrics import COLUMNS
from wm_lightning.runner.configuration import suggestion

COMPILE_MODES = (None, "default", "reduce-overhead", "max-autotune")


def check_training(config: DictConfig) -> None:
    """Checks length, objective and compilation of a training.

    Raises:
        UserError: It could not train, or nothing would choose its best checkpoint.
    """
    _check_length(config)
    check_objective(config)
    if config.compile not in COMPILE_MODES:
        raise UserError(f"compile={config.compile} is not one of null, {', '.join(filter(None, COMPILE_MODES))}.")


def _check_length(config: DictConfig) -> None:
    """Checks what the number of steps is reckoned from."""
    for key in ("max_epochs", "accumulate_grad_batches"):
        value = config.trainer[key]
        if value is None or value < 1:
            raise UserError(f"trainer.{key}={value} must be at least 1; trainer.max_time limits a run by the clock.")
    every = config.trainer.get("check_val_every_n_epoch") or 1
    if every > config.trainer.max_epochs:
        raise UserError(
            f"trainer.check_val_every_n_epoch={every} is more than trainer.max_epochs={config.trainer.max_epochs}, "
            "which leaves nothing to choose the best checkpoint by; validate earlier."
        )


def check_objective(config: DictConfig, node: str = "objective") -> None:
    """Checks that training measures the metric of a node.

    Raises:
        UserError: It does not.
    """
    metric = OmegaConf.select(config, f"{node}.metric")
    if config.trainer.limit_val_batches == 0:
        raise UserError("trainer.limit_val_batches=0 leaves nothing to choose the best checkpoint by; allow some.")
    known = ["val/loss", *(f"val/{column}" for column in (*COLUMNS, *(config.get("own_metrics") or {})))]
    if metric not in known:
        raise UserError(f"{node}.metric={metric} is not measured.{suggestion(metric, known)}")


def check_monitors(config: DictConfig, terms: Sequence[str]) -> None:
    """Checks that what callbacks look at in a validation is measured in one.

    Args:
        config: The composed ``conf/train.yaml``.
        terms: The terms of the loss that are on.

    Raises:
        UserError: One looks at something else.
    """
    columns = (*COLUMNS, *(config.own_metrics or {}))
    known = ["val/loss", *(f"val/{column}" for column in columns), *(f"val/loss_{name}" for name in terms)]
    for name, node in config.callbacks.items():
        monitor = None if node is None else node.get("monitor")
        if monitor is not None and monitor.startswith("val/") and monitor not in known:
            raise UserError(f"callbacks.{name}.monitor={monitor} is not measured.{suggestion(monitor, known)}")
