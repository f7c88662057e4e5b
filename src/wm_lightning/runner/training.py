"""Trains and tests a model."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from wm_lightning.callbacks import ConfigInCheckpoint, RunDescription, RunSummary
from wm_lightning.checkpoints import load_checkpoint, load_weights, newest_checkpoint
from wm_lightning.configuration import plain, suggestion
from wm_lightning.data.pairs import STAGES
from wm_lightning.errors import UserError
from wm_lightning.metrics import COLUMNS
from wm_lightning.reports.table import print_result
from wm_lightning.runner.build import build_data, build_module, prepare, score, shown

log = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM  # the shell's exit status for a process that was told to end

COMPILE_MODES = (None, "default", "reduce-overhead", "max-autotune")

# What a checkpoint keeps of a configuration: enough to rebuild data, model and loss.
REBUILT = ("model", "loss", "data", "optim", "seed")
# What TensorBoard's HParams page compares runs by.
HPARAM_GROUPS = ("model", "loss", "optim")
HPARAM_SCORES = ("psnr", "ssim", "psnr_in", "psnr_out")

LOGGER_EXTRAS = ("wandb", "mlflow")  # loggers whose packages pyproject.toml has as extras of the same name


def train(config: DictConfig, callbacks: Sequence[L.Callback] = ()) -> float:
    """Trains and tests a model.

    Args:
        config: The composed ``conf/train.yaml``.
        callbacks: Others beside the configuration's, which see an epoch after its summary.

    Returns:
        The objective: ``objective.metric`` at the epoch of the best checkpoint.

    Raises:
        UserError: The configuration or what it points to cannot be used.
    """
    if config.ckpt_path is not None:
        _go_on(config)
    prepare(config)
    _check_length(config)
    check_objective(config)
    if config.compile not in COMPILE_MODES:
        raise UserError(f"compile={config.compile} is not one of null, {', '.join(filter(None, COMPILE_MODES))}.")
    with _open_loggers(config) as loggers:
        return _train(config, callbacks, loggers)


def _train(config: DictConfig, callbacks: Sequence[L.Callback], loggers: list[Logger]) -> float:
    """Does the work of :func:`train`, the configuration being settled."""
    datamodule = build_data(config)
    module = build_module(config, datamodule.target)
    if config.weights is not None:
        load_weights(module.net, config.weights)
    if config.compile is not None:
        module.net.compile(mode=config.compile)
    summary = RunSummary(str(Path(config.paths.output_dir) / "summary.json"))
    configured = [instantiate(node) for node in config.callbacks.values() if node is not None]
    if not loggers:  # without which the monitor refuses to run
        configured = [callback for callback in configured if not isinstance(callback, LearningRateMonitor)]
    resolved = plain(config)
    rebuilt = {**{key: resolved[key] for key in REBUILT}, "trainer": {"precision": config.trainer.precision}}
    description = RunDescription(OmegaConf.to_yaml(config, resolve=True))
    # The summary comes first: others draw an epoch from it.
    callbacks = [summary, *configured, description, ConfigInCheckpoint(rebuilt), *callbacks]
    trainer: L.Trainer = instantiate(config.trainer, callbacks=callbacks, logger=loggers or False)
    for logger in trainer.loggers:
        logger.log_hyperparams(resolved)
    try:
        trainer.fit(module, datamodule, ckpt_path=config.ckpt_path, weights_only=True)
    except SystemExit as stop:  # Lightning's answer to Ctrl-C and SIGTERM
        last = Path(config.paths.output_dir) / "checkpoints" / "last.ckpt"
        if last.is_file():
            log.warning("stopped; go on with: ckpt_path=%s", shown(str(last)))
        raise SystemExit(TERMINATED if isinstance(stop, SIGTERMException) else stop.code) from stop
    if trainer.max_epochs is not None and trainer.current_epoch < trainer.max_epochs:
        log.info("stopped early after %d epochs of %d", trainer.current_epoch, trainer.max_epochs)
    best = float(summary.best()[config.objective.metric])
    checkpoint = _best_checkpoint(trainer)
    summary.update(
        {
            "objective": {**plain(config.objective), "value": best},
            "checkpoint": checkpoint,
            "seed": config.seed,
            "photographs": {stage: len(datamodule.pairs(stage)) for stage in STAGES},
            "photographs_skipped": datamodule.broken,
        }
    )
    if config.test:
        if checkpoint is not None:  # not by trainer.test, which would load the weights that an average was made of
            module.load_state_dict(load_checkpoint(checkpoint)["state_dict"])
        scores = score(trainer, module, datamodule)
        summary.update({"test": scores})
        if trainer.is_global_zero:
            print_result(scores, f"test: {len(datamodule.pairs('test'))} pictures")
    tested = {f"test/{name}": scores[name] for name in HPARAM_SCORES} if config.test else {}
    _log_hyperparameters(trainer.loggers, config, {f"best/{config.objective.metric}": best, **tested})
    if datamodule.broken:
        log.warning("%d photographs could not be decoded and were skipped", len(datamodule.broken))
    if checkpoint is not None:
        log.info("score it again: python evaluate.py ckpt=%s", shown(checkpoint))
    if any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers):
        log.info("watch it: tensorboard --logdir %s", shown(config.paths.output_dir))
    return best


@contextmanager
def _open_loggers(config: DictConfig) -> Iterator[list[Logger]]:
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
        if name not in LOGGER_EXTRAS or not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise UserError(f'logger={name} needs packages that are not installed: pip install -e ".[{name}]"') from error
    return logger


@rank_zero_only
def _log_hyperparameters(loggers: Sequence[Logger], config: DictConfig, metrics: dict[str, float]) -> None:
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


def _go_on(config: DictConfig) -> None:
    """Settles which checkpoint to go on from; a run's last one goes on in the run's own folder."""
    if config.ckpt_path == "last":
        config.ckpt_path = str(newest_checkpoint())
    load_checkpoint(config.ckpt_path)
    path = Path(config.ckpt_path).resolve()
    if path.name == "last.ckpt" and path.parent.name == "checkpoints":
        # Elsewhere, Lightning would forget which checkpoint was the best so far.
        config.paths.output_dir = str(path.parents[1])
    log.info("goes on from %s in %s", shown(config.ckpt_path), shown(config.paths.output_dir))


def _check_length(config: DictConfig) -> None:
    """Checks what the number of steps is reckoned from."""
    for key in ("max_epochs", "accumulate_grad_batches"):
        value = config.trainer[key]
        if value is None or value < 1:
            raise UserError(f"trainer.{key}={value} must be at least 1; trainer.max_time limits a run by the clock.")


def check_objective(config: DictConfig, node: str = "objective") -> None:
    """Checks that training measures the metric of a node.

    Raises:
        UserError: It does not.
    """
    metric = OmegaConf.select(config, f"{node}.metric")
    if config.trainer.limit_val_batches == 0:
        raise UserError("trainer.limit_val_batches=0 leaves nothing to choose the best checkpoint by; allow some.")
    known = ["val/loss", *(f"val/{column}" for column in COLUMNS)]
    if metric not in known:
        raise UserError(f"{node}.metric={metric} is not measured.{suggestion(metric, known)}")


def _best_checkpoint(trainer: L.Trainer) -> str | None:
    """Returns the path of the best checkpoint, None where the run kept none."""
    callback = trainer.checkpoint_callback
    return callback.best_model_path or None if isinstance(callback, ModelCheckpoint) else None
