"""Searches that share a study: several commands alike, of which one is killed."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import pytest

from tests.processes import start_script
from wm_lightning.errors import UserError
from wm_lightning.search.study import open_storage, shown

# A stand-in for the training; one that is to hang says that it does.
DRIVER = """
import os, time
from pathlib import Path
import wm_lightning.search.run as run
import wm_lightning.search.study as study
from wm_lightning import cli

def train(config, callbacks=()):
    if "HANG" in os.environ:
        Path("hanging").touch()
        time.sleep(600)
    time.sleep(0.3)
    return -abs(config.loss.alpha - 0.5)

study.HEARTBEAT, run.train = 1, train
cli.sweep()
"""


@pytest.fixture(scope="module")
def postgres():
    """The address of a PostgreSQL server that is there for these tests alone."""
    pytest.importorskip("pg8000", reason="pg8000 is not installed, which a PostgreSQL database needs")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp())
    server = {"user": "nobody", "extra_groups": []} if os.getuid() == 0 else {}  # it refuses to be run by root
    if server:
        shutil.chown(folder, "nobody")
    options = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **server}
    subprocess.run([programs[-1] / "initdb", "-D", "data", "-U", "tests", "--no-sync"], check=True, **options)
    words = ["-D", "data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with subprocess.Popen([programs[-1] / "postgres", *words], **options) as running:
        while not (folder / ".s.PGSQL.5432").exists():
            assert running.poll() is None
            time.sleep(0.1)
        yield f"postgresql+pg8000://tests@/postgres?unix_sock={folder}/.s.PGSQL.5432"
        running.send_signal(signal.SIGINT)  # SIGTERM would wait for those who are connected
    shutil.rmtree(folder)


def start(arguments):
    script = Path("driver.py").absolute()
    script.write_text(DRIVER)
    return start_script(script, arguments, Path.cwd())


@pytest.mark.parametrize("kind", ["postgres", "journal"])
def test_searches_share_a_study_and_lose_no_trial_when_one_is_killed(command, monkeypatch, request, kind):
    storage = request.getfixturevalue("postgres") if kind == "postgres" else f"journal:{Path.cwd()}/study.log"
    arguments = ("space=none", "+space.loss.alpha={low: 0, high: 1}", f"sweep.storage='{storage}'", "sweep.trials=6")
    with monkeypatch.context() as patch:
        patch.setenv("HANG", "1")
        killed = start(arguments)
    until = time.monotonic() + 600
    while not Path("hanging").exists():
        assert killed.exitcode is None
        assert time.monotonic() < until
        time.sleep(0.1)
    killed.kill()
    killed.join()
    searches = [start(arguments), start(arguments)]
    for search in searches:
        search.join(600)
    assert [search.exitcode for search in searches] == [0, 0]

    outcome = command("sweep", *arguments)  # which has nothing left to do, and reports
    assert outcome.status == 0, outcome.err
    trials = optuna.load_study(study_name="none", storage=open_storage(storage)).trials
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert len(complete) in (6, 7)  # the other one may have been in the middle of its last
    with Path("outputs/sweep/none/sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(row["trial"]) for row in rows) == list(range(len(trials)))
    assert [row["state"] for row in rows[: len(complete)]] == ["complete"] * len(complete)
    assert all(Path("outputs/sweep/none", str(trial.number), ".hydra").is_dir() for trial in complete)
    values = [trial.params["loss.alpha"] for trial in complete]
    assert len(set(values)) == len(values)
    if kind == "postgres":  # a journal has no heartbeats: what was killed stays as it was, and another takes its place
        assert trials[0].state.name == "FAIL"
        assert trials[0].params["loss.alpha"] in values
    else:
        assert trials[0].state.name == "RUNNING"


def test_a_database_whose_package_is_missing_is_told_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pg8000", None)
    sentence = r"^sweep\.storage=postgresql\+pg8000://me:\*\*\*@host/db cannot be .*; pip install '.*\[postgres\]'$"
    with pytest.raises(UserError, match=sentence):
        open_storage("postgresql+pg8000://me:secret@host/db")


def test_an_address_is_shown_without_its_password():
    assert shown("postgresql+pg8000://me:secret@host/db") == "postgresql+pg8000://me:***@host/db"
    assert shown("journal:study.log") == "journal:study.log"
