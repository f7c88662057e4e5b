"""``export.py`` and ``wm-export``: a network as a file for ONNX Runtime or ``torch.export``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from wm_lightning.commands import add_trust, as_path, as_word, importing_from_here
from wm_lightning.errors import UserError, with_flags
from wm_lightning.extras import needing
from wm_lightning.inference.choices import DEFAULT


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``export.py`` and ``wm-export``."""
    parser = argparse.ArgumentParser(prog="wm-export", description="Writes a network for ONNX Runtime or torch.export.")
    parser.add_argument(
        "weights", nargs="?", type=as_word, default=DEFAULT, help="file of weights, or the name of shipped ones"
    )
    parser.add_argument("-o", "--output", required=True, type=as_path, help="FILE.onnx, or FILE.pt2 for torch.export")
    add_trust(parser)
    options = parser.parse_args(arguments)
    try:
        with needing("wm-export"):  # what was mistyped, or --help, need not wait for PyTorch
            from wm_lightning.inference.export import export
            from wm_lightning.trained import load

        with importing_from_here(bool(options.trust)):
            difference = export(load(options.weights, options.trust).net, options.output)
    except UserError as error:
        sys.stderr.write(f"error: {with_flags(error, vars(options), path='-o')}\n")
        sys.exit(1)
    size = options.output.stat().st_size / 2**20
    sys.stdout.write(f"{options.output}: {size:.1f} MiB, equal to its network within {difference:.0e} on three sizes\n")
