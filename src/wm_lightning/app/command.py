"""``app.py`` and ``wm-app``: serves the page to a browser on this machine."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from rich.console import Console

from wm_lightning.app.server import answering, keep_to_itself, listen, running
from wm_lightning.commands import add_trust, amount, as_word, count, importing_from_here
from wm_lightning.errors import UserError, with_flags
from wm_lightning.extras import installing
from wm_lightning.inference.choices import ENGINES

FAILED = 1
PORT = 7860
PATIENCE = 60  # seconds for jobs to notice that the command ends


def serve(arguments: Sequence[str] | None = None) -> int:
    """Runs the command until it is interrupted; returns its exit status: 0, or 1 if the page cannot be served."""
    options = _parser().parse_args(arguments)
    try:
        if find_spec("gradio") is None:
            raise UserError(f"The page needs Gradio, which is not installed: {installing('app')}.")
        with (
            _stopped_by_signals(),
            tempfile.TemporaryDirectory(prefix="wm-app-") as folder,
            importing_from_here(bool(options.trust)),
        ):
            _serve(options, Path(folder))
    except UserError as error:
        sentence = with_flags(error, vars(options))
        Console(stderr=True).print(f"error: {sentence}", markup=False, highlight=False, soft_wrap=True)
        return FAILED
    return 0


def main() -> None:
    """Entry point of ``app.py`` and ``wm-app``."""
    if status := serve():
        sys.exit(status)
    # All is closed and deleted. Python would now wait for every thread, and take apart object by object all that was
    # imported: on a loaded machine as long again as the rest of the end, and systems that shut down do not wait long.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wm-app",
        description="Serves a web page that removes visible watermarks. Use it only on pictures you have the right to "
        "change.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve; default: this machine alone")
    parser.add_argument("--port", type=port, default=PORT, help="default: %(default)s; 0: any that is free")
    parser.add_argument("--password-file", type=as_word, metavar="FILE", help="asks for the password in its first line")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--weights",
        nargs="+",
        type=as_word,
        metavar="FILE",
        help="to choose from; default: those that come with this project",
    )
    add_trust(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where it runs")
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="default: torch where it is installed, else onnx"
    )
    parser.add_argument("--max-megapixels", type=amount, default=100, help="of a picture; default: %(default)s")
    parser.add_argument("--max-minutes", type=amount, default=30, help="for a picture; default: %(default)s")
    parser.add_argument("--max-pictures", type=count, default=50, help="at once; default: %(default)s")
    return parser


def port(text: str) -> int:
    """Reads a port; argparse shows this name where it is none."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} must be in 0..65535")
    return value


def _serve(options: argparse.Namespace, folder: Path) -> None:
    password = _password(options.password_file)
    with closing(listen(options.host, options.port)) as listening:
        from wm_lightning.app.work import Cleaner, shipped_weights

        weights = options.weights or shipped_weights()
        limits = options.max_megapixels, options.max_minutes
        cleaner = Cleaner(weights, options.device, options.engine, *limits, options.trust)
        keep_to_itself(str(folder))
        from wm_lightning.app.page import CSS, THEME, build, translations
        from wm_lightning.app.sessions import Sessions

        sessions = Sessions(folder)
        page = build(cleaner, sessions, options.max_pictures)
        app = answering(page, password, cleaner.max_bytes, theme=THEME, css=CSS, i18n=translations())
        with running(app, listening):
            try:
                _announce(options, listening.getsockname()[1], password)
                threading.Event().wait()  # for a signal
            finally:
                sessions.close(PATIENCE)


def _announce(options: argparse.Namespace, port: int, password: str | None) -> None:
    anywhere = options.host in ("", "0.0.0.0", "::")
    host = "127.0.0.1" if anywhere else options.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    Console().print(f"The page is at {address}; stop it with Ctrl+C.", markup=False, soft_wrap=True)
    if password is None and (anywhere or not _is_this_machine(options.host)):
        Console(stderr=True).print(
            f"warning: with --host {options.host} everyone in the network can use the page; --password-file FILE asks "
            "for a password.", markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if options.open:
        webbrowser.open(address)


def _is_this_machine(host: str) -> bool:
    address = socket.getaddrinfo(host, None)[0][4][0]
    return ipaddress.ip_address(str(address).split("%")[0]).is_loopback


def _password(file: str | None) -> str | None:
    """Returns the first line of a file.

    Raises:
        UserError: It cannot be read, or its first line is empty.
    """
    if file is None:
        return None
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--password-file {file} cannot be read ({error}); give a text file.") from error
    if not lines or not lines[0].strip():
        raise UserError(f"--password-file {file} begins with an empty line; write the password there.")
    return lines[0].strip()


class _StoppedError(Exception):
    """A signal asks the command to end."""


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Ends what runs inside in good order when the command is interrupted, ended or its terminal closed."""

    def stop(number: int, frame: FrameType | None) -> None:
        for kind in kinds:
            signal.signal(kind, signal.SIG_IGN)  # a second one would leave pictures behind
        raise _StoppedError

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is unknown to Windows
    every = [getattr(signal, name) for name in names if hasattr(signal, name)]
    kinds = [kind for kind in every if signal.getsignal(kind) is not signal.SIG_IGN]  # as nohup has it
    before = {kind: signal.signal(kind, stop) for kind in kinds}
    try:
        yield
    except _StoppedError:
        pass
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
