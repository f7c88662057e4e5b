"""``predict.py`` and ``wm-predict``: picture files in, the same files without watermarks out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from wm_lightning.commands import add_trust, importing_from_here
from wm_lightning.inference.choices import DEFAULT
from wm_lightning.tta import COPIES


def predict(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, 1 if a picture failed, else 3 if one was refused."""
    options = _parser().parse_args(arguments)
    from wm_lightning.inference.batch import clean_files  # what was mistyped, or --help, need not wait for it

    with importing_from_here(bool(options.trust)):
        return clean_files(options)


def main() -> None:
    """Entry point of ``predict.py`` and ``wm-predict``."""
    sys.exit(predict())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wm-predict",
        description="Removes visible watermarks from pictures. Use it only on pictures you have the right to change.",
    )
    parser.add_argument("inputs", nargs="+", metavar="PICTURE", help="files, folders (searched recursively), patterns")
    parser.add_argument(
        "-o", "--output", required=True, help="folder, or file for one picture; inputs stay as they are"
    )
    parser.add_argument(
        "--weights", default=DEFAULT, help="file of weights, or the name of shipped ones; default: general"
    )
    add_trust(parser)
    parser.add_argument("--mask", default="auto", help="picture, white where pixels may change; auto: anywhere")
    known = parser.add_mutually_exclusive_group()
    known.add_argument("--mark", metavar="FILE", help="take away this mark, which mark.py wrote, and seek no other")
    known.add_argument(
        "--same-mark", action="store_true", help="the same with a mark that the pictures share, found first"
    )
    parser.add_argument("--strength", type=share, default=1.0, help="how much of a mark is taken away, 0 to 1")
    parser.add_argument(
        "--sensitivity",
        default="normal",
        help="low, normal, high, or 0 to 1: how little evidence a mark needs; low spares more of what is no mark",
    )
    parser.add_argument(
        "--scales", default="auto", help="sizes of a picture to look at, for large marks; auto, or 1 for its own alone"
    )
    parser.add_argument(
        "--strict", action="store_true", help="write no result that should be looked at; the exit status is then 3"
    )
    parser.add_argument("--report", metavar="FILE.json", help="write what was found in each picture")
    parser.add_argument("--save-mask", action="store_true", help="write where marks were found, as NAME.mask.png")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="write before, after and mask, as NAME.compare.png; of several pictures also a sheet, compare-1.png",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where it runs")
    parser.add_argument("--engine", choices=("torch", "onnx"), default="torch", help="onnx needs no PyTorch")
    parser.add_argument(
        "--tta", type=int, choices=COPIES, default=1, help="copies, mirrored and turned, to take the mean over"
    )
    parser.add_argument("--on-error", choices=("skip", "stop"), default="skip", help="after a picture that failed")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors and warnings alone")
    return parser


def share(text: str) -> float:
    """Reads a number in 0..1; argparse shows this name where it is none."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} must be in 0..1")
    return value
