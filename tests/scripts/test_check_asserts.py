"""``scripts/check_asserts.py`` as typed."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_asserts.py"


def run(*paths):
    done = subprocess.run([sys.executable, SCRIPT, *paths], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(
    "message", ["b == c", "0 < b < c", "b in c", "b is not None", "b and c", "b or 'nothing'", "not b", "(b != c)"]
)
def test_a_condition_in_place_of_a_message_is_found(tmp_path, message):
    file = tmp_path / "one.py"
    file.write_text(f"def test():\n    assert a == b\n    assert a, {message}\n", encoding="utf-8")
    status, (line,) = run(file)
    assert status == 1
    assert line.startswith(f"{file}:3: ")
    assert line.endswith(message.strip("()"))


@pytest.mark.parametrize(
    "rest", ["", ", 'b == c'", ", b", ", f'{b == c}'", ", (b, c)", ", b(c == d)", ", -b", " == c, d"]
)
def test_messages_are_passed_over(tmp_path, rest):
    (tmp_path / "one.py").write_text(f"assert a{rest}\n", encoding="utf-8")
    assert run(tmp_path) == (0, [])


def test_every_python_file_below_every_folder_is_read(tmp_path):
    places = [tmp_path / "one" / "deep" / "a.py", tmp_path / "one" / "b.py", tmp_path / "two" / "c.py"]
    for place in (*places, tmp_path / "two" / "not_python.txt"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("assert a, b == c\n", encoding="utf-8")
    status, lines = run(tmp_path / "one", tmp_path / "two")
    assert status == 1
    assert sorted(line.split(":1: ")[0] for line in lines) == sorted(map(str, places))
