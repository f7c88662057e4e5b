"""Draws the reference of all keys into docs/configuration.md: `python scripts/draw_configuration.py`.

Each file in conf/ has a section. What a key means is said by the comment above it, or else by the docstring of the
constructor that `_target_` names, by another file that has the key, or by a link to the page of whose class it is.
`--check` writes nothing; its status is 1 where the page is not up to date.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from documented_elsewhere import HYDRA, elsewhere

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "configuration.md"
GROUPS = (  # in the order in which people meet them
    "data", "synthesis", "augment", "model", "loss", "optim", "trainer", "callbacks", "logger", "experiment", "module",
    "benchmark", "space", "debug", "paths", "hydra",
)  # fmt: skip
WHOLE = ("", "experiment", "space", "debug")  # whose files write keys with their groups in front
SPACE = {
    "low": "The least value that is tried.",
    "high": "The greatest value that is tried.",
    "log": "Whether values are drawn on a logarithmic scale.",
    "step": "How far apart the values are.",
}
TOP = """# Configuration reference

<!-- drawn by scripts/draw_configuration.py from conf/ and the constructors' docstrings: change those -->

Every key, with its default. `python train.py GROUP=NAME` chooses a file of a group, `python train.py GROUP.KEY=VALUE`
changes a key; keys of the first section have no group in front. `python train.py --cfg job` prints what a command comes
to. What people change most is in [training.md](training.md#change-things).

"""


class Key(NamedTuple):
    """A key of a file.

    Attributes:
        name: With the keys above it, ``terms.l1.weight``.
        value: As the file has it.
        meaning: May be empty.
        page: A link to where its class is documented, where that is of others; may be empty.
    """

    name: str
    value: str
    meaning: str
    page: str = ""


def main() -> None:
    """Reads the command line; writes the page, or compares it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where the page is not up to date")
    page = drawn()
    if not parser.parse_args().check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"{PAGE.relative_to(REPOSITORY)} is not up to date: python scripts/draw_configuration.py")


def drawn() -> str:
    """Returns the page."""
    documented = arguments_of(REPOSITORY / "src" / "wm_lightning")
    targets = targets_of(REPOSITORY / "conf")
    parts = [TOP]
    files = [("", REPOSITORY / "conf" / f"{name}.yaml") for name in ("train", "evaluate", "sweep", "preview")]
    for group in GROUPS:
        files += [(group, path) for path in sorted((REPOSITORY / "conf" / group).glob("*.yaml"))]
    keys = {path: keys_of(path, documented, targets.get(group, {})) for group, path in files}
    known: dict[str, str] = {}
    usual = list(_usual(REPOSITORY / "conf"))
    for group, path in sorted(files, key=lambda file: file[1] not in usual):
        for key in keys[path]:
            if group != "space" and (key.meaning or key.page):
                known.setdefault(_whole(group, key.name), key.meaning or key.page)
    last = None
    for group, path in files:
        if group and group != last:
            parts.append(f"## {group}\n\n")
        last = group
        parts.append(section(group, path, _explained(group, keys[path], known)))
    return "".join(parts).rstrip("\n") + "\n"


def _usual(folder: Path, name: str = "train") -> Iterator[Path]:
    """Yields the files that a training begins with where nothing is chosen: what they say of a key counts most."""
    path = folder / f"{name}.yaml"
    yield path
    for default in yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", ()):
        chosen = default if isinstance(default, dict) else {"": default}
        for group, file in chosen.items():
            if file not in (None, "_self_") and "@" not in group:
                yield from _usual(folder / group if group else path.parent, file)


def _whole(group: str, name: str) -> str:
    """Returns a key as a command line has it."""
    return name if group in WHOLE else f"{group}.{name}"


def _explained(group: str, keys: Sequence[Key], known: Mapping[str, str]) -> list[Key]:
    """Returns the keys of a file with what is said of them elsewhere, where the file and its classes say nothing.

    Args:
        group: Of the file.
        keys: What it sets.
        known: What is said of keys, as a command line has them.
    """
    here = {_whole(group, key.name) for key in keys}
    explained = []
    for key in keys:
        whole = _whole(group, key.name)
        above, _, last = whole.rpartition(".")
        if group == "space":
            other = SPACE.get(last, "The values that are tried.")
        else:
            hydra = f"See [Hydra]({HYDRA})." if whole.startswith("hydra.") else ""
            part = f"Part of `{key.name.rpartition('.')[0]}`." if above in known or above in here else ""
            other = known.get(whole) or key.page or hydra or part
        explained.append(key._replace(meaning=key.meaning or other))
    return explained


def targets_of(folder: Path) -> dict[str, dict[str, str]]:
    """Returns what each group builds, by group and key; a file that begins with another does not repeat it."""
    found: dict[str, dict[str, str]] = {}

    def search(node: yaml.Node, prefix: str, into: dict[str, str]) -> None:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.value == "_target_":
                into.setdefault(prefix, value.value)
            search(value, f"{prefix}{key.value}.", into)

    for path in sorted(folder.glob("*/*.yaml")):
        root = yaml.compose(path.read_text(encoding="utf-8"))
        if root is not None:
            search(root, "", found.setdefault(path.parent.name, {}))
    return found


