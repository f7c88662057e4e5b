"""``data.py`` and ``wm-data``: what can be done once for a folder of photographs."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wm_lightning.errors import UserError, with_flags

if TYPE_CHECKING:
    from wm_lightning.data.indexing import Indexed

TOLD = 20  # broken files that are named; the index has all
INTERRUPTED = 130  # the shell's exit status for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``data.py`` and ``wm-data``."""
    parser = argparse.ArgumentParser(prog="wm-data", description="Prepares photographs for training.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    index = commands.add_parser(
        "index",
        help="look at each photograph once, and remember which are broken",
        description="Looks at each photograph below a folder that is new or has changed, and writes what it finds to "
        "FOLDER/.wm_index.csv: sizes, contents' hashes, and which are broken, which trainings then pass over.",
    )
    index.add_argument("folder", type=Path, metavar="FOLDER", help="searched as data.root is")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from wm_lightning.data.index import NAME
    from wm_lightning.data.indexing import index_folder  # what was mistyped, or --help, need not wait for it

    folder = options.folder.expanduser()
    try:
        found = index_folder(folder)
    except UserError as error:
        sys.stderr.write(f"error: {with_flags(error, (), root='FOLDER')}\n")
        sys.exit(1)
    sys.stdout.write(_told(found, folder / NAME))
    sys.exit(0 if found.finished else INTERRUPTED)


def _told(found: Indexed, path: Path) -> str:
    """Returns what is said of an index."""
    broken = found.broken()
    lines = [f"broken: {name}: {reason}" for name, reason in list(broken.items())[:TOLD]]
    if len(broken) > TOLD:
        lines.append(f"and {len(broken) - TOLD} more that are broken; {path} names them")
    if copies := found.copies():
        lines.append(f"copies of others: {copies}; training and test may share them")
    told = f"{len(found.entries)} photographs, {len(broken)} broken; {found.looked_at} looked at, {found.gone} gone"
    lines.append(f"{path}: {told}")
    if not found.finished:
        lines.append("interrupted; the same command goes on")
    return "".join(f"{line}\n" for line in lines)
