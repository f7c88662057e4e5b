"""Commands: how to type them, so that what the project prints works when it is pasted; what several of them share."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Strings that Hydra reads as such without quotes; numbers, null and the like would become something else.
_BARE = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_/][a-z0-9_/.-]*", re.IGNORECASE | re.ASCII)
# In a clone, beside each other
_SCRIPTS = tuple(
    f"{name}.py"
    for name in ("train", "evaluate", "sweep", "preview", "data", "predict", "export", "app", "mark", "hub")
)


@contextmanager
def importing_from_here(wanted: bool = True) -> Iterator[None]:
    """Lets modules of the current folder be imported: one's own terms, networks and callbacks may lie there.

    Args:
        wanted: Whether anybody asked for one's own code. A folder of pictures may hold modules too, by the names of
            packages that libraries look for and do not need.
    """
    before, here = list(sys.path), str(Path.cwd())
    if wanted:
        sys.path.append(here)
    try:
        yield
    finally:
        sys.path[:] = before


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names packages whose networks may be built; see :mod:`wm_lightning.trained.trust`."""
    parser.add_argument(
        "--trust", metavar="PACKAGE", action="append", default=[], help="package of your own that the network is of"
    )


def as_path(text: str) -> Path:
    """Reads a path for argparse; an empty one, as of a variable that is not set, would be the current folder."""
    return Path(as_word(text))


def as_word(text: str) -> str:
    """Reads a word for argparse, which may not be empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a name ('.' is this folder)")
    return text


def share(text: str) -> float:
    """Reads a number in 0..1; argparse shows this name where it is none."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} must be in 0..1")
    return value


def amount(text: str) -> float:
    """Reads a number above 0; argparse shows this name where it is none."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return value


def count(text: str) -> int:
    """Reads a number from 1; argparse shows this name where it is none."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value


def override(key: str, value: object) -> str:
    """Returns ``key=value`` as Hydra reads it back, not yet quoted for a shell.

    Args:
        key: A configuration key or group.
        value: A number, word, path, true or false (a bool), null (None), or a list of them.
    """
    return f"{key}={_value(value)}"


def program(name: str) -> list[str]:
    """Returns what starts a command of this project in the way that this process was started.

    Args:
        name: ``train``, ``evaluate``, ``sweep``, ``preview``, ``data``, ``predict``, ``export``, ``app``, ``mark`` or
            ``hub``.
    """
    started = Path(sys.argv[0])
    if started.stem.startswith("wm-"):
        return [f"wm-{name}"]
    return ["python", str(started.with_name(f"{name}.py")) if started.name in _SCRIPTS else f"{name}.py"]


def command(name: str, **values: object) -> str:
    """Returns a command of this project with ``key=value ...`` as a shell takes it; see :func:`program`."""
    return shell(*program(name), *(override(key, value) for key, value in values.items()))


def shell(*words: str) -> str:
    """Returns words as a shell takes them."""
    return shlex.join(words)


def _value(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    # A backslash is itself, but before a quote.
    return "'" + re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text) + "'"