def section(group: str, path: Path, keys: Sequence[Key]) -> str:
    """Returns the section of a file.

    Args:
        group: Its folder; empty for those at the top.
        path: Of the file.
        keys: What it sets.
    """
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text)
    title = f"`{group}={path.stem}`" if group else f"{path.stem}.py"
    lines = [f"{'###' if group else '##'} {title}\n\n"]
    if not isinstance(root, yaml.MappingNode) or not root.value:
        return "".join([*lines, "Nothing.\n\n"])
    rows = text.split("\n")
    told = _comment(rows, _heading(rows))
    if told:
        lines.append(f"{told}\n\n")
    defaults = [value for key, value in root.value if key.value == "defaults"]
    if defaults:
        names = (_short(node) for node in defaults[0].value)
        lines.append(f"Begins with {', '.join(f'`{name}`' for name in names if name != '_self_')}.\n\n")
    if keys:
        lines.append("| key | default | meaning |\n|---|---|---|\n")
        lines += [f"| `{key.name}` | {_code(key.value)} | {_cell(key.meaning)} |\n" for key in keys]
        lines.append("\n")
    return "".join(lines)


def keys_of(path: Path, documented: dict[str, dict[str, str]], targets: dict[str, str]) -> list[Key]:
    """Returns what a file sets.

    Args:
        path: Of the file.
        documented: See :func:`arguments_of`.
        targets: What its group builds, by key, where the file does not say.
    """
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        return []
    return list(_keys(root, text.split("\n"), documented, targets))


def _keys(
    node: yaml.MappingNode,
    rows: list[str],
    documented: dict[str, dict[str, str]],
    targets: dict[str, str],
    prefix: str = "",
    told: str = "",
) -> Iterator[Key]:
    """Yields the keys of a mapping and of those in it.

    Args:
        node: The mapping.
        rows: Lines of the file.
        documented: See :func:`arguments_of`.
        targets: What the group builds, by key, where the file does not say.
        prefix: Keys above it, with a dot at the end.
        told: What the mapping as a whole means.
    """
    target = next((value.value for key, value in node.value if key.value == "_target_"), "")
    built = target or targets.get(prefix, "")
    arguments = documented.get(built, {})
    if prefix and (target or (told and not built)):
        yield Key(prefix.removesuffix("."), target, told or arguments.get("", ""), elsewhere(target))
    for key, value in node.value:
        name = key.value
        if name in ("defaults", "_partial_", "_target_", "_convert_", "_recursive_"):
            continue
        line = key.start_mark.line
        meaning = ("" if line == _heading(rows) else _comment(rows, line)) or arguments.get(name, "")
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _keys(value, rows, documented, targets, f"{prefix}{name}.", meaning)
        else:
            yield Key(f"{prefix}{name}", _short(value), meaning, elsewhere(built))


def _heading(rows: list[str]) -> int:
    """Returns where the comment that a file begins with, which is the file's, ends."""
    return next((line for line, row in enumerate(rows) if not row.startswith("#")), len(rows))


def _comment(rows: list[str], line: int) -> str:
    """Returns the comment that ends above a line, as one sentence after the other, without what Hydra reads of it."""
    found = []
    while line > 0 and rows[line - 1].lstrip().startswith("#"):
        line -= 1
        found.append(rows[line].lstrip().lstrip("#").strip())
    return " ".join(row for row in reversed(found) if not row.startswith("@package"))


def _short(node: yaml.Node) -> str:
    """Returns a value as a command line takes it."""
    if isinstance(node, yaml.SequenceNode):
        return f"[{', '.join(_short(item) for item in node.value)}]"
    if isinstance(node, yaml.MappingNode):
        return ", ".join(f"{key.value}={_short(value)}" for key, value in node.value) or "{}"
    return str(node.value)


def _code(value: str) -> str:
    text = value if len(value) <= 60 else f"{value[:57]}..."
    return f"`{text}`".replace("|", "\\|") if text else ""


def _cell(text: str) -> str:
    return re.sub(r"``([^`]*)``", r"`\1`", re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", text)).replace("|", "\\|")


def arguments_of(package: Path) -> dict[str, dict[str, str]]:
    """Returns what docstrings say of arguments, by the dotted name of a class or function and the argument's.

    An empty name stands for the class or function itself. What a class does not say its bases say. Names that a
    package's ``__init__`` imports are there too.
    """
    found: dict[str, dict[str, str]] = {}
    bases: dict[str, list[str]] = {}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}
    for path, tree in trees.items():
        module = _module(package, path)
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                docstring = ast.get_docstring(node) or ""
                summary = " ".join(docstring.partition("\n\n")[0].split())
                found[f"{module}.{node.name}"] = {"": summary, **_arguments(docstring)}
            if isinstance(node, ast.ClassDef):
                bases[f"{module}.{node.name}"] = [base.id for base in node.bases if isinstance(base, ast.Name)]
    by_name = {name.rpartition(".")[2]: name for name in bases}
    for name in bases:
        for base in bases[name]:
            found[name] = {**found.get(by_name.get(base, ""), {}), **found[name]}
    for path, tree in trees.items():
        for inner in ast.walk(tree) if path.name == "__init__.py" else ():
            if isinstance(inner, ast.ImportFrom) and inner.module:
                for alias in inner.names:
                    origin = found.get(f"{inner.module}.{alias.name}")
                    if origin is not None:
                        found.setdefault(f"{_module(package, path)}.{alias.asname or alias.name}", origin)
    return found


def _module(package: Path, path: Path) -> str:
    parts: tuple[Any, ...] = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _arguments(docstring: str) -> dict[str, str]:
    """Reads the section Args of a Google docstring."""
    section = re.search(r"(?ms)^Args:\n(.*?)(?=^\S|\Z)", docstring)
    if section is None:
        return {}
    entries = re.findall(r"(?ms)^    (\w+): (.*?)(?=^    \**\w+: |\Z)", section[1])  # **options are no keys
    return {name: " ".join(text.split()) for name, text in entries}


if __name__ == "__main__":
    main()
