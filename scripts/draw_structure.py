"""Draws the project's structure from its imports into docs/architecture.md: `python scripts/draw_structure.py`.

Modules below `src/wm_lightning` are folded to rooms: folders, and single modules at the top. An arrow says that one
room imports another: solid where that happens when its modules are loaded, dotted where it happens in functions alone,
or for type checkers alone. Refused, each in a sentence and with status 1: circles of rooms, arrows that do not lead to
a lower row of ROWS, and rooms that are in none. `--check` writes nothing; its status is 1 where the drawing is not up
to date. What is only named, as in `conf/`, is no import and not seen.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

REPOSITORY = Path(__file__).parents[1]
BEGIN, END = "<!-- structure: drawn by scripts/draw_structure.py -->", "<!-- structure: end -->"

# The order of the project: every import leads from a row to a lower one.
ROWS = (
    ("entry",),
    ("wm_lightning", "app", "cli", "hub"),  # wm_lightning: what `from wm_lightning import Remover` gives
    ("search",),
    ("runner",),
    ("inference",),
    ("callbacks",),
    ("engine", "reports"),
    ("losses", "mark", "trained"),
    ("data", "hardware", "metrics", "models"),
    ("images",),
    ("extras",),
    ("commands", "errors", "files", "plugins", "tta", "sizes", "types"),
)

Kind = Literal["now", "later", "types"]  # when a module is loaded, in a function, for type checkers alone
LINES: dict[Kind, str] = {"now": "-->", "later": "-. later .->", "types": "-. types .->"}


class Import(NamedTuple):
    """One import from room to room.

    Attributes:
        rooms: Who imports, and whom.
        kind: When.
        place: File and line.
    """

    rooms: tuple[str, str]
    kind: Kind
    place: str


Arrows = Mapping[tuple[str, str], Sequence[Import]]


def arrows_of(package: Path) -> Arrows:
    """Returns the imports between rooms of a package, by the two rooms, in alphabetical order."""
    found = defaultdict(list)
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        source = package.name if place.name == "__init__.py" and len(place.parts) == 1 else place.parts[0]
        for name, line, kind in _imports(ast.parse(path.read_text(encoding="utf-8")), "now"):
            rooms = source.removesuffix(".py"), _room(name, package)
            if rooms[1] and rooms[0] != rooms[1]:
                found[rooms].append(Import(rooms, kind, f"{place.as_posix()}:{line}"))
    return dict(sorted(found.items()))


def _imports(node: ast.AST, kind: Kind) -> Iterator[tuple[str, int, Kind]]:
    """Returns full names that are imported below a node, each with its line and kind."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno, kind) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and not child.level:  # the linter forbids relative ones
            yield from ((f"{child.module}.{alias.name}", child.lineno, kind) for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from _imports(ast.Module(child.body, []), "types")
            yield from _imports(ast.Module(child.orelse, []), kind)
        else:
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, "later" if in_function and kind == "now" else kind)


def _room(name: str, package: Path) -> str:
    """Returns the room that a full name lies in; nothing for other packages'."""
    top, _, rest = name.partition(".")
    room = rest.partition(".")[0]
    if top != package.name:
        return ""
    return room if (package / room).is_dir() or (package / f"{room}.py").is_file() else top


def kind_of(imports: Sequence[Import]) -> Kind:
    """Returns the earliest of the kinds that an arrow stands for."""
    return min((one.kind for one in imports), key=get_args(Kind).index)


def problems(arrows: Arrows, rooms: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns what is refused, in sentences."""
    height = {room: number for number, row in enumerate(rows) for room in row}
    told = [
        f"{room} is in no row of ROWS in scripts/draw_structure.py; say there what it may import."
        for room in rooms
        if room not in height
    ]
    told += [f"{' imports '.join(circle)}: a circle." for circle in circles(arrows)]
    for (source, target), imports in arrows.items():
        if source in height and target in height and height[source] >= height[target]:
            told.append(f"{source} imports {target}, which is not in a lower row ({imports[0].place}).")
    return told


def circles(arrows: Arrows) -> list[list[str]]:
    """Returns the shortest way from each room back to itself; of ways through the same rooms the first."""
    found: dict[frozenset[str], list[str]] = {}
    for start in sorted({source for source, _ in arrows}):
        ways = [[start]]
        seen: set[str] = set()
        while ways:
            way = ways.pop(0)
            onward = [target for source, target in arrows if source == way[-1] and target not in seen]
            if start in onward:
                found.setdefault(frozenset(way), [*way, start])
                break
            seen.update(onward)
            ways += [[*way, target] for target in onward]
    return list(found.values())


def drawing(arrows: Arrows, rows: Sequence[Sequence[str]]) -> str:
    """Returns the diagram, and what it leaves out, as Markdown."""
    *upper, lowest = rows
    lines = ["```mermaid", "flowchart TB"]
    for number, row in enumerate(upper):
        lines += [f"    {room}" for room in row]
        # Links that are not seen keep rows below each other, whatever their arrows are.
        lines += [f"    {upper[number - 1][0]} ~~~ {room}" for room in row if number]
    drawn = [(rooms, imports) for rooms, imports in arrows.items() if rooms[1] not in lowest]
    lines += [f"    {source} {LINES[kind_of(imports)]} {target}" for (source, target), imports in drawn]
    names = ", ".join(f"`{room}`" for room in lowest)
    told = (
        f"{len(arrows)} arrows, all of which point down; {len(arrows) - len(drawn)} of them lead to {names}, which "
        "know nobody\nand are left out of the drawing. Dotted: imported in functions alone (later), or for type "
        "checkers alone (types)."
    )
    return "\n".join((*lines, "```", "", told))


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, draws or checks, returns the status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if it is not up to date")
    parser.add_argument("--package", type=Path, default=REPOSITORY / "src" / "wm_lightning", help="folder to read")
    parser.add_argument("--file", type=Path, default=REPOSITORY / "docs" / "architecture.md", help="file to draw into")
    options = parser.parse_args(arguments)
    arrows = arrows_of(options.package)
    inside = [path for path in options.package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    told = problems(arrows, sorted(path.stem for path in inside if path.stem != "__init__"), ROWS)
    before = options.file.read_text(encoding="utf-8")
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        told.append(f"{options.file} has no place for the drawing: a line {BEGIN}, and after it a line {END}.")
    after = f"{head}{BEGIN}\n\n{drawing(arrows, ROWS)}\n\n{END}{tail}"
    if not told and after != before:
        if options.check:
            told.append(
                f"{options.file.name} is not up to date with the imports; run python scripts/draw_structure.py."
            )
        else:
            options.file.write_text(after, encoding="utf-8")
    sys.stdout.write("".join(f"{sentence}\n" for sentence in told))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
