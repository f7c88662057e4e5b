"""``scripts/draw_structure.py``: what it reads, draws and refuses; the project's own drawing is up to date."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "draw_structure.py"
ROWS = (("house", "attic"), ("hall",), ("cellar", "shed"))


@pytest.fixture
def structure():
    import draw_structure

    return draw_structure


@pytest.fixture
def house(tmp_path):
    """Writes a package of files; returns its folder."""

    def build(**files):
        package = tmp_path / "house"
        for name, text in {"__init__": "", **files}.items():
            path = package / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for folder in package.iterdir():
            if folder.is_dir():
                (folder / "__init__.py").touch()
        return package

    return build


def kinds(structure, package):
    return {rooms: structure.kind_of(found) for rooms, found in structure.arrows_of(package).items()}


def test_the_drawing_of_this_project_is_up_to_date():
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_imports_are_folded_to_rooms_and_told_apart_by_when_they_happen(structure, house):
    package = house(
        attic="import os\nimport house.hall.door\nfrom house import cellar\nfrom housekeeping import broom\n",
        hall__in__door="from house.hall.key import KEY\ndef open():\n    from house.cellar import light\n",
        hall__in__key="def turn():\n    if TYPE_CHECKING:\n        import house.shed\n",
        cellar="import typing\nif typing.TYPE_CHECKING:\n    from house.shed import Tool\nelse:\n    Tool = object\n",
        shed="try:\n    import numpy\nexcept ImportError:\n    numpy = None\n",
    )
    assert kinds(structure, package) == {
        ("attic", "hall"): "now",
        ("attic", "cellar"): "now",
        ("hall", "cellar"): "later",
        ("hall", "shed"): "types",
        ("cellar", "shed"): "types",
    }


def test_of_several_imports_the_earliest_counts(structure, house):
    package = house(
        attic="def up():\n    import house.shed\nif TYPE_CHECKING:\n    import house.shed\n    import house.hall\n",
        hall="if TYPE_CHECKING:\n    import house.shed\nclass Hall:\n    import house.shed\n",
        shed="",
    )
    assert kinds(structure, package) == {
        ("attic", "shed"): "later", ("attic", "hall"): "types", ("hall", "shed"): "now",
    }  # fmt: skip
    places = [one.place for one in structure.arrows_of(package)["attic", "shed"]]
    assert places == ["attic.py:2", "attic.py:4"]


def test_a_name_of_the_package_itself_is_of_its_own_room(structure, house):
    package = house(__init__="def f():\n    import house.shed\n", attic="from house import VERSION\n", shed="")
    assert kinds(structure, package) == {("house", "shed"): "later", ("attic", "house"): "now"}


def test_arrows_up_and_beside_are_refused_and_arrows_down_are_not(structure, house):
    package = house(
        attic="import house.hall, house.shed\n", hall="\nimport house.attic\n", shed="import house.cellar\n", cellar=""
    )
    told = structure.problems(structure.arrows_of(package), ["attic", "hall", "shed", "cellar"], ROWS)
    assert told == [
        "attic imports hall imports attic: a circle.",
        "hall imports attic, which is not in a lower row (hall.py:2).",
        "shed imports cellar, which is not in a lower row (shed.py:1).",
    ]


def test_a_room_without_a_row_is_named(structure):
    (told,) = structure.problems({}, ["attic", "tower"], ROWS)
    assert told.startswith("tower is in no row of ROWS")


def test_each_circle_is_told_once_by_its_shortest_way(structure):
    ways = ["ab", "bc", "ca", "cd", "de", "ed", "ef", "ac"]
    arrows = dict.fromkeys(ways, ())
    assert structure.circles(arrows) == [["a", "c", "a"], ["b", "c", "a", "b"], ["d", "e", "d"]]
    assert structure.circles({("a", "b"): (), ("b", "c"): (), ("a", "c"): ()}) == []


def test_what_is_drawn(structure, house):
    package = house(
        attic="import house.hall\n", hall="import house.shed\n", shed="", __init__="def f():\n    import house.hall\n"
    )
    lines = structure.drawing(structure.arrows_of(package), ROWS).splitlines()
    assert lines[:8] == [
        "```mermaid", "flowchart TB", "    house", "    attic", "    hall", "    house ~~~ hall", "    attic --> hall",
        "    house -. later .-> hall",
    ]  # fmt: skip
    assert lines[8] == "```"
    assert lines[10].startswith("3 arrows, all of which point down; 1 of them lead to `cellar`, `shed`")


def test_it_draws_between_the_markers_and_tells_what_is_out_of_date(structure, house, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(structure, "ROWS", ROWS)
    package, file = house(attic="import house.hall\n", hall=""), tmp_path / "page.md"
    arguments = ["--package", str(package), "--file", str(file)]
    file.write_text("before\n", encoding="utf-8")
    assert structure.main(arguments) == 1
    assert "page.md has no place for the drawing" in capsys.readouterr().out
    file.write_text(f"before\n{structure.BEGIN}\nold\n{structure.END}\nafter\n", encoding="utf-8")
    assert structure.main([*arguments, "--check"]) == 1
    assert capsys.readouterr().out == (
        "page.md is not up to date with the imports; run python scripts/draw_structure.py.\n"
    )
    assert "old" in file.read_text(encoding="utf-8")
    assert structure.main(arguments) == 0
    assert structure.main([*arguments, "--check"]) == 0
    drawn = file.read_text(encoding="utf-8")
    assert drawn.startswith(f"before\n{structure.BEGIN}\n\n```mermaid\n")
    assert drawn.endswith(f"\n\n{structure.END}\nafter\n")
    (package / "hall.py").write_text("import house.attic\n", encoding="utf-8")
    assert structure.main(arguments) == 1  # and it draws no circles
    assert file.read_text(encoding="utf-8") == drawn
