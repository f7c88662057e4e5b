"""Starts the page as typed, for tests that talk to it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def files_below(folder):
    """Finds files while others are deleted, which pathlib's globs do not stand."""
    return [Path(here) / name for here, _, names in os.walk(folder) for name in names]


class Server:
    """The page in a process of its own, whose temporary files lie in ``folder``."""

    def __init__(self, folder, *options, **environment):
        self.folder = folder
        # Tests may run where signals are ignored, as under nohup, which processes inherit.
        before = {kind: signal.signal(kind, signal.SIG_DFL) for kind in (signal.SIGHUP, signal.SIGINT)}
        with (folder / "errors.txt").open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", "0", "--device", "cpu", *options], cwd=REPOSITORY,
                env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "200", **environment},
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        for kind, handler in before.items():
            signal.signal(kind, handler)
        said = self.process.stdout.readline()
        assert said.startswith("The page is at http://127.0.0.1:"), said
        self.address = said.split()[4].rstrip("/;")

    def stop(self, kind=signal.SIGTERM):
        """Sends a signal; returns the exit status, what is left of its files, and how many traces it printed."""
        self.process.send_signal(kind)
        status = self.process.wait(timeout=300)
        self.process.stdout.close()
        traces = (self.folder / "errors.txt").read_text(encoding="utf-8").count("Traceback")
        return status, list(self.folder.glob("wm-app-*")), traces
