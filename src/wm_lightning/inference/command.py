"""``predict.py`` and ``wm-predict``: picture files in, the same files without watermarks out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from wm_lightning.commands import add_trust, amount, as_word, count, importing_from_here, share
from wm_lightning.files import FORMATS
from wm_lightning.images.limits import MEGAPIXELS, MINUTES, half_the_memory
from wm_lightning.inference.choices import DEFAULT, ENGINES
from wm_lightning.tta import COPIES


def predict(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status, which docs/predict.md lists."""
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what could come next
        import argcomplete

        argcomplete.autocomplete(parser)
    options = parser.parse_args(_with_paths(sys.argv[1:] if arguments is None else arguments))
    if options.version:
        print(f"{parser.prog} {version('wm-lightning')}")  # noqa: T201 - consoles are not imported yet
        return 0
    _check(parser, options)
    for key in ("output", "report", "mask", "mark", "weights", "files_from"):  # `--output=~/clean` comes as it is typed
        setattr(options, key, _at_home(getattr(options, key)))
    try:
        from wm_lightning.inference.batch import clean_files  # what was mistyped, or --help, need not wait for it

        with importing_from_here(bool(options.trust)):
            return clean_files(options)
    except KeyboardInterrupt as error:  # before the first picture was begun
        print("interrupted", file=sys.stderr)  # noqa: T201 - consoles are not imported yet
        return int(getattr(error, "status", 130))


def main() -> None:
    """Entry point of ``predict.py`` and ``wm-predict``."""
    sys.exit(predict())


def _with_paths(arguments: Sequence[str]) -> list[str]:
    """Returns arguments in which a picture whose name begins with a dash, as ``*.jpg`` may bring it, is no option."""
    given = list(arguments)
    options = given.index("--") if "--" in given else len(given)
    for at, name in enumerate(given[:options]):
        if name.startswith("-") and os.path.splitext(name)[1].lower() in FORMATS and os.path.lexists(name):  # noqa: PTH122
            given[at] = os.path.join(".", name)  # noqa: PTH118 - pathlib takes the dot away
    return given


