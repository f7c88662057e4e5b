"""Packages of others: what they bring is found once they are installed.

A package names the package of its configuration files as an entry point of the group ``wm_lightning.plugins``; its
files then stand beside this project's, below them in rank. Classes need no registration: YAML names them. See
``tests/plugin`` for one that brings a part of each kind.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

GROUP = "wm_lightning.plugins"


class PluginConfigs(SearchPathPlugin):
    """Lets Hydra look for configuration files in installed plugins."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Hydra's hook."""
        for plugin in entry_points(group=GROUP):
            search_path.append(provider=plugin.name, path=f"pkg://{plugin.value}")


def find_plugins() -> None:
    """Makes the configuration files of installed plugins known; doing it twice changes nothing."""
    Plugins.instance().register(PluginConfigs)
