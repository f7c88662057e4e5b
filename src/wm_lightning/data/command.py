"""``data.py`` and ``wm-data``: what can be done once for a folder of photographs."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wm_lightning.commands import as_path, as_word
from wm_lightning.errors import UserError, with_flags
from wm_lightning.extras import needing

if TYPE_CHECKING:
    from wm_lightning.data.indexing import Indexed

TOLD = 20  # broken files that are named; the index has all
GOES_ON = "interrupted; the same command goes on"
INTERRUPTED = 130  # the shell's exit status for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``data.py`` and ``wm-data``."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        told, finished = options.run(options)
    except UserError as error:
        sys.stderr.write(f"error: {with_flags(error, vars(options), root='FOLDER')}\n")
        sys.exit(1)
    sys.stdout.write("".join(f"{line}\n" for line in (*told, *(() if finished else (GOES_ON,)))))
    sys.exit(0 if finished else INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wm-data", description="Prepares photographs for training.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    index = commands.add_parser(
        "index",
        help="look at each photograph once, and remember which are broken",
        description="Looks at each photograph below a folder that is new or has changed, and writes what it finds to "
        "FOLDER/.wm_index.csv: sizes, contents' hashes, and which are broken, which trainings then pass over.",
    )
    index.add_argument("folder", type=as_path, metavar="FOLDER", help="searched as data.root is")
    index.set_defaults(run=_index)
    shards = commands.add_parser(
        "optimize",
        help="put photographs into shards, for data=streaming",
        description="Checks photographs that are in no shard of OUT yet and puts them into new ones, 70/20/10 for "
        "train, val and test by a hash of their names. The same command goes on, and adds what has come since. With "
        "--layout, pairs of watermarked and clean pictures in place of photographs, for data=streaming_pairs.",
    )
    shards.add_argument("folder", type=as_word, metavar="FOLDER|s3://BUCKET/PREFIX", help="where the photographs are")
    shards.add_argument("out", type=as_word, metavar="OUT|s3://BUCKET/PREFIX", help="where the shards are to be")
    shards.add_argument("--seed", type=int, default=0, help="chooses the split (default: 0)")
    shards.add_argument(
        "--layout", choices=("plain", "clwd", "lvw", "logo"), help="FOLDER holds pairs, arranged as data.layout says"
    )
    shards.set_defaults(run=_optimize)
    return parser


def _index(options: argparse.Namespace) -> tuple[list[str], bool]:
    """Builds an index; returns what is said of it, and whether it is finished."""
    from wm_lightning.data.index import NAME
    from wm_lightning.data.indexing import index_folder  # what was mistyped, or --help, need not wait for it

    folder = options.folder.expanduser()
    found = index_folder(folder)
    return _told(found, folder / NAME), found.finished


def _optimize(options: argparse.Namespace) -> tuple[list[str], bool]:
    """Makes shards; returns what is said of them, and whether all are made."""
    with needing("wm-data optimize"):
        from wm_lightning.data.sharding import optimize

    made = optimize(options.folder, options.out, options.seed, options.layout)
    lines = [f"broken, in no shard: {name}: {reason}" for name, reason in sorted(made.broken.items())]
    added = ", ".join(f"{count} {stage}" for stage, count in made.added.items())
    what = "photographs" if options.layout is None else "pairs"
    lines.append(f"{options.out}: {sum(made.added.values())} {what} added ({added}); {made.before} were there")
    return lines, made.finished


def _told(found: Indexed, path: Path) -> list[str]:
    """Returns what is said of an index."""
    broken = found.broken()
    lines = [f"broken: {name}: {reason}" for name, reason in list(broken.items())[:TOLD]]
    if len(broken) > TOLD:
        lines.append(f"and {len(broken) - TOLD} more that are broken; {path} names them")
    if copies := found.copies():
        lines.append(f"copies of others: {copies}; training and test may share them")
    told = f"{len(found.entries)} photographs, {len(broken)} broken; {found.looked_at} looked at, {found.gone} gone"
    lines.append(f"{path}: {told}")
    return lines
