"""What a command's end tells: of its folder, and to the callbacks of a user."""

import errno
import os
from pathlib import Path

import pytest

from wm_lightning.runner.explanations import explain
from wm_lightning.runner.outcome import Outcome

CALLBACK = """
from hydra.experimental.callback import Callback

class Mine(Callback):
    def on_job_end(self, config, job_return, **kwargs):
        print("job", job_return.status.name)

    def on_run_end(self, config, job_return, **kwargs):
        print("run", job_return.status.name)
"""


def refused(name=None, kind=errno.EACCES):
    return OSError(kind, os.strerror(kind), *([] if name is None else [str(name)]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "outputs" / "run"
    monkeypatch.setattr(Outcome, "folder", folder)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("name", ["outputs", "outputs/run", "outputs/run/.hydra/config.yaml"])
def test_the_commands_folder_that_is_refused_is_one_sentence(folder, name):
    sentence = f"{name} cannot be used: Permission denied; choose another folder for what is written "
    assert explain(refused(name)).startswith(sentence)
    of_logging = ValueError("Unable to configure handler 'file'")
    of_logging.__cause__ = refused(name)
    assert explain(of_logging).startswith(sentence)


@pytest.mark.parametrize("name", [None, "photos/a.jpg", ".", 3])
def test_what_else_is_refused_keeps_its_trace(folder, name):
    assert explain(refused(name)) is None
    assert explain(refused(name, errno.EPERM)) is None


def test_no_command_has_no_folder():
    assert explain(refused("a")) is None


def test_what_stands_in_the_folders_way_is_named(command):
    Path("run/.hydra").mkdir(parents=True)
    Path("run/.hydra/config.yaml").mkdir()
    outcome = command("preview", "hydra.run.dir=run")
    assert outcome.status == 1
    assert outcome.err.endswith(
        "run/.hydra/config.yaml cannot be used: Is a directory; choose another folder for what is written "
        "(hydra.run.dir, hydra.sweep.dir of a multirun).\n"
    )
    Path("other/preview.log").mkdir(parents=True)
    assert "other/preview.log cannot be used: Is a directory; " in command("preview", "hydra.run.dir=other").err
    assert Outcome.folder is None


def test_callbacks_of_a_user_hear_that_the_only_job_failed(command):
    Path("mine.py").write_text(CALLBACK)
    outcome = command("preview", "count=0", "hydra.run.dir=run", "+hydra.callbacks.mine._target_=mine.Mine")
    assert outcome.status == 1
    assert outcome.out.splitlines()[-2:] == ["job FAILED", "run FAILED"]
    assert outcome.err.startswith("error: count=0 must be at least 1")
