"""What the user can put right, in one sentence: other errors keep their trace."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException, MissingConfigException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from wm_lightning.errors import NamingError, UserError
from wm_lightning.runner.configuration import parameters_of
from wm_lightning.runner.groups import choices_with, chosen, leaves
from wm_lightning.runner.keys import Keys
from wm_lightning.runner.outcome import Outcome
from wm_lightning.trained.older import new_name

_BUILT = re.compile(r"full_key: (\S+)")
_OF_LOADER = "Caught "  # how PyTorch hands on what was raised in a process of its own
_RAISED = re.compile(r"^(?:\w+\.)+\w*Error: ", re.MULTILINE)
_SET = re.compile(r"(?<![\w./])\w+(?==)")
_OVERRIDE = re.compile(r"Could not override '\+?([^']+)'")
_SOURCE = re.compile(r"\[/[^\]]*\] ?")  # which line of Gloo's code an error is from
# How Lightning's EarlyStopping and ModelCheckpoint say that they wait for a figure in vain
_UNMEASURED = re.compile(r"(?:Early stopping conditioned on metric `|ModelCheckpoint\(monitor=')([\w/]+)")
# Below these, whatever is added is used
_OPEN = ("callbacks", "logger", "loss.terms", "own_metrics", "space")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


@contextmanager
def naming_keys(config: DictConfig) -> Iterator[None]:
    """Puts a configuration's keys in the places of arguments that an error names.

    Raises:
        UserError: What the user can put right was raised inside, and named arguments or was raised by a constructor.
    """
    try:
        yield
    except (NamingError, InstantiationException) as error:
        sentence = explain(error, config)
        if sentence is None:
            raise
        raise UserError(sentence) from error


def explain(error: BaseException, config: DictConfig | None = None) -> str | None:
    """Returns an error the user can put right as one sentence, else None.

    Args:
        error: What was raised.
        config: Whose keys take the places of arguments; None leaves them as they are.
    """
    return _explained(error, Keys(OmegaConf.create() if config is None else config))


def _explained(error: BaseException, keys: Keys) -> str | None:
    if isinstance(error, UserError):
        return _of_user(error, keys)
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" to {error.filename}" if error.filename else ""
        return (
            f"Nothing more can be written{where}: {error.strerror}; free some space and go on with the same command "
            "and ckpt_path=last."
        )
    if sentence := _of_folder(error) or _of_folder(error.__cause__):  # logging has one for a cause
        return sentence
    if _is_of_another_process(error):
        reason = _SOURCE.sub("", " ".join(str(error).split(". ")[0].split()))
        return (
            f"Another process of this run has ended, or did not answer in time ({reason}); what it printed says why. "
            "Go on from the last checkpoint: the same command and ckpt_path=last."
        )
    if found := _UNMEASURED.match(str(error)):
        return (
            f"{found.group(1)}, which a callback looks at, was not measured: the loss left its term out, or the "
            "training ended before a validation; look at another figure, or train longer."
        )
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        built = _BUILT.search(str(error))
        inside = keys.building_of(built[1]) if built else keys
        return _explained(error.__cause__, inside) or _of_constructor(error.__cause__, inside.building)
    if isinstance(error, ConfigCompositionException) and (key := _OVERRIDE.search(str(error))):
        return _of_override(key.group(1), error.__cause__)
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        told = str(error).split("Config search path", 1)[0].split("\n    full_key:", 1)[0]
        if isinstance(error, MissingConfigException):
            told = told.replace("\n\nAvailable", f"{_close_choice(error)} Available", 1)
        return " ".join(told.split())
    return None


def _of_folder(error: BaseException | None) -> str | None:
    """Words what the system refuses in the command's folder; what else it refuses may be no question of a place."""
    if not isinstance(error, OSError) or error.errno not in _REFUSED:
        return None
    if not isinstance(error.filename, str | bytes) or not Outcome.is_where_it_writes(error.filename):
        return None
    return (
        f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}; choose another folder for what is written "
        "(hydra.run.dir, hydra.sweep.dir of a multirun)."
    )


def _is_of_another_process(error: BaseException) -> bool:
    """Says whether PyTorch lost another process; what Gloo tells has no class of its own."""
    if not isinstance(error, RuntimeError) or not torch.distributed.is_available():
        return False
    return isinstance(error, torch.distributed.DistError) or "/gloo/" in str(error)


def _of_user(error: UserError, keys: Keys) -> str:
    """Words what this project raised."""
    sentence = error.worded(keys.of)
    if not sentence.startswith(_OF_LOADER):
        return sentence
    # From a loader's process it comes as text: that process's trace, and the sentence last, in which no name is marked.
    last = _RAISED.split(sentence)[-1].strip()
    return _SET.sub(lambda name: keys.of(name[0]), last) if isinstance(error, NamingError) else last


def _close_choice(error: MissingConfigException) -> str:
    """Returns what ends the sentence that a group has no such choice."""
    missing = str(error.missing_cfg_file).rsplit("/", 1)[-1]
    close = difflib.get_close_matches(missing, error.options or (), n=1)
    return f"; did you mean {close[0]}?" if close else "."


def _of_override(key: str, cause: BaseException | None) -> str:
    """Words an override that the configuration did not take."""
    if not isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        return f"{key}: {str(cause).splitlines()[0] if cause else 'cannot be changed'}."
    node = cause.parent_node
    assert isinstance(node, DictConfig)
    if new := new_name(key):
        return f"{key} is called {new} now."
    group, _, name = key.partition(".")
    if name and (others := choices_with(group, key)):
        return f"{key}: {chosen(group)} has no {name}; add {' or '.join(others)}."
    root = node._get_root()
    close = difflib.get_close_matches(key, [*map(str, root), *leaves(root)], n=1)
    hint = f"did you mean {close[0]}?" if close else "`--cfg job` lists them all."
    more = f" (+{key}=VALUE adds one.)" if _takes(node, key) else ""
    return f"{key}: there is no such key; {hint}{more}"


def _takes(node: DictConfig, key: str) -> bool:
    """Says whether a key that is added to a node is used."""
    if "_target_" not in node:
        return any(key.startswith(f"{place}.") for place in _OPEN)
    try:
        parameters, takes_any = parameters_of(get_object(node["_target_"]))
    except (HydraException, ImportError, ValueError):  # told when it is built
        return False
    return takes_any or key.rsplit(".", 1)[-1] in parameters


def _of_constructor(cause: BaseException, building: str) -> str | None:
    """Words what a constructor refused, with the key Hydra was building; other kinds of error are bugs."""
    if not isinstance(cause, (ValueError, TypeError)):
        return None
    sentence = " ".join(str(cause).split())
    return f"{building}: {sentence}" if building else sentence
