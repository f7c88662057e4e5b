"""What a search found: a table of its trials and two pictures."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as pictures

from wm_lightning.runner.sweep_table import print_table, write_table

log = logging.getLogger(__name__)

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def collect_trials(study: optuna.Study, metric: str, folder: Path) -> list[dict[str, Any]]:
    """Returns a row for each trial that began, the best objective first, then pruned and failed ones."""
    sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
    order = list(STATES)
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in STATES]
    keys = sorted({key for trial in trials for key in trial.params})
    complete = TrialState.COMPLETE

    def rank(trial: FrozenTrial) -> tuple[int, float]:
        return order.index(trial.state), sign * trial.values[0] if trial.state == complete else trial.number

    return [_row(trial, keys, metric, folder / str(trial.number)) for trial in sorted(trials, key=rank)]


def write_trials(study: optuna.Study, metric: str, folder: Path) -> list[dict[str, Any]]:
    """Writes ``sweep.csv``; returns its rows."""
    rows = collect_trials(study, metric, folder)
    if rows:
        write_table(rows, folder / "sweep.csv", tuple(rows[0]))
    return rows


def print_trials(study: optuna.Study, metric: str, folder: Path) -> None:
    """Writes ``sweep.csv`` and prints it as a table."""
    if rows := write_trials(study, metric, folder):
        print_table(rows, f"{len(rows)} trials in {folder}", tuple(rows[0]))
        log.info("written: %s", folder / "sweep.csv")


def draw(study: optuna.Study, metric: str, folder: Path) -> None:
    """Writes ``parallel_coordinates.png`` and ``importance.png``, as far as there are trials enough."""
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 2:
        log.info("no pictures: they need two complete trials")
        return
    plt.switch_backend("agg")  # also where there is no screen
    with warnings.catch_warnings(), plt.style.context("default"):
        warnings.simplefilter("ignore", ExperimentalWarning)
        pictures.plot_parallel_coordinate(study, target_name=metric)
        _save(folder / "parallel_coordinates.png", width=3.0 + 1.6 * len(study.best_params))
        try:
            pictures.plot_param_importances(study, PedAnovaImportanceEvaluator(), target_name=metric)
        except (ValueError, RuntimeError) as error:  # for example where all trials are equally good
            plt.close()
            log.info("no importance.png: %s", error)
        else:
            _save(folder / "importance.png", width=8.0)


def _save(path: Path, width: float) -> None:
    figure = plt.gcf()
    figure.set_size_inches(max(width, 8.0), 5.0)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
    log.info("written: %s", path)


def _row(trial: FrozenTrial, keys: list[str], metric: str, folder: Path) -> dict[str, Any]:
    file = folder / "summary.json"
    summary = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    test = summary.get("test", {})
    row = {
        "trial": trial.number,
        "state": STATES[trial.state],
        **{key: trial.params.get(key) for key in keys},
        metric: trial.values[0] if trial.state == TrialState.COMPLETE else None,
        "test psnr": test.get("psnr"),
        "test psnr_input": test.get("psnr_input"),
        "epochs": len(summary.get("history", [])) or None,
        "minutes": summary.get("training_time_min"),
        "note": trial.user_attrs.get("note", "killed" if trial.state == TrialState.FAIL else ""),
    }
    return {key: "" if value is None else value for key, value in row.items()}
