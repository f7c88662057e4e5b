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
from lightning.pytorch.callbacks import Checkpoint, LearningRateMonitor, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from wm_lightning.callbacks import Beginning, ConfigInCheckpoint, RunDescription, RunSummary
from wm_lightning.commands import command, shell
from wm_lightning.data.datamodule import BaseDataModule
from wm_lightning.data.pairs import STAGES
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import OtherLengthError, UserError
from wm_lightning.metrics import COLUMNS
from wm_lightning.reports.table import print_result
from wm_lightning.runner.build import ask_for_terms, build_module, prepare, score, shown
from wm_lightning.runner.configuration import plain, suggestion
from wm_lightning.runner.examples import write_examples
from wm_lightning.runner.processes import ending_with, one_job_for_processes
from wm_lightning.runner.resume import BestSoFar, Origin, rebuilt, settle_resume
from wm_lightning.runner.typed import command_to_go_on, typed
from wm_lightning.trained import load_state, read

log = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM  # the shell's exit status for a process that was told to end

COMPILE_MODES = (None, "default", "reduce-overhead", "max-autotune")

# What TensorBoard's HParams page compares runs by.
HPARAM_GROUPS = ("model", "loss", "optim")
HPARAM_SCORES = ("psnr", "ssim", "psnr_in", "psnr_out")

EXAMPLES = 12  # test pictures on the sheet that a training ends with

# Lightning's switches, and the callbacks beside which it refuses to be switched off
SWITCHES: dict[str, type[L.Callback]] = {"enable_progress_bar": ProgressBar, "enable_checkpointing": Checkpoint}

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
    ask_for_terms(config, HydraConfig.get().overrides.task)
    origin = None if config.ckpt_path is None else settle_resume(config)
    prepare(config)
    _check_length(config)
    check_objective(config)
    if config.compile not in COMPILE_MODES:
        raise UserError(f"compile={config.compile} is not one of null, {', '.join(filter(None, COMPILE_MODES))}.")
    with one_job_for_processes(), _open_loggers(config) as loggers:
        return _train(config, callbacks, loggers, origin)


def _train(config: DictConfig, callbacks: Sequence[L.Callback], loggers: list[Logger], origin: Origin | None) -> float:
    """Does the work of :func:`train`, the configuration being settled."""
    datamodule: BaseDataModule = instantiate(config.data)
    module = build_module(config, datamodule.target)
    _check_monitors(config, module.loss.active)
    if config.weights is not None:
        load_state(module.net, config.weights)
    if origin is not None:
        origin.check_module(module)
    datamodule.setup()  # which may take minutes: what can be refused before is
    if origin is not None:
        origin.check_data(datamodule)
    if config.compile is not None:
        module.net.compile(mode=config.compile)
    summary = RunSummary(str(Path(config.paths.output_dir) / "summary.json"))
    trainer = _build_trainer(config, summary, callbacks, loggers)
    try:
        with ending_with(trainer):
            return _fit_and_test(trainer, module, datamodule, config, summary)
    except OtherLengthError as error:
        assert origin is not None
        raise origin.refusal(str(error)) from error


def _fit_and_test(
    trainer: L.Trainer,
    module: WatermarkRemoval,
    datamodule: BaseDataModule,
    config: DictConfig,
    summary: RunSummary,
) -> float:
    """Returns the objective."""
    _fit(trainer, module, datamodule, config)
    if not summary.best():
        raise UserError(
            "The training has ended before a validation that gave a number to choose the best checkpoint by; train "
            "longer (trainer.max_epochs, trainer.max_steps), or let the best checkpoint's monitor be another one."
        )
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
    tested = _test(trainer, module, datamodule, checkpoint, summary) if config.test else {}
    scores = {f"test/{name}": tested[name] for name in HPARAM_SCORES if name in tested}
    _log_hyperparameters(trainer.loggers, config, {f"best/{config.objective.metric}": best, **scores})
    if trainer.is_global_zero:
        folder = Path(config.paths.output_dir)
        sheet = write_examples(module, trainer, datamodule.pairs("test"), EXAMPLES, folder) if tested else None
        _say_how_to_go_on(config, trainer, datamodule, checkpoint, sheet)
    return best


