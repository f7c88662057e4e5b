"""``mark.py`` and ``wm-mark``: a folder of pictures in, the mark that they share out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wm_lightning.commands import as_path, share
from wm_lightning.errors import UserError, with_flags
from wm_lightning.extras import needing
from wm_lightning.files import pictures_below

if TYPE_CHECKING:
    from wm_lightning.mark.known import KnownMark


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``mark.py`` and ``wm-mark``."""
    options = _parser().parse_args(arguments)
    try:
        options.work(options)
    except UserError as error:
        sys.stderr.write(f"error: {with_flags(error, vars(options))}\n")
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wm-mark", description="Finds the mark that pictures share, for wm-predict --mark."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    estimate = commands.add_parser("estimate", help="from a folder of pictures that have the mark")
    estimate.add_argument("folder", type=as_path, metavar="FOLDER", help="searched recursively; at least five pictures")
    estimate.set_defaults(work=_estimate)
    image = commands.add_parser("from-image", help="from a picture of the mark with transparency")
    image.add_argument("image", type=as_path, metavar="LOGO.png")
    image.add_argument("--opacity", type=share, default=1.0, help="how opaque pictures have it, 0 to 1")
    image.set_defaults(work=_from_image)
    for command in (estimate, image):
        command.add_argument(
            "-o", "--output", type=as_path, required=True, help="the mark's file; a preview is put beside it"
        )
    show = commands.add_parser("show", help="say what a mark's file holds")
    show.add_argument("mark", type=as_path, metavar="MARK")
    show.set_defaults(work=_show)
    return parser


def _estimate(options: argparse.Namespace) -> None:
    with needing("Finding a mark"):
        from wm_lightning.mark.estimate import estimate_mark  # what was mistyped, or --help, need not wait for it

    if not options.folder.is_dir():
        raise UserError(f"{options.folder} is no folder; give one of pictures that share a mark.")
    pictures = list(pictures_below(options.folder))
    if not pictures:
        raise UserError(f"{options.folder} holds no picture; give a folder of pictures that share a mark.")
    _save(estimate_mark(pictures, _say), options.output)


def _from_image(options: argparse.Namespace) -> None:
    from wm_lightning.mark.known import from_image

    _save(from_image(options.image, options.opacity), options.output)


def _show(options: argparse.Namespace) -> None:
    from wm_lightning.mark.known import load_mark

    _say(load_mark(options.mark).told())


def _save(mark: KnownMark, path: Path) -> None:
    from wm_lightning.mark.known import preview_of, save_mark

    save_mark(mark, path)
    _say(f"{path}: {mark.told()}")
    _say(f"{preview_of(path)} shows it on black, grey and white, and its opacity")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
