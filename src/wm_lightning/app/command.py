"""``app.py`` and ``wm-app``: serves the page to a browser on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from wm_lightning.commands import add_trust, importing_from_here
from wm_lightning.errors import UserError, with_flags

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FAILED = 1
PORT = 7860
# Blobs and data are what the page itself makes of pictures. The browser then refuses whatever lies elsewhere.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; base-uri 'self'"


def serve(arguments: Sequence[str] | None = None) -> int:
    """Runs the command until it is interrupted; returns its exit status: 0, or 1 if the page cannot be served."""
    options = _parser().parse_args(arguments)
    try:
        if find_spec("gradio") is None:
            raise UserError('The page needs Gradio; install it with: pip install -e ".[app]"')
        with tempfile.TemporaryDirectory(prefix="wm-app-") as folder, importing_from_here(bool(options.trust)):
            _serve(options, Path(folder))
    except UserError as error:
        sentence = with_flags(error, vars(options))
        Console(stderr=True).print(f"error: {sentence}", markup=False, highlight=False, soft_wrap=True)
        return FAILED
    return 0


def main() -> None:
    """Entry point of ``app.py`` and ``wm-app``."""
    sys.exit(serve())


class OnlyLocal:
    """Middleware that forbids the browser to ask any other server for anything.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the policy to each answer."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, send_with_policy)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wm-app",
        description="Serves a web page that removes visible watermarks. Use it only on pictures you have the right to "
        "change.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve; default: this machine alone")
    parser.add_argument("--port", type=_port, default=PORT, help="default: %(default)s; 0: any that is free")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--weights", nargs="+", metavar="FILE", help="to choose from; default: those that come with this project"
    )
    add_trust(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where it runs")
    parser.add_argument("--engine", choices=("torch", "onnx"), default="torch", help="onnx needs no PyTorch")
    parser.add_argument(
        "--max-megapixels", type=_positive, default=100, help="of a picture; default: %(default)s"
    )  # fmt: skip
    parser.add_argument("--max-pictures", type=_count, default=50, help="at once; default: %(default)s")
    return parser


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} must be in 0..65535")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be greater than 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value


def _serve(options: argparse.Namespace, folder: Path) -> None:
    port = _free_port(options.host, options.port)
    from wm_lightning.app.work import Cleaner, shipped_weights

    weights = options.weights or shipped_weights()
    cleaner = Cleaner(weights, options.device, options.engine, options.max_megapixels, options.trust)
    # Read when Gradio is imported: no word of the page's use leaves this machine.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_TEMP_DIR=str(folder))
    from starlette.middleware import Middleware

    from wm_lightning.app.page import CSS, THEME, build
    from wm_lightning.app.sessions import Sessions

    page = build(cleaner, Sessions(folder), options.max_pictures)
    stopped = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, _setter(stopped))
    page.launch(
        server_name=options.host, server_port=port, inbrowser=options.open, prevent_thread_lock=True, share=False,
        quiet=True, footer_links=[], run_history=False, enable_monitoring=False, ssr_mode=False, mcp_server=False,
        pwa=False, max_file_size=cleaner.max_bytes, theme=THEME, css=CSS,
        app_kwargs={"middleware": [Middleware(OnlyLocal)]},
    )  # fmt: skip
    Console().print(f"The page is at {page.local_url}; stop it with Ctrl+C.", markup=False, soft_wrap=True)
    stopped.wait()
    page.close(verbose=False)


def _setter(event: threading.Event) -> Any:  # noqa: ANN401
    def handle(number: int, frame: FrameType | None) -> None:
        event.set()

    return handle


def _free_port(host: str, port: int) -> int:
    """Returns the port, or a free one for 0.

    Raises:
        UserError: It is taken, or not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            asked.bind(address)
            return int(asked.getsockname()[1])
    except OSError as error:
        raise UserError(
            f"--host {host} --port {port} cannot be served ({error.strerror or error}); give another --port, or 0 for "
            "any that is free."
        ) from error
