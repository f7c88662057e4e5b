"""What the user can put right, in one sentence: other errors keep their trace."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterator

import hydra
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, OmegaConfBaseException

from wm_lightning.errors import UserError
from wm_lightning.files import CONF

_OVERRIDE = re.compile(r"Could not override '\+?([^']+)'")
# How Lightning's EarlyStopping and ModelCheckpoint say that they wait for a figure in vain
_UNMEASURED = re.compile(r"(?:Early stopping conditioned on metric `|ModelCheckpoint\(monitor=')([\w/]+)")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explain(error: BaseException) -> str | None:
    """Returns an error the user can put right as one sentence, else None."""
    if isinstance(error, UserError):
        # From a loader's process it comes with that process's trace, and the sentence last.
        return str(error).rsplit("UserError: ", 1)[-1].strip()
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" to {error.filename}" if error.filename else ""
        return (
            f"Nothing more can be written{where}: {error.strerror}; free some space and go on with the same command "
            "and ckpt_path=last."
        )
    if found := _UNMEASURED.match(str(error)):
        return (
            f"{found.group(1)}, which a callback looks at, was not measured: the loss left its term out, or the "
            "training ended before a validation; look at another figure, or train longer."
        )
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
