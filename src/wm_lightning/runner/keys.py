"""Which key of a configuration an argument is set by."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from wm_lightning.runner.configuration import parameters_of

_SAME = re.compile(r"\$\{([\w.\[\]]+)\}")  # a value that is that of another key


class Keys:
    """The keys of a configuration, by what takes them.

    Args:
        config: What the command was given; a key that only repeats another one counts as that.

    Attributes:
        building: The node that was being built; empty where the error came later.
    """

    def __init__(self, config: DictConfig) -> None:
        self.nodes = dict(_nodes(OmegaConf.to_container(config, resolve=False), ""))
        self.building = ""

    def building_of(self, key: str) -> Keys:
        """Returns the same for an error that was raised while a node was being built."""
        found = copy.copy(self)
        found.building = self.typed(key)
        return found

    def typed(self, key: str) -> str:
        """Returns the key that is to be typed: ``augment.spatial`` for ``data.augment.spatial``."""
        for end in [*(match.start() for match in re.finditer(r"[.\[]", key)), len(key)]:
            node, _, name = key[:end].rpartition(".")
            same = _SAME.fullmatch(str(self.nodes.get(node, {}).get(name)))
            if same:
                return self.typed(same[1] + key[end:])
        return key

    def of(self, name: str) -> str:
        """Returns the key of an argument, or its plain name where no key or more than one could be meant.

        The node that was being built comes first, then those below it, then all others; and what is set before what
        could be set.

        Args:
            name: As in the sentence of a :class:`~wm_lightning.errors.NamingError`.
        """
        owner, _, argument = name.rpartition(".")
        for places in self._places():
            for fits in (_has, _takes):
                places = [place for place in places if f".{place}".endswith(f".{owner}" if owner else "")]
                found = {self.typed(_joined(place, argument)) for place in places if fits(self.nodes[place], argument)}
                if len(found) == 1:
                    return found.pop()
                if found:  # farther away, one alone would be another one's
                    return argument
        # Of a checkpoint, whose configuration is not this command's
        return _joined(self.building, argument) if self.building and self.building not in self.nodes else argument

    def _places(self) -> Iterator[list[str]]:
        if self.building in self.nodes and self.building:
            yield [self.building]
            yield [key for key in self.nodes if key.startswith((f"{self.building}.", f"{self.building}["))]
        yield list(self.nodes)


def _nodes(node: object, key: str) -> Iterator[tuple[str, dict[Any, Any]]]:
    if isinstance(node, dict):
        yield key, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, item in items:
        yield from _nodes(item, f"{key}[{name}]" if isinstance(node, list) else _joined(key, str(name)))


def _has(node: dict[Any, Any], argument: str) -> bool:
    return argument in node


def _takes(node: dict[Any, Any], argument: str) -> bool:
    if "_target_" not in node:
        return False
    try:
        return argument in parameters_of(get_object(node["_target_"]))[0]
    except (HydraException, ImportError, ValueError):
        return False


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
