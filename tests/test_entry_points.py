"""Every command is there twice, as a file at the top and as an installed program, and both start the same."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from wm_lightning import commands

REPOSITORY = Path(__file__).parents[1]
COMMANDS = {"train", "evaluate", "sweep", "preview", "data", "predict", "export", "app", "mark", "hub"}


def programs():
    """What pyproject.toml installs, by the command's name: its module and function."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")  # Python 3.10 reads no TOML
    return {name: (module, call) for name, module, call in re.findall(r'(?m)^wm-(\w+) = "([\w.]+):(\w+)"$', text)}


def test_the_commands_are_these():
    assert set(programs()) == COMMANDS
    assert {path.stem for path in REPOSITORY.glob("*.py")} == COMMANDS
    assert set(commands._SCRIPTS) == {f"{name}.py" for name in COMMANDS}
    packed = re.findall(r'"/(\w+)\.py"', (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(packed) == COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_both_start_the_same(name):
    module, call = programs()[name]
    tree = ast.parse((REPOSITORY / f"{name}.py").read_text(encoding="utf-8"))
    (imported,) = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert (imported.module, [alias.name for alias in imported.names]) == (module, [call])
    assert ast.unparse(tree.body[-1]) == f"if __name__ == '__main__':\n    {call}()"
    assert callable(getattr(import_module(module), call))
