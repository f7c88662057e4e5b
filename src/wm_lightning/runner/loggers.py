"""Loggers of a run: opened, given the hyperparameters, and ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from wm_lightning.errors import UserError
from wm_lightning.extras import installing
from wm_lightning.runner.configuration import plain

EXTRAS = ("wandb", "mlflow")  # loggers whose packages pyproject.toml has as extras of the same name

# What TensorBoard's HParams page compares runs by.
HPARAM_GROUPS = ("model", "loss", "optim")


@contextmanager
def open_loggers(config: DictConfig) -> Iterator[list[Logger]]:
    """Builds the loggers; afterwards ends what they began, so that the next job of a multirun begins its own."""
    loggers = [_build_logger(name, node) for name, node in config.logger.items() if node is not None]
    try:
        yield loggers
    finally:
        if any(isinstance(logger, WandbLogger) for logger in loggers):
            import wandb  # an extra

            wandb.finish()


def _build_logger(name: str, node: DictConfig) -> Logger:
    try:
        logger: Logger = instantiate(node)
    except InstantiationException as error:
        if name not in EXTRAS or not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise UserError(f"logger={name} needs packages that are not installed: {installing(name)}.") from error
    return logger


@rank_zero_only
def log_hyperparameters(loggers: Sequence[Logger], config: DictConfig, metrics: dict[str, float]) -> None:
    """Gives TensorBoard's HParams page what was chosen and what came of it."""
    chosen = {key: value for group in HPARAM_GROUPS for key, value in _leaves(plain(config[group]), group)}
    choices = {group: choice for group, choice in HydraConfig.get().runtime.choices.items() if "/" not in group}
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams({"seed": config.seed, **choices, **chosen}, metrics)
            logger.save()


def _leaves(node: object, path: str) -> Iterator[tuple[str, str | int | float | bool]]:
    """Returns the plain values below a node by their full names."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(node, str | int | float | bool) and not path.rsplit(".", 1)[-1].startswith("_"):
        yield path, node
