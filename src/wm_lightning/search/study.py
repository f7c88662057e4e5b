"""What a search remembers: the study in its storage, which outlives a stopped or killed command.

SQLite in a file is one search's, which a lock tells from a killed one. Another database, or Optuna's journal in a
folder that several machines see, is shared by as many searches as one likes.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from wm_lightning.errors import UserError
from wm_lightning.extras import EXTRAS, installing
from wm_lightning.search.space import describe

log = logging.getLogger(__name__)

# What counts as one of sweep.trials.
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
# A trial that ends its process each time, for example for lack of memory, is not tried for ever.
ATTEMPTS = 3
# How often a search says in a shared database that its trial lives, in seconds; after twice as long it does not.
HEARTBEAT = 60
JOURNAL = "journal:"


def is_shared(address: str) -> bool:
    """Tells whether several searches may work on a storage at once."""
    return not address.startswith("sqlite:")


def open_storage(address: str) -> BaseStorage:
    """Opens a storage; in a shared database, trials whose search was killed are run again by the others.

    Args:
        address: A database's URL, or ``journal:PATH`` of a file.

    Raises:
        UserError: It cannot be opened.
    """
    try:
        if address.startswith(JOURNAL):
            return JournalStorage(JournalFileBackend(address.removeprefix(JOURNAL)))
        if not is_shared(address):
            return RDBStorage(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            again = RetryHeartbeatStaleTrialCallback(max_retry=ATTEMPTS - 1)
            return RDBStorage(address, heartbeat_interval=HEARTBEAT, heartbeat_stale_trial_callback=again)
    except Exception as error:  # each database has exceptions of its own
        cause = error.__cause__ or error if isinstance(error, ImportError) else error  # Optuna's names no module
        reason = (str(cause).splitlines() or [type(cause).__name__])[0]
        extra = EXTRAS.get(getattr(cause, "name", ""))
        advice = f"; {installing(extra)}" if extra else ""
        raise UserError(f"sweep.storage={shown(address)} cannot be opened as a database: {reason}{advice}") from error


def shown(address: str) -> str:
    """Returns a storage's address without a password."""
    try:
        return make_url(address).render_as_string(hide_password=True)
    except ArgumentError:  # it is no URL
        return address


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps a second search out of the same folder; however this process ends, the folder is free again.

    A lock of SQLite belongs to a process. That of most versions of ``filelock`` is shared with forked loaders, which
    keep it for seconds after their search was killed.

    Raises:
        UserError: Another search holds it.
    """
    with contextlib.closing(sqlite3.connect(folder / "lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{folder} is in use by another search; wait for it or choose another sweep.name."
            ) from error
        yield


def open_study(config: DictConfig, space: Mapping[str, BaseDistribution], folder: Path) -> optuna.Study:
    """Opens the study of ``config.sweep``, or begins it.

    What a killed search left running is to be run again; in a shared storage it may be another search's.

    Raises:
        UserError: The database cannot be opened, or its study is another one than the configuration's.
    """
    settings = config.sweep
    study = optuna.create_study(
        storage=open_storage(settings.storage),
        study_name=str(settings.name),
        direction="maximize" if config.objective.mode == "max" else "minimize",
        pruner=optuna.pruners.NopPruner() if settings.pruner is None else instantiate(settings.pruner),
        load_if_exists=True,
    )
    terms = {f"objective.{key}": str(config.objective[key]) for key in ("metric", "mode")}
    _check_terms(study, {**terms, **{f"space.{key}": describe(space[key]) for key in space}}, settings)
    if not is_shared(settings.storage):
        _run_killed_again(study)
    folders = {path.name for path in folder.iterdir() if path.name.isdigit()}  # before others begin more
    if others := sorted(folders - {str(trial.number) for trial in study.get_trials(deepcopy=False)}):
        raise UserError(f"{folder / others[0]} is a trial of another study; move it or choose another sweep.name.")
    return study


def _run_killed_again(study: optuna.Study) -> None:
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        attempt = attempt_of(trial)
        if attempt < ATTEMPTS:
            log.warning("trial %d was killed; its values are tried again", trial.number)
            run_again(study, trial, attempt + 1)
        else:
            log.warning("trial %d was killed, as all %d attempts at its values", trial.number, attempt)
            study.tell(trial.number, state=TrialState.FAIL)


def run_again(study: optuna.Study, trial: Trial | FrozenTrial, attempt: int) -> None:
    """Marks an unfinished trial as failed and puts its values first in the queue, as their n-th attempt.

    Where one search has the study to itself, its lock says at once that nobody runs the trial; Optuna's own retry,
    which a shared database has, waits until a heartbeat is old. A stop is no attempt.
    """
    study.enqueue_trial(trial.params, user_attrs={"attempt": attempt})
    study.tell(trial.number, state=TrialState.FAIL)


def attempt_of(trial: Trial | FrozenTrial) -> int:
    """Returns which attempt at its values a trial is, counted from 1."""
    return int(trial.user_attrs.get("attempt", 1))


def compare_settings(study: optuna.Study, settings: list[str]) -> None:
    """Warns where a study goes on with other settings, which its earlier trials did not have."""
    known = study.user_attrs.get("settings")
    if known is None:
        study.set_user_attr("settings", settings)
    elif sorted(known) != sorted(settings):
        log.warning("the study was begun with other settings: %s", " ".join(known) or "none")


def counted(study: optuna.Study) -> int:
    """Returns how many trials the study has of those asked for."""
    return len(study.get_trials(deepcopy=False, states=COUNTED))


def _check_terms(study: optuna.Study, terms: dict[str, str], settings: DictConfig) -> None:
    """Trials compare only where space and objective are the same; Optuna itself would mix them."""
    known: dict[str, Any] | None = study.user_attrs.get("terms")
    where = f"the study {settings.name} in {shown(settings.storage)}"
    if known is None and study.get_trials(deepcopy=False):
        raise UserError(f"sweep.storage: {where} was not made by wm-sweep; choose another sweep.name.")
    if known is None:
        study.set_user_attr("terms", terms)
    elif changed := sorted(key for key in {*known, *terms} if known.get(key) != terms.get(key)):
        key = changed[0]
        before, now = (f"with {of[key]}" if key in of else "without it" for of in (known, terms))
        raise UserError(f"{key}: {where} was begun {before}, now {now}; undo this or choose another sweep.name.")
