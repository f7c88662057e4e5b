"""``export.py`` and ``wm-export``: a network as a file for ONNX Runtime or ``torch.export``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from wm_lightning.commands import add_trust, as_path, as_word, importing_from_here
from wm_lightning.errors import ArgumentError, UserError, with_flags
from wm_lightning.extras import needing
from wm_lightning.inference.choices import DEFAULT, PRECISIONS


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``export.py`` and ``wm-export``."""
    options = _parser().parse_args(arguments)
    try:
        told = _exported(options)
    except UserError as error:
        sys.stderr.write(f"error: {with_flags(error, vars(options), path='-o')}\n")
        sys.exit(1)
    size = options.output.stat().st_size / 2**20
    sys.stdout.write(f"{options.output}: {size:.1f} MiB, {told}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wm-export", description="Writes a network for ONNX Runtime or torch.export.")
    parser.add_argument(
        "weights", nargs="?", type=as_word, default=DEFAULT, help="file of weights, or the name of shipped ones"
    )
    parser.add_argument("-o", "--output", required=True, type=as_path, help="FILE.onnx, or FILE.pt2 for torch.export")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="of FILE.onnx: float16 is half as large, int8 faster on CPUs; both need --pictures",
    )
    parser.add_argument(
        "--pictures",
        type=as_path,
        metavar="FOLDER",
        help="at least four pictures such as will be cleaned, on which int8 is calibrated and the loss is measured",
    )
    add_trust(parser)
    return parser


def _exported(options: argparse.Namespace) -> str:
    """Writes the file; returns what was measured, in words.

    Raises:
        UserError: Something is missing, or does not fit.
    """
    exact = options.precision == PRECISIONS[0]
    if exact != (options.pictures is None):
        raise ArgumentError(
            "{precision}={} " + ("takes no {pictures}." if exact else "needs {pictures}=FOLDER."), options.precision
        )
    with needing("wm-export"):  # what was mistyped, or --help, need not wait for PyTorch
        from wm_lightning.inference.export import export
        from wm_lightning.inference.reduced import export_reduced
        from wm_lightning.trained import load

    with importing_from_here(bool(options.trust)):
        net = load(options.weights, options.trust).net
        if exact:
            return f"equal to its network within {export(net, options.output):.0e} on three sizes"
        loss = export_reduced(net, options.output, options.precision, options.pictures)
    return f"{loss:.1f} dB (PSNR) between what it and its network make of pictures"
