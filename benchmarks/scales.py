"""What looking at reduced pictures brings for large marks: ``python benchmarks/scales.py PHOTOS``.

Photographs of the validation split are enlarged, since large ones with known marks cannot be had, and get one mark of
``synthesis=held_out`` as wide as a share of the picture. PSNR in dB over pictures and inside the marks, without reduced
pictures and with settings of ``wm_lightning.inference.scales``.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from engines import held_out

from wm_lightning.data.synthesis import View
from wm_lightning.inference import marks, scales
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.remover import open_engine
from wm_lightning.metrics.functional import decibels

log = logging.getLogger("scales")
SHARES = ((0.1, 0.3), (0.3, 0.6), (0.6, 1.0))


def large_pictures(photographs: str, side: int, share: tuple[float, float], count: int) -> Iterator[View]:
    """Makes square marked pictures."""
    pairs = held_out(photographs, side, f"synthesis.sampler.size=[{share[0]},{share[1]}]", "synthesis.sampler.tiled=0")
    for number in range(count):
        name = pairs.names[number]
        photograph = pairs.source.load(name)
        factor = side / min(photograph.shape[:2])
        large = cv2.resize(photograph, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)[:side, :side]
        yield pairs.synthesizer.pair(np.ascontiguousarray(large), pairs.generator(0, name), False)[0]


def psnr(pixels: np.ndarray, clean: np.ndarray) -> float:
    """Returns PSNR of uint8 values in dB, at most 100."""
    error = np.square(pixels.astype(np.float64) - clean).mean() if clean.size else 0.0
    return float(decibels(torch.tensor(error / 255**2)))


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("--weights", default="general")
    parser.add_argument("--pictures", type=int, default=12, help="for each share of the width")
    parser.add_argument("--side", type=int, default=1600, help="of the square pictures in pixels")
    parser.add_argument("--smallest", type=int, nargs="*", default=[scales.SMALLEST])
    parser.add_argument("--large", type=int, nargs="*", default=[scales.LARGE])
    parser.add_argument("--gap", type=int, nargs="*", default=[marks.GAP])
    parser.add_argument("--whole", type=float, nargs="*", default=[scales.WHOLE])
    options = parser.parse_args()
    engine = open_engine(options.weights)
    settings = [
        (1 << 20, 0, marks.GAP, 0),
        *itertools.product(options.smallest, options.large, options.gap, options.whole),
    ]
    shares = " | ".join(f"{low:g} to {high:g} of the width" for low, high in SHARES)
    log.info("| SMALLEST, LARGE, GAP, WHOLE | %s |\n|---|%s", shares, "---:|" * len(SHARES))
    views = [list(large_pictures(options.photographs, options.side, share, options.pictures)) for share in SHARES]
    told = [f"{np.mean([psnr(view.image, view.clean) for view in group]):.2f}" for group in views]
    log.info("| identity | %s |", " | ".join(told))
    for setting in settings:
        scales.SMALLEST, scales.LARGE, marks.GAP, scales.WHOLE = setting
        cells = []
        for group in views:
            results = [clean_pixels(engine, view.image).pixels for view in group]
            whole = np.mean([psnr(result, view.clean) for result, view in zip(results, group, strict=True)])
            inside = np.mean(
                [psnr(r[v.mask > 0], v.clean[v.mask > 0]) for r, v in zip(results, group, strict=True) if v.mask.any()]
            )
            cells.append(f"{whole:.2f} ({inside:.2f})")
        log.info("| %s | %s |", "off" if setting[0] == 1 << 20 else ", ".join(map(str, setting)), " | ".join(cells))


if __name__ == "__main__":
    main()
