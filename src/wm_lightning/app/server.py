"""Serves the page over HTTP, with an address that says whether it is alive."""

from __future__ import annotations

import hmac
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wm_lightning.errors import UserError

if TYPE_CHECKING:
    from gradio import Blocks
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Blobs and data are what the page itself makes of pictures. The browser then refuses whatever lies elsewhere.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; base-uri 'self'"
GRACE = 2  # seconds for answers that are under way when it ends


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


def keep_to_itself(folder: str) -> None:
    """Tells Gradio, before it is imported, to ask no other server and to keep its files in a folder.

    Proxies are set aside: what is asked is this machine alone, and a proxy does not know it.
    """
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_TEMP_DIR=folder)
    os.environ.update(NO_PROXY="*", no_proxy="*")


def keep_uploads_apart() -> None:
    """Gives each upload a place of its own.

    Gradio's is the hash of the content, so that two people who send the same picture would share one file, and the
    first whose page takes it away would take it from the other.

    Raises:
        RuntimeError: Gradio's class is not what it was.
    """
    from gradio import route_utils

    known = route_utils.GradioUploadFile
    if getattr(known, "apart", False):
        return

    class Apart(known):  # type: ignore[misc, valid-type]
        apart = True

        def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of Gradio
            super().__init__(*arguments, **options)
            if not hasattr(self, "sha"):
                raise RuntimeError("Gradio names uploads in another way; see wm_lightning.app.server")
            self.sha.update(os.urandom(16))

    route_utils.GradioUploadFile = Apart  # type: ignore[misc]


def answering(page: Blocks, password: str | None, max_bytes: int, **looks: Any) -> ASGIApp:  # noqa: ANN401
    """Returns the application: the page, and ``/health``, which needs no password.

    Args:
        page: Of Gradio.
        password: That is asked for, with any name; None asks for none.
        max_bytes: Of an uploaded file.
        **looks: ``theme``, ``css`` and ``i18n`` for Gradio.
    """
    import gradio
    from fastapi import FastAPI

    app = FastAPI(openapi_url=None)
    app.add_middleware(OnlyLocal)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    def known(name: str, given: str) -> bool:
        return password is not None and hmac.compare_digest(given.encode(), password.encode())

    keep_uploads_apart()
    mounted: ASGIApp = gradio.mount_gradio_app(
        app, page, path="/", auth=known if password is not None else None, max_file_size=max_bytes, footer_links=[],
        run_history=False, enable_monitoring=False, ssr_mode=False, mcp_server=False, pwa=False, **looks,
    )  # fmt: skip
    return mounted


@contextmanager
def running(app: ASGIApp, listening: socket.socket) -> Iterator[None]:
    """Answers in a thread of its own for as long as the context is open.

    Raises:
        UserError: It does not start.
    """
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="server")
    thread.start()
    try:
        while not server.started:
            thread.join(0.05)
            if not thread.is_alive():
                raise UserError("The server did not start; what is printed above says why.")
        yield
    finally:
        # Open pages listen to the end; uvicorn would print a trace for each that it cuts off.
        complaints = logging.getLogger("uvicorn.error")
        before = complaints.level
        complaints.setLevel(logging.CRITICAL)
        server.should_exit = True
        thread.join()
        complaints.setLevel(before)


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens; to any free port for 0.

    Raises:
        UserError: The port is taken, or the host is not this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # elsewhere it would share a port that is taken
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise UserError(
            f"--host {host} --port {port} cannot be served ({error.strerror or error}); give another --port, or 0 for "
            "any that is free."
        ) from error
    return listening
