"""The commands that Hydra configures: said in a sentence where what they need is not installed."""

from __future__ import annotations

import sys

from wm_lightning.errors import UserError
from wm_lightning.extras import needing


def train() -> None:
    """Entry point of ``train.py`` and ``wm-train``."""
    _start("train")


def evaluate() -> None:
    """Entry point of ``evaluate.py`` and ``wm-evaluate``."""
    _start("evaluate")


def sweep() -> None:
    """Entry point of ``sweep.py`` and ``wm-sweep``."""
    _start("sweep")


def preview() -> None:
    """Entry point of ``preview.py`` and ``wm-preview``."""
    _start("preview")


def _start(command: str) -> None:
    try:
        with needing(f"wm-{command}"):
            from wm_lightning import cli
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    getattr(cli, command)()
