"""Trains and tests a model."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Checkpoint, LearningRateMonitor, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from wm_lightning.callbacks import Agreement, Beginning, ConfigInCheckpoint, RunDescription, RunSummary
from wm_lightning.commands import command, shell
from wm_lightning.data.datamodule import BaseDataModule
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import OtherLengthError, UserError
from wm_lightning.reports.table import print_result
from wm_lightning.runner.as_trained import needed
from wm_lightning.runner.build import ask_for_terms, build_module, prepare, say_skipped, score, shown
from wm_lightning.runner.checks import check_monitors, check_training
from wm_lightning.runner.configuration import plain
from wm_lightning.runner.examples import write_examples
from wm_lightning.runner.keys import Keys
from wm_lightning.runner.launched import build_trainer, check_launch, last_of_run
from wm_lightning.runner.loggers import log_hyperparameters, open_loggers
from wm_lightning.runner.processes import ending_with, one_job_for_processes
from wm_lightning.runner.resume import BestSoFar, Origin, rebuilt, settle_resume
from wm_lightning.runner.typed import command_to_go_on, typed
from wm_lightning.trained import load_state, read
from wm_lightning.trained.trust import packages_asked_for

log = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM  # the shell's exit status for a process that was told to end

# What TensorBoard's HParams page compares runs by.
HPARAM_SCORES = ("psnr", "ssim", "psnr_in", "psnr_out")

EXAMPLES = 12  # test pictures on the sheet that a training ends with

# Lightning's switches, and the callbacks beside which it refuses to be switched off
SWITCHES: dict[str, type[L.Callback]] = {"enable_progress_bar": ProgressBar, "enable_checkpointing": Checkpoint}


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
    check_launch(config)
    ask_for_terms(config, HydraConfig.get().overrides.task)
    config.ckpt_path = last_of_run(config) or config.ckpt_path
    origin = None if config.ckpt_path is None else settle_resume(config)
    prepare(config)
    check_training(config)
    with one_job_for_processes(), open_loggers(config) as loggers:
        run = _build(config, callbacks, loggers, origin)
        try:
            with ending_with(run.trainer):
                return _fit_and_report(config, run)
        except OtherLengthError as error:
            assert origin is not None
            reason = f"{error.worded(Keys(config).of)} (weights=PATH)"
            raise origin.refusal(reason) from error


class _Run(NamedTuple):
    """What a training is made of."""

    trainer: L.Trainer
    module: WatermarkRemoval
    datamodule: BaseDataModule
    summary: RunSummary


def _build(config: DictConfig, callbacks: Sequence[L.Callback], loggers: list[Logger], origin: Origin | None) -> _Run:
    """Builds everything, and compares it with the checkpoint that the run goes on from."""
    datamodule: BaseDataModule = instantiate(config.data)
    module = build_module(config, datamodule.target)
    check_monitors(config, module.loss.active)
    if config.weights is not None:
        load_state(module.net, config.weights)
    if origin is not None:
        origin.check_module(module)
    summary = RunSummary(str(Path(config.paths.output_dir) / "summary.json"))
    trainer = _build_trainer(config, summary, [*callbacks, _agreement(config, origin)], loggers)
    datamodule.setup()  # which may take minutes: what can be refused before is
    if origin is not None:
        origin.check_data(datamodule)
    if config.compile is not None:
        module.net.compile(mode=config.compile)
    return _Run(trainer, module, datamodule, summary)


def _agreement(config: DictConfig, origin: Origin | None) -> Agreement:
    begins = "nothing" if origin is None else f"step {origin.checkpoint['global_step']} of {origin.path}"
    return Agreement({"folder": Path(config.paths.output_dir).absolute(), "checkpoint that it goes on from": begins})


def _fit_and_report(config: DictConfig, run: _Run) -> float:
    """Trains, tests and says what came of it; returns the objective."""
    _fit(config, run)
    figures = run.summary.best()
    if not figures:
        raise UserError(
            "The training has ended before a validation that gave a number to choose the best checkpoint by; train "
            "longer (trainer.max_epochs, trainer.max_steps), or let the best checkpoint's monitor be another one."
        )
    best, checkpoint = float(figures[config.objective.metric]), _best_checkpoint(run.trainer)
    _summarise(config, run, best, checkpoint)
    tested = _test(run, checkpoint) if config.test else {}
    run.summary.update(_photographs(run.datamodule))  # the test may have met broken ones too
    scores = {f"test/{name}": tested[name] for name in HPARAM_SCORES if name in tested}
    log_hyperparameters(run.trainer.loggers, config, {f"best/{config.objective.metric}": best, **scores})
    if run.trainer.is_global_zero:
        folder, pairs = Path(config.paths.output_dir), run.datamodule.pairs("test")
        sheet = write_examples(run.module, run.trainer, pairs, EXAMPLES, folder) if tested else None
        _say_how_to_go_on(config, run, checkpoint, sheet)
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
    return build_trainer(config.trainer, callbacks=callbacks, logger=loggers or False)


def _fit(config: DictConfig, run: _Run) -> None:
    trainer = run.trainer
    try:
        trainer.fit(run.module, run.datamodule, ckpt_path=config.ckpt_path, weights_only=True)
    except SystemExit as stop:  # Lightning's answer to Ctrl-C and SIGTERM
        last, begun = Path(config.paths.output_dir) / "checkpoints" / "last.ckpt", typed()
        if last.is_file() and begun is not None:
            log.warning("stopped; go on with: %s", command_to_go_on(begun, str(last)))
        raise SystemExit(TERMINATED if isinstance(stop, SIGTERMException) else stop.code) from stop
    if trainer.max_epochs is not None and trainer.current_epoch < trainer.max_epochs:
        log.info("stopped early after %d epochs of %d", trainer.current_epoch, trainer.max_epochs)


def _summarise(config: DictConfig, run: _Run, best: float, checkpoint: str | None) -> None:
    run.summary.update(
        {
            "objective": {**plain(config.objective), "value": best},
            "checkpoint": checkpoint,
            "seed": config.seed,
            **_photographs(run.datamodule),
        }
    )


def _photographs(datamodule: BaseDataModule) -> dict[str, Any]:
    """Returns how many photographs were used, and which were not."""
    datamodule.gather_broken()
    datamodule.save_split()
    return {"photographs": datamodule.usable(), "photographs_skipped": sorted(datamodule.broken)}


def _test(run: _Run, checkpoint: str | None) -> dict[str, float]:
    """Scores the test split with the best checkpoint, and prints the table."""
    module = run.module
    if checkpoint is None:
        module.net.load_state_dict(module.candidates[module.kept].state_dict())
    elif run.trainer.is_global_zero:  # the other processes have them from this one when the test begins
        # Not by trainer.test, which would load the weights that an average was made of
        module.load_state_dict(read(checkpoint)["state_dict"])
    scores = score(run.trainer, module, run.datamodule)
    run.summary.update({"test": scores})
    if run.trainer.is_global_zero:
        print_result(scores, f"test: {run.datamodule.usable()['test']} pictures")
    return scores


def _say_how_to_go_on(config: DictConfig, run: _Run, checkpoint: str | None, sheet: Path | None) -> None:
    say_skipped(len(run.datamodule.broken))
    if checkpoint is not None:
        kept = rebuilt(config)
        trust = sorted(packages_asked_for([needed(kept), kept["own_metrics"]]))
        log.info(
            "score it again: %s", command("evaluate", ckpt=shown(checkpoint), **({"trust": trust} if trust else {}))
        )
    if any(isinstance(logger, TensorBoardLogger) for logger in run.trainer.loggers):
        log.info("watch it: %s", shell("tensorboard", "--logdir", shown(config.paths.output_dir)))
    if sheet is not None:
        log.info("before and after: %s", shown(str(sheet)))


def _best_checkpoint(trainer: L.Trainer) -> str | None:
    """Returns the path of the best checkpoint, None where the run kept none."""
    callback = trainer.checkpoint_callback
    return callback.best_model_path or None if isinstance(callback, ModelCheckpoint) else None
