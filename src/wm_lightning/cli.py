"""The commands: find the configuration, run, and turn what the user can put right into one sentence."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator

import hydra
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, OmegaConfBaseException

from wm_lightning.errors import UserError
from wm_lightning.files import own_folder

_FULL_ERROR = "HYDRA_FULL_ERROR"
_OVERRIDE = re.compile(r"Could not override '\+?([^']+)'")

CONF = own_folder("conf", packaged="conf")


def train() -> None:
    """Entry point of ``train.py`` and ``wm-train``."""
    from wm_lightning.runner import train as run

    _command("train", run)


def evaluate() -> None:
    """Entry point of ``evaluate.py`` and ``wm-evaluate``."""
    from wm_lightning.runner import evaluate as run

    _command("evaluate", run)


def sweep() -> None:
    """Entry point of ``sweep.py`` and ``wm-sweep``."""
    _command("sweep", _search)


def preview() -> None:
    """Entry point of ``python -m wm_lightning.data.synthesis.preview``."""
    from wm_lightning.runner import preview as run

    _command("preview", run)


def _search(config: DictConfig) -> None:
    try:
        from wm_lightning.search import search
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise UserError('Optuna is not installed, which a search needs: pip install -e ".[sweep]"') from error
    search(config)


def _command(name: str, run: Callable[[DictConfig], float | None]) -> None:
    wanted = os.environ.get(_FULL_ERROR)
    os.environ[_FULL_ERROR] = "1"  # Hydra then lets errors through, and they are put in words here
    command = hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(run)
    try:
        command()
    except Exception as error:
        sentence = explain(error)
        if sentence is None or wanted == "1":
            raise
        # One write, so that lines of parallel jobs do not mix.
        sys.stderr.write(f"error: {sentence}\n")
        sys.exit(1)
    finally:
        if wanted is None:
            del os.environ[_FULL_ERROR]


def explain(error: BaseException) -> str | None:
    """Returns an error the user can put right as one sentence, else None."""
    if isinstance(error, UserError):
        # From a loader's process it comes with that process's trace, and the sentence last.
        return str(error).rsplit("UserError: ", 1)[-1].strip()
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return explain(error.__cause__) or _of_constructor(error, error.__cause__)
    if isinstance(error, ConfigCompositionException) and (key := _OVERRIDE.search(str(error))):
        return _of_override(key.group(1), error.__cause__)
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        told = str(error).split("Config search path", 1)[0].split("\n    full_key:", 1)[0]
        return " ".join(told.split())
    return None


def _of_override(key: str, cause: BaseException | None) -> str:
    """Words an override that the configuration did not take."""
    if not isinstance(cause, ConfigAttributeError):
        return f"{key}: {str(cause).splitlines()[0] if cause else 'cannot be changed'}."
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        known = [name for command in ("sweep", "evaluate", "preview") for name in _leaves(hydra.compose(command), "")]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`--cfg job` lists them all."
    return f"{key}: there is no such key; {hint} (+{key}=VALUE adds one.)"


def _leaves(node: object, path: str) -> Iterator[str]:
    if not isinstance(node, DictConfig):
        yield path
        return
    for key in map(str, node):
        value = None if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key) else node[key]
        yield from _leaves(value, f"{path}.{key}" if path else key)


def _of_constructor(error: InstantiationException, cause: BaseException) -> str | None:
    """Words what a constructor refused, with the key Hydra was building; other kinds of error are bugs."""
    if not isinstance(cause, (ValueError, TypeError)):
        return None
    key = re.search(r"full_key: (\S+)", str(error))
    sentence = " ".join(str(cause).split())
    return f"{key.group(1)}: {sentence}" if key else sentence
