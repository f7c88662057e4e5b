"""The commands: find the configuration, run, and turn what the user can put right into one sentence."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from wm_lightning.errors import UserError

# In an installed wheel the configuration lies inside the package, in a clone at the top.
_PACKAGED = Path(__file__).parent / "conf"
CONF = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "conf"


def train() -> None:
    """Entry point of ``train.py`` and ``wm-train``."""
    from wm_lightning.runner import train as run

    _command("train", run)


def evaluate() -> None:
    """Entry point of ``evaluate.py`` and ``wm-evaluate``."""
    from wm_lightning.runner import evaluate as run

    _command("evaluate", run)


def _command(name: str, run: Callable[[DictConfig], float | None]) -> None:
    wants_trace = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then lets errors through, and they are put in words here
    command = hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(run)
    try:
        command()
    except Exception as error:
        sentence = explain(error)
        if sentence is None or wants_trace:
            raise
        # One write, so that lines of parallel jobs do not mix.
        sys.stderr.write(f"error: {sentence}\n")
        sys.exit(1)


def explain(error: BaseException) -> str | None:
    """Returns an error the user can put right as one sentence, else None."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        cause = explain(error.__cause__)
        if cause is None and isinstance(error.__cause__, (ValueError, TypeError)):
            key = re.search(r"full_key: (\S+)", str(error))
            cause = f"{key.group(1)}: {error.__cause__}" if key else str(error.__cause__)
        return cause
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        lines = [line.strip() for line in str(error).splitlines()]
        told = [line for line in lines if line and not line.startswith(("full_key:", "object_type=", "To append"))]
        cause = error.__cause__
        detail = f" ({str(cause).splitlines()[0]})" if cause is not None and str(cause) and len(told) == 1 else ""
        return " ".join(told) + detail
    return None
