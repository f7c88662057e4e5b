"""Finds assertions whose message looks like a condition: `python scripts/check_asserts.py src tests`.

`assert a, b == c` asserts `a` alone: what follows the comma is the message, and whether `b == c` is never asked. Prints
where a message is a comparison, is joined by `and` or `or`, or is a `not ...`; ends with status 1 if there is one.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def python_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Returns the files given and those below the folders given."""
    for path in paths:
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def suspects(source: str) -> Iterator[ast.Assert]:
    """Returns the assertions of a Python text whose message looks like a condition."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and _is_condition(node.msg):
            yield node


def _is_condition(message: ast.expr | None) -> bool:
    negated = isinstance(message, ast.UnaryOp) and isinstance(message.op, ast.Not)
    return negated or isinstance(message, ast.Compare | ast.BoolOp)


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, prints, returns the status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path, help="Python files, or folders of them")
    found = [
        f"{path}:{node.lineno}: the message of this assertion is a condition, which nothing checks: "
        f"{ast.unparse(node.msg)}"
        for path in python_files(parser.parse_args(arguments).paths)
        for node in suspects(path.read_text(encoding="utf-8"))
        if node.msg is not None
    ]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
