"""Runs a search: one training after another, each with values that the study suggests."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import traceback
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import optuna
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from wm_lightning.callbacks import NotFiniteError
from wm_lightning.commands import program, shell
from wm_lightning.errors import UserError
from wm_lightning.runner import check_objective, train
from wm_lightning.runner.configuration import check_config, plain
from wm_lightning.runner.explanations import explain, naming_keys
from wm_lightning.search.pruning import ReportEpochs
from wm_lightning.search.report import draw, print_trials, write_trials
from wm_lightning.search.space import corners, overrides, read_space, suggest
from wm_lightning.search.study import attempt_of, compare_settings, counted, held, is_shared, open_study, run_again

log = logging.getLogger(__name__)

FAILURES = 3  # in a row: the fault lies elsewhere than in one trial's values
INTERRUPTED = 130  # the shell's exit status after Ctrl-C


def search(config: DictConfig) -> None:
    """Brings a study to ``sweep.trials`` trials and reports them: ``sweep.csv``, a table, two pictures.

    Raises:
        UserError: The configuration or its space cannot be used, the study is another one, or trials fail in a row.
    """
    space = read_space(config)
    typed = _typed(space)
    _check(config, space, typed)
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # of trials that fail this project says it
    folder = Path(config.paths.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.nullcontext() if is_shared(config.sweep.storage) else held(folder):
        study = open_study(config, space, folder)
        compare_settings(study, typed)
        try:
            _run_trials(study, config, space, typed)
        except (KeyboardInterrupt, SystemExit) as stop:  # in a training, Lightning makes the second of the first
            log.warning(
                "search stopped at %d of %d trials; the same command goes on", counted(study), config.sweep.trials
            )
            raise SystemExit(stop.code if isinstance(stop, SystemExit) else INTERRUPTED) from None
        finally:
            print_trials(study, config.objective.metric, folder)
        draw(study, config.objective.metric, folder)
        if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            best = shell(*program("train"), *typed, *overrides(study.best_params))
            log.info("trial %d is the best; the same training: %s", study.best_trial.number, best)


def _run_trials(study: optuna.Study, config: DictConfig, space: dict[str, BaseDistribution], typed: list[str]) -> None:
    """Runs trials until the study has as many as were asked for."""
    sampler = instantiate(config.sweep.sampler)
    failures: list[str] = []  # in a row, of this search

    def objective(trial: optuna.Trial) -> float:
        try:
            value = _run_trial(trial, config, space, typed)
        except (KeyboardInterrupt, SystemExit) as stop:
            trial.set_user_attr("note", "stopped")
            run_again(study, trial, attempt_of(trial))  # a stop says nothing against the values
            # Which Optuna does not take for the end of a trial
            raise SystemExit(stop.code if isinstance(stop, SystemExit) else INTERRUPTED) from stop
        except optuna.TrialPruned:
            failures.clear()
            raise
        except Exception as error:
            failures.append(_note_failure(trial, error, Path(config.paths.output_dir, str(trial.number))))
            raise
        failures.clear()
        return value

    while counted(study) < config.sweep.trials:
        study.sampler = sampler(seed=_seed(study, config))
        try:
            study.optimize(objective, n_trials=1, catch=Exception)
        finally:
            write_trials(study, config.objective.metric, Path(config.paths.output_dir))
        if len(failures) == FAILURES:
            raise UserError(f"{FAILURES} trials in a row failed, the last with: {failures[-1]}")


def _seed(study: optuna.Study, config: DictConfig) -> int:
    """Returns what the next trial is drawn from.

    Each trial has a sampler of its own: a search that was stopped suggests what it would have without the stop. Of
    searches that share a study, each draws otherwise.
    """
    entropy = [config.sweep.seed, len(study.get_trials(deepcopy=False))]
    if is_shared(config.sweep.storage):
        entropy += [uuid.getnode(), os.getpid()]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _note_failure(trial: optuna.Trial, error: Exception, folder: Path) -> str:
    """Writes down why a trial failed; returns it in one sentence."""
    note = explain(error) or f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    trace = "".join(traceback.format_exception(error))
    (folder / "error.txt").write_text(trace, encoding="utf-8")
    trial.set_user_attr("note", note)
    log.error("trial %d failed: %s", trial.number, note)
    return note


def _run_trial(trial: optuna.Trial, config: DictConfig, space: dict[str, BaseDistribution], typed: list[str]) -> float:
    """Trains once; returns the objective.

    Raises:
        optuna.TrialPruned: It ended early, or without a number.
    """
    chosen = overrides({key: suggest(trial, key, distribution) for key, distribution in space.items()})
    done = counted(trial.study)
    log.info("trial %d (%d of %d): %s", trial.number, done + 1, config.sweep.trials, " ".join(chosen))
    folder, arguments = Path(config.paths.output_dir, str(trial.number)), [*typed, *chosen]
    (folder / ".hydra").mkdir(parents=True)
    run = _compose(arguments)
    run.paths.output_dir = str(folder)
    OmegaConf.save(run, folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(arguments), folder / ".hydra" / "overrides.yaml")
    monitor = config.sweep.monitor
    report = ReportEpochs(trial, monitor.metric, 1.0 if monitor.mode == config.objective.mode else -1.0)
    with _log_file(folder / "train.log"), naming_keys(run):
        try:
            value = train(run, callbacks=[report])
        except optuna.TrialPruned as pruned:
            note = str(pruned)
        except NotFiniteError:  # a bad trial, from which the sampler learns, and not a failed one
            note = "the loss became infinite or no number"
        else:
            if math.isfinite(value):
                return value
            note = f"{config.objective.metric} is {value}"
    trial.set_user_attr("note", note)
    log.info("trial %d: %s", trial.number, note)
    raise optuna.TrialPruned(note)


def _check(config: DictConfig, space: Mapping[str, BaseDistribution], typed: list[str]) -> None:
    """Finds what would fail in every trial before the study exists."""
    _check_run(config)
    if config.ckpt_path is not None:
        raise UserError(
            f"ckpt_path={config.ckpt_path}: each trial starts anew; weights=PATH gives all the same network."
        )
    devices = plain(config.trainer).get("devices", 1)
    if devices not in (1, "1") and not (isinstance(devices, list) and len(devices) == 1):
        raise UserError(f"trainer.devices={devices}: a search trains on one device; set trainer.devices=1.")
    for node in ("objective", "sweep.monitor"):
        check_objective(config, node)
        if (mode := OmegaConf.select(config, f"{node}.mode")) not in ("min", "max"):
            raise UserError(f"{node}.mode={mode} must be min or max.")
        weights = [key for key in space if key.startswith("loss.")]
        if OmegaConf.select(config, f"{node}.metric") == "val/loss" and weights:
            log.warning("%s.metric=val/loss does not compare between trials: %s changes its scale", node, weights[0])
    for key, least in (("trials", 1), ("seed", 0)):
        value = config.sweep[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(f"sweep.{key}={value} must be a whole number of at least {least}.")
    for values in corners(space):
        _check_run(_compose([*typed, *overrides(values)]))


def _check_run(config: DictConfig) -> None:
    if config.trainer.precision == "auto":  # each training settles it for itself
        config.trainer.precision = "32-true"
    check_config(config)


def _typed(space: Mapping[str, BaseDistribution]) -> list[str]:
    """Returns the overrides that trials take over from the command line."""
    typed = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    for override in typed:
        if override.key_or_group in space and not override.is_add():
            key = override.key_or_group
            raise UserError(f"{key} is both searched and set; drop {override.input_line} or add space.{key}=null.")
    return [str(entry.input_line) for entry in typed if entry.key_or_group.split(".")[0] not in ("sweep", "space")]


def _compose(arguments: list[str]) -> DictConfig:
    """Returns the configuration that ``wm-train`` would have."""
    run = compose(HydraConfig.get().job.config_name, overrides=arguments)
    with open_dict(run):
        del run["sweep"], run["space"]
    return run


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Writes what is logged to a file too, as ``wm-train`` does."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
