"""What the user can put right, in one sentence: other errors keep their trace."""

from __future__ import annotations

import difflib
import errno
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException, MissingConfigException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.runner.configuration import parameters_of
from wm_lightning.trained.older import new_name

_OVERRIDE = re.compile(r"Could not override '\+?([^']+)'")
# How Lightning's EarlyStopping and ModelCheckpoint say that they wait for a figure in vain
_UNMEASURED = re.compile(r"(?:Early stopping conditioned on metric `|ModelCheckpoint\(monitor=')([\w/]+)")
# Below these, whatever is added is used
_OPEN = ("callbacks", "logger", "loss.terms", "space")
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
        if isinstance(error, MissingConfigException):
            told = told.replace("\n\nAvailable", f"{_close_choice(error)} Available", 1)
        return " ".join(told.split())
    return None


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
    if name and (others := _choices_with(group, key)):
        return f"{key}: {_chosen(group)} has no {name}; add {' or '.join(others)}."
    close = difflib.get_close_matches(key, _leaves(node._get_root(), ""), n=1)
    hint = f"did you mean {close[0]}?" if close else "`--cfg job` lists them all."
    more = f" (+{key}=VALUE adds one.)" if _takes(node, key) else ""
    return f"{key}: there is no such key; {hint}{more}"


def _choices_with(group: str, key: str) -> list[str]:
    """Returns the choices of a group, as typed, whose configuration has a key."""
    found = []
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        for file in sorted((CONF / group).glob("*.yaml")):
            choice = f"{group}={file.stem}"
            try:
                config = hydra.compose(_command(), overrides=[choice])
            except (HydraException, OmegaConfBaseException):  # no choice of this command
                continue
            names = list(_leaves(config.get(group), group))
            # A file without a constructor is what others are made of, and no choice.
            if key in names and any(name.endswith("._target_") for name in names):
                found.append(choice)
    return found


def _chosen(group: str) -> str:
    """Returns the choice that was made of a group, as typed."""
    typed = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    entries = OverridesParser.create().parse_overrides(typed)
    groups = [str(entry.input_line) for entry in entries if (CONF / entry.key_or_group).is_dir()]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            config = hydra.compose(_command(), overrides=groups, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException):  # a choice of one's own, or several
            return f"the chosen {group}"
    return f"{group}={config.hydra.runtime.choices.get(group) or 'null'}"


def _command() -> str:
    """Returns which configuration is that of this command."""
    started = Path(sys.argv[0]).stem
    return next((name for name in ("sweep", "evaluate", "preview") if name in started), "train")


def _takes(node: DictConfig, key: str) -> bool:
    """Says whether a key that is added to a node is used."""
    if "_target_" not in node:
        return any(key.startswith(f"{place}.") for place in _OPEN)
    try:
        parameters, takes_any = parameters_of(get_object(node["_target_"]))
    except (HydraException, ImportError, ValueError):  # told when it is built
        return False
    return takes_any or key.rsplit(".", 1)[-1] in parameters


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
