"""The groups of a command's configuration: what can be chosen, here, in plugins and in folders that were named."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from wm_lightning.commands import override
from wm_lightning.files import CONF

_SEARCH_PATH = "hydra.searchpath"


def choices_with(group: str, key: str) -> list[str]:
    """Returns the choices of a group, as typed, whose configuration has a key."""
    found = []
    with _loader() as loader:
        for name in sorted(loader.get_group_options(group, config_name=_command(), overrides=_more_folders())):
            choice = f"{group}={name}"
            try:
                config = hydra.compose(_command(), overrides=[choice, *_more_folders()])
            except (HydraException, OmegaConfBaseException):  # no choice of this command
                continue
            names = list(leaves(config.get(group), group))
            # A file without a constructor is what others are made of, and no choice.
            if key in names and any(name.endswith("._target_") for name in names):
                found.append(choice)
    return found


def chosen(group: str) -> str:
    """Returns the choice that was made of a group, as typed."""
    command, folders = _command(), _more_folders()
    with _loader() as loader:
        groups = [
            str(entry.input_line)
            for entry in _typed()
            if loader.get_group_options(entry.key_or_group, config_name=command, overrides=folders)
        ]
        try:
            config = hydra.compose(command, overrides=[*groups, *folders], return_hydra_config=True)
        except (HydraException, OmegaConfBaseException):  # several, or one that this command does not have
            return f"the chosen {group}"
    return f"{group}={config.hydra.runtime.choices.get(group) or 'null'}"


def leaves(node: object, path: str = "") -> Iterator[str]:
    """Yields the full keys of all values at a node, whose own key is given; an interpolation is one."""
    if not isinstance(node, DictConfig):
        yield path
        return
    for key in map(str, node):
        value = None if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key) else node[key]
        yield from leaves(value, f"{path}.{key}" if path else key)


@contextmanager
def _loader() -> Iterator[ConfigLoader]:
    """Opens what finds configuration files; installed plugins are asked too."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def _command() -> str:
    """Returns which configuration is that of this command."""
    started = Path(sys.argv[0]).stem
    return next((name for name in ("sweep", "evaluate", "preview") if name in started), "train")


def _typed() -> list[Override]:
    words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    return OverridesParser.create().parse_overrides(words)


def _more_folders() -> list[str]:
    """Returns what names the folders that the command line adds to where files are looked for."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    named = parser.parse_known_args(sys.argv[1:])[0].config_dir
    folders = [] if named is None else [f"file://{named.absolute()}"]
    folders += [folder for entry in _typed() if entry.key_or_group == _SEARCH_PATH for folder in _listed(entry)]
    return [override(_SEARCH_PATH, folders)] if folders else []


def _listed(entry: Override) -> list[str]:
    value = entry.value()
    return list(map(str, value)) if isinstance(value, list) else []
