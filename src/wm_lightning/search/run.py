"""Runs a search: one training after another, each with values that the study suggests."""

from __future__ import annotations

import contextlib
import logging
import math
import traceback
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
from wm_lightning.search.space import corners, overrides, read_space
from wm_lightning.search.study import attempt_of, compare_settings, counted, held, open_study, run_again

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
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = Path(config.paths.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
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
    folder = Path(config.paths.output_dir)
    sampler = instantiate(config.sweep.sampler)
    failures = 0
    while (done := counted(study)) < config.sweep.trials:
        # A sampler of its own for each trial: a search that was stopped suggests what it would have without the stop.
        entropy = np.random.SeedSequence([config.sweep.seed, len(study.get_trials(deepcopy=False))])
        study.sampler = sampler(seed=int(entropy.generate_state(1)[0]))
        trial = study.ask(space)
        chosen = overrides(trial.params)
        log.info("trial %d (%d of %d): %s", trial.number, done + 1, config.sweep.trials, " ".join(chosen))
        try:
            _run_trial(study, trial, config, [*typed, *chosen], folder / str(trial.number))
            failures = 0
        except (KeyboardInterrupt, SystemExit):
            trial.set_user_attr("note", "stopped")
            run_again(study, trial, attempt_of(trial))  # a stop says nothing against the values
            raise
        except Exception as error:
            failures += 1
            note = explain(error) or f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            trace = "".join(traceback.format_exception(error))
            (folder / str(trial.number) / "error.txt").write_text(trace, encoding="utf-8")
            trial.set_user_attr("note", note)
            study.tell(trial, state=TrialState.FAIL)
            log.error("trial %d failed: %s", trial.number, note)
            if failures == FAILURES:
                raise UserError(f"{FAILURES} trials in a row failed, the last with: {note}") from error
        finally:
            write_trials(study, config.objective.metric, folder)


def _run_trial(
    study: optuna.Study, trial: optuna.Trial, config: DictConfig, arguments: list[str], folder: Path
) -> None:
    """Trains once and tells the study how it went; errors are the caller's."""
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
                study.tell(trial, value)
                return
            note = f"{config.objective.metric} is {value}"
    trial.set_user_attr("note", note)
    study.tell(trial, state=TrialState.PRUNED)
    log.info("trial %d: %s", trial.number, note)


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
    """Returns the configuration that train.py would have."""
    run = compose(HydraConfig.get().job.config_name, overrides=arguments)
    with open_dict(run):
        del run["sweep"], run["space"]
    return run


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Writes what is logged to a file too, as train.py does."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