def _build_trainer(
    config: DictConfig, summary: RunSummary, callbacks: Sequence[L.Callback], loggers: list[Logger]
) -> L.Trainer:
    unwanted = [kind for switch, kind in SWITCHES.items() if not config.trainer.get(switch, True)]
    if not loggers:  # without which the monitor refuses to run
        unwanted.append(LearningRateMonitor)
    configured = [instantiate(node) for node in config.callbacks.values() if node is not None]
    configured = [callback for callback in configured if not isinstance(callback, tuple(unwanted))]
    kept = rebuilt(config)
    resolved = {**plain(config), **kept}
    kept["trainer"] = {"precision": config.trainer.precision}
    description = RunDescription(OmegaConf.to_yaml(config, resolve=True))
    # The summary comes first: others draw an epoch from it.
    remembered = (Beginning(resolved), description, ConfigInCheckpoint(kept, typed()), BestSoFar())
    callbacks = [summary, *configured, *remembered, *callbacks]
    trainer: L.Trainer = instantiate(config.trainer, callbacks=callbacks, logger=loggers or False)
    return trainer


def _fit(trainer: L.Trainer, module: WatermarkRemoval, datamodule: BaseDataModule, config: DictConfig) -> None:
    try:
        trainer.fit(module, datamodule, ckpt_path=config.ckpt_path, weights_only=True)
    except SystemExit as stop:  # Lightning's answer to Ctrl-C and SIGTERM
        last, begun = Path(config.paths.output_dir) / "checkpoints" / "last.ckpt", typed()
        if last.is_file() and begun is not None:
            log.warning("stopped; go on with: %s", command_to_go_on(begun, str(last)))
        raise SystemExit(TERMINATED if isinstance(stop, SIGTERMException) else stop.code) from stop
    if trainer.max_epochs is not None and trainer.current_epoch < trainer.max_epochs:
        log.info("stopped early after %d epochs of %d", trainer.current_epoch, trainer.max_epochs)


def _test(
    trainer: L.Trainer,
    module: WatermarkRemoval,
    datamodule: BaseDataModule,
    checkpoint: str | None,
    summary: RunSummary,
) -> dict[str, float]:
    """Scores the test split with the best checkpoint, and prints the table."""
    if checkpoint is not None:  # not by trainer.test, which would load the weights that an average was made of
        module.load_state_dict(read(checkpoint)["state_dict"])
    else:
        module.net.load_state_dict(module.candidates[module.kept].state_dict())
    scores = score(trainer, module, datamodule)
    summary.update({"test": scores})
    if trainer.is_global_zero:
        print_result(scores, f"test: {len(datamodule.pairs('test'))} pictures")
    return scores


def _say_how_to_go_on(
    config: DictConfig, trainer: L.Trainer, datamodule: BaseDataModule, checkpoint: str | None, sheet: Path | None
) -> None:
    if datamodule.broken:
        count = len(datamodule.broken)
        told = (
            "1 photograph could not be used and was"
            if count == 1
            else f"{count} photographs could not be used and were"
        )
        log.warning("%s skipped", told)
    if checkpoint is not None:
        log.info("score it again: %s", command("evaluate", ckpt=shown(checkpoint)))
    if any(isinstance(logger, TensorBoardLogger) for logger in trainer.loggers):
        log.info("watch it: %s", shell("tensorboard", "--logdir", shown(config.paths.output_dir)))
    if sheet is not None:
        log.info("before and after: %s", shown(str(sheet)))


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
    known = ["val/loss", *(f"val/{column}" for column in COLUMNS)]
    if metric not in known:
        raise UserError(f"{node}.metric={metric} is not measured.{suggestion(metric, known)}")


def _check_monitors(config: DictConfig, terms: Sequence[str]) -> None:
    """Checks that what callbacks look at in a validation is measured in one; the terms are those that are on."""
    known = ["val/loss", *(f"val/{column}" for column in COLUMNS), *(f"val/loss_{name}" for name in terms)]
    for name, node in config.callbacks.items():
        monitor = None if node is None else node.get("monitor")
        if monitor is not None and monitor.startswith("val/") and monitor not in known:
            raise UserError(f"callbacks.{name}.monitor={monitor} is not measured.{suggestion(monitor, known)}")


def _best_checkpoint(trainer: L.Trainer) -> str | None:
    """Returns the path of the best checkpoint, None where the run kept none."""
    callback = trainer.checkpoint_callback
    return callback.best_model_path or None if isinstance(callback, ModelCheckpoint) else None
