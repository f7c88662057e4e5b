"""What is checked before a commit is what CI checks."""

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
HOW = {".", "--check", "--fix", ".github/workflows/*.yml"}  # a hook mends what it can, and is told which files


def words(command):
    return [word for word in command.split() if word not in HOW]


def test_pre_commit_runs_what_make_lint_runs():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8").replace("$(BIN)", ".venv/bin")
    recipe = re.search(r"(?m)^lint:.*\n((?:\t.*\n)+)", makefile)[1]
    configured = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"] for repository in configured["repos"] for hook in repository["hooks"]]
    assert [words(hook) for hook in hooks] == [words(line) for line in recipe.splitlines()]
