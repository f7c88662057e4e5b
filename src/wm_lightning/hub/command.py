"""``hub.py`` and ``wm-hub``: networks to the Hugging Face Hub, and from there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wm_lightning.commands import as_path, as_word, program, shell
from wm_lightning.errors import UserError, with_flags
from wm_lightning.extras import needing


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``hub.py`` and ``wm-hub``."""
    options = _parser().parse_args(arguments)
    try:
        told = options.work(options)
    except UserError as error:
        sys.stderr.write(f"error: {with_flags(error, vars(options), path='-o')}\n")
        sys.exit(1)
    sys.stdout.write(f"{told}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wm-hub",
        description="Passes networks on through the Hugging Face Hub; no other command looks for networks online. "
        "HF_TOKEN, or `hf auth login`, says who you are; HF_ENDPOINT names another server.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    push = commands.add_parser("push", help="upload weights with a model card; makes the repository where it is new")
    push.add_argument("weights", type=as_word, help="checkpoint, file of weights, or the name of shipped ones")
    push.add_argument("repository", type=as_word, metavar="OWNER/NAME")
    push.add_argument(
        "--public", action="store_true", help="a new repository is for everybody to see (default: private)"
    )
    push.add_argument("--half", action="store_true", help="keep weights as float16, at half the size")
    push.set_defaults(work=_push)
    pull = commands.add_parser("pull", help="download weights that were pushed, to use by their path")
    pull.add_argument("repository", type=as_word, metavar="OWNER/NAME")
    pull.add_argument(
        "-o", "--output", type=as_path, metavar="FILE.safetensors", help="default: NAME.safetensors in this folder"
    )
    pull.add_argument("--revision", type=as_word, help="branch, tag or commit (default: the newest of main)")
    pull.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    pull.set_defaults(work=_pull)
    return parser


def _push(options: argparse.Namespace) -> str:
    with needing("wm-hub"):  # what was mistyped, or --help, need not wait for PyTorch
        from wm_lightning.hub.repository import push

        return push(options.weights, options.repository, private=not options.public, half=options.half)


def _pull(options: argparse.Namespace) -> str:
    with needing("wm-hub"):
        from wm_lightning.hub.repository import pull

        path = options.output or Path(f"{options.repository.rpartition('/')[2]}.safetensors")
        commit = pull(options.repository, path, options.revision, options.overwrite)
    cleaning = shell(*program("predict"), "photo.jpg", "-o", "cleaned", "--weights", str(path))
    return f"{path}, of commit {commit}; use it: {cleaning}"