def _at_home(name: str | None) -> str | None:
    """Returns a path whose `~` no shell has replaced, unless a file is called so."""
    return name if not name or os.path.lexists(name) else os.path.expanduser(name)  # noqa: PTH111


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuses options that contradict each other; argparse ends the command with status 2."""
    places = ["-o"] * (options.output is not None) + ["--in-place"] * options.in_place + ["--detect"] * options.detect
    _check_ray(parser, options)
    if not options.inputs and options.files_from is None:
        parser.error("give pictures, or a list of them with --files-from")
    if not places and not options.suffix and options.inputs != ["-"]:
        parser.error("say where results go: -o FOLDER, --suffix _clean beside the pictures, or --in-place; or --detect")
    if len(places) > 1:
        parser.error(f"{places[0]} and {places[1]} contradict each other; leave one out")
    streamed = options.output == "-" or (options.output is None and options.inputs == ["-"])
    for given, other, wrong in (
        (options.skip_existing, "--skip-existing", _first(options, "overwrite")),
        (options.in_place, "--in-place", _first(options, "suffix", "save_mask", "compare")),
        (
            options.detect,
            "--detect",
            _first(options, "suffix", "save_mask", "compare", "strict", "dry_run", "overwrite"),
        ),
        (options.detect, "--detect", "--skip-existing" if options.skip_existing else None),
        ("-" in options.inputs, "-", _first(options, "in_place")),
        (streamed and not options.detect, "-o -", _first(options, "json", "suffix", "save_mask", "compare")),
        (options.quiet, "--quiet", _first(options, "verbose")),
        (options.mark is not None, "--mark", _first(options, "sensitivity", "scales")),
        (options.same_mark, "--same-mark", _first(options, "sensitivity", "scales")),
        (
            options.ray is not None,
            "--ray",
            _first(options, "in_place", "detect", "compare", "same_mark", "files_from"),
        ),
    ):
        if given and wrong is not None:
            parser.error(f"{wrong} and {other} contradict each other; leave one out")
    if options.sensitivity is None:
        options.sensitivity = "normal"
    options.scales = options.scales or "auto"


def _check_ray(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.ray is None:
        stores = [name for name in (*options.inputs, options.output or "") if name.startswith("s3://")]
        if stores:
            parser.error(f"{stores[0]} is a store, of which pictures are cleaned with --ray")
    elif options.ray not in ("local", "auto") and ":" not in options.ray:
        parser.error(f"--ray {options.ray} is no address; give HOST:6379 or auto, or write --ray behind all else")
    elif len(options.inputs) != 1 or options.output in (None, "-"):
        parser.error("--ray takes one folder, or s3://BUCKET/PREFIX, and -o with another one")


def _first(options: argparse.Namespace, *names: str) -> str | None:
    return next((f"--{name.replace('_', '-')}" for name in names if getattr(options, name)), None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wm-predict",
        description="Removes visible watermarks from pictures. Use it only on pictures you have the right to change.",
        epilog="Exit status: 0 all done, 1 something failed, 2 mistyped, 3 refused by --strict, 130, 143 interrupted.",
    )
    parser.add_argument(
        "inputs", nargs="*", metavar="PICTURE", help="files, folders, patterns, or - for standard input"
    )
    _add_files(parser.add_argument_group("which pictures, and where results go"))
    _add_finding(parser)
    _add_running(parser)
    _add_limits(
        parser.add_argument_group("limits of one picture; one that exceeds them is reported, and the others go on")
    )
    _add_telling(parser.add_argument_group("what is printed"))
    return parser


def _add_files(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-o", "--output", help="folder, or file for one picture, or - for standard output; inputs stay as they are")
    add(
        "--suffix", default="", metavar="TEXT", help="added to names of results; without -o these lie beside the inputs"
    )
    add("--in-place", action="store_true", help="write over pictures with marks; each is kept as NAME.jpg.orig")
    add(
        "--detect",
        action="store_true",
        help="write no picture, only say which have a mark, where, and how sure that is",
    )
    add("--dry-run", action="store_true", help="say what would be written, without reading a picture")
    add(
        "--skip-existing",
        action="store_true",
        help="keep results that are there and do the rest: resumes after a stop",
    )
    add("--overwrite", action="store_true", help="replace results that are there; without it they are refused")
    add(
        "--files-from",
        type=as_word,
        metavar="FILE",
        help="list of further files, one per line or as from find -print0; - for standard input",
    )
    add(
        "--include",
        metavar="PATTERN",
        action="append",
        default=[],
        help="take only these, such as '*.jpg' or 'trip/*'",
    )
    add("--exclude", metavar="PATTERN", action="append", default=[], help="leave these out")
    add(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="clean a folder, or s3://BUCKET/PREFIX, into another on a Ray cluster; without an address on this machine",
    )
    add("--recursive", action=argparse.BooleanOptionalAction, default=True, help="search folders in folders (default)")


def _add_limits(group: argparse._ArgumentGroup) -> None:
    memory = half_the_memory()
    for name, default, unit, help_ in (
        ("megapixels", MEGAPIXELS, "N", "width times height; a larger one is refused before it is decoded"),
        ("memory", memory, "GB", "to read, clean or write it; default: half of the machine's"),
        ("minutes", MINUTES, "N", "for reading it, for cleaning it and for writing it, each"),
    ):
        told = help_ if name == "memory" else f"{help_}; default: {default:.0f}"
        group.add_argument(f"--max-{name}", type=amount, default=default, metavar=unit, help=told)


def _add_telling(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--json", action="store_true", help="print a line of JSON for each picture, and all else on standard error")
    add("--report", type=as_word, metavar="FILE.json", help="write what was found in each picture")
    add("-q", "--quiet", action="store_true", help="print only errors and warnings")
    add("-v", "--verbose", action="store_true", help="list every mark, and how long each picture took")
    add("--version", action="store_true", help="print the version, and end")


def _add_finding(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights",
        type=as_word,
        default=DEFAULT,
        help="file of weights, or the name of shipped ones; default: general",
    )
    add_trust(parser)
    parser.add_argument(
        "--mask", type=as_word, default="auto", help="picture, white where pixels may change; auto: anywhere"
    )
    known = parser.add_mutually_exclusive_group()
    known.add_argument(
        "--mark", type=as_word, metavar="FILE", help="remove this mark, which wm-mark wrote, and look for no other"
    )
    known.add_argument(
        "--same-mark",
        action="store_true",
        help="the same with the mark that the pictures share, which is measured first",
    )
    parser.add_argument("--strength", type=share, default=1.0, help="how much of a mark is removed, 0 to 1")
    parser.add_argument(
        "--sensitivity",
        help="low, normal (default), high, or 0 to 1: how little evidence a mark needs; low spares more",
    )
    parser.add_argument(
        "--scales", help="sizes of a picture to look at, for large marks; auto (default), or 1 for its own size only"
    )
    parser.add_argument(
        "--strict", action="store_true", help="do not write results that come with a warning; the exit status is then 3"
    )
    parser.add_argument("--save-mask", action="store_true", help="write where marks were found, as NAME.mask.png")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="write before, after and mask as NAME.compare.png; for several pictures also a sheet, compare-1.png",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", type=as_word, default="auto", help="where it runs: auto, cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="default: torch where it is installed, else onnx"
    )
    parser.add_argument(
        "--tta", type=int, choices=COPIES, default=1, help="mirrored and rotated copies to take the mean over"
    )
    parser.add_argument("--on-error", choices=("skip", "stop"), default="skip", help="after a picture that failed")
    parser.add_argument(
        "--jobs",
        type=count,
        metavar="N",
        help="pictures processed at once; default: one per core, up to 8; with --ray: workers, default all",
    )
