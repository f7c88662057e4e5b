import argparse
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from wm_lightning.app import command
from wm_lightning.app.command import serve

REPOSITORY = Path(__file__).parents[2]


# A page that has ended, while a thread is in the middle of something.
ENDED = """
import threading, time
from wm_lightning.app import command

def serve():
    threading.Thread(target=time.sleep, args=(3600,)).start()
    print("all is deleted")
    return 0

command.serve = serve
command.main()
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command; returns its status and its errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = serve(arguments)
        return status, capsys.readouterr().err

    return call


def test_without_gradio_it_says_how_to_install_it(run, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert run() == (1, "error: The page needs Gradio, which is not installed: pip install 'wm-lightning[app]'.\n")


def test_a_port_that_is_taken_is_named(run):
    pytest.importorskip("gradio")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = run("--port", str(port))
    assert status == 1
    assert said == (
        f"error: --host 127.0.0.1 --port {port} cannot be served (Address already in use); give another --port, or 0 "
        "for any that is free.\n"
    )


def test_a_host_that_is_not_this_machine_is_named(run):
    pytest.importorskip("gradio")
    status, said = run("--host", "192.0.2.1", "--port", "0")
    assert status == 1
    assert said.startswith("error: --host 192.0.2.1 --port 0 cannot be served (")
    assert len(said.splitlines()) == 1


def test_weights_that_are_missing_are_named(run):
    pytest.importorskip("gradio")
    status, said = run("--port", "0", "--weights", "general", "nowhere.safetensors")
    assert status == 1
    assert said.startswith("error: ")
    assert "nowhere.safetensors" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "70000"], "argument --port: 70000 must be in 0..65535"),
        (["--port", "x"], "argument --port: invalid port value: 'x'"),
        (["--max-megapixels", "0"], "argument --max-megapixels: 0 must be above 0"),
        (["--max-megapixels", "nan"], "argument --max-megapixels: nan must be above 0"),
        (["--max-minutes", "-1"], "argument --max-minutes: -1 must be above 0"),
        (["--max-pictures", "0"], "argument --max-pictures: 0 must be at least 1"),
        (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
    ],
)
def test_values_out_of_range_are_refused(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as end:
        serve(arguments)
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


def test_help_says_what_there_is_and_on_which_pictures_to_use_it(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["app.py", "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(REPOSITORY / "app.py"), run_name="__main__")
    assert end.value.code == 0
    told = capsys.readouterr().out
    for option in (
        "--host",
        "--port",
        "--open",
        "--password-file",
        "--max-minutes",
        "--weights",
        "--device",
        "--engine",
        "--max-megapixels",
    ):
        assert option in told
    assert "you have the right to change" in " ".join(told.split())


def test_a_password_that_is_not_there_is_named(run, tmp_path):
    pytest.importorskip("gradio")
    (tmp_path / "empty").write_text("\nsecond")
    status, said = run("--password-file", "nowhere")
    assert status == 1
    assert said.startswith("error: --password-file nowhere cannot be read (")
    assert run("--password-file", "empty") == (
        1, "error: --password-file empty begins with an empty line; write the password there.\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("host", "password", "warned"),
    [("0.0.0.0", None, True), ("0.0.0.0", "secret", False), ("127.0.0.1", None, False), ("localhost", None, False),
     ("::1", None, False), ("192.0.2.1", None, True)],
)  # fmt: skip
def test_other_machines_without_a_password_are_warned_of(capsys, host, password, warned):
    options = argparse.Namespace(host=host, open=False)
    command._announce(options, 8000, password)
    said = capsys.readouterr()
    assert ("--password-file FILE asks for a password" in said.err) == warned
    shown = {"0.0.0.0": "127.0.0.1", "::1": "[::1]"}.get(host, host)
    assert said.out == f"The page is at http://{shown}:8000; stop it with Ctrl+C.\n"


def test_only_this_machine_is_served_unless_asked():
    assert command._parser().parse_args([]).host == "127.0.0.1"


def test_a_page_that_has_ended_waits_for_no_thread():
    done = subprocess.run([sys.executable, "-c", ENDED], capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (0, "all is deleted\n", "")
