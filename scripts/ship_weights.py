"""Writes a checkpoint's network to a weight file: `python scripts/ship_weights.py CKPT weights/NAME.safetensors`.

Of several checkpoints, `CKPT CKPT ... OUT`, it writes the mean, with the configuration of the first. The file keeps the
configuration it was trained with, less the paths of the machine. `--half` keeps convolutions as float16, at half the
size; compare the scores of both before shipping. `--card` adds what the file is to say of the network.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from wm_lightning.errors import UserError
from wm_lightning.trained import read
from wm_lightning.trained.weights import SUFFIX, mean_of, write_weights

log = logging.getLogger("ship_weights")


def main() -> None:
    """Reads the command line, writes the file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("out", type=Path, help=f"ends in {SUFFIX}")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--card", type=Path, metavar="FILE.json", help="what it says: trained_on, licence, metrics")
    options = parser.parse_args()
    if options.out.suffix != SUFFIX:
        parser.error(f"{options.out} must end in {SUFFIX}")
    try:
        mean = mean_of([read(path) for path in options.checkpoints])
        card = json.loads(options.card.read_text(encoding="utf-8")) if options.card else mean.get("card", {})
        write_weights({**mean, "card": card}, options.out, options.half)
    except UserError as error:
        sys.exit(f"error: {error}")
    log.info("%s: %.2f MB", options.out, options.out.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
