"""How well what a mark hid is painted: ``python benchmarks/painting.py PHOTOS``.

Whole photographs of the test split, each with an opaque mark of ``synthesis=held_out``: nothing shines through, so all
that can be done is to paint. Beside the network, OpenCV's two inpainters (Telea, "An Image Inpainting Technique Based
on the Fast Marching Method", 2004; Bertalmio et al., "Navier-Stokes", 2001), which are told where the mark is: by the
truth, and by what the network found. PSNR in dB inside the mask and of the picture, means over pictures.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from compressed import Marked, marked
from scales import psnr

from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.pixels import Pixels
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.search import Search

log = logging.getLogger("painting")
RADIUS = 3  # pixels around a point that OpenCV looks at, as its samples have it
OPAQUE = (
    "synthesis=held_out", "synthesis.sampler.opaque=1", "synthesis.sampler.tiled=0",
    "synthesis.sampler.alpha_variation=0", "synthesis.sampler.blends={normal:1,screen:0,multiply:0}",
    "synthesis.sampler.kinds={text:0.5,logo:0.5,line:0,rectangle:0,circle:0,grid:0,bars:0}",
    "synthesis.sampler.size=[0.1,0.5]",
)  # fmt: skip

Mask = npt.NDArray[np.bool_]


def painted(pixels: Pixels, where: Mask, method: int) -> Pixels:
    """Returns a picture (H, W, 3), painted over where a mask, (H, W), is and a pixel around it."""
    grown = cv2.dilate(where.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.inpaint(pixels, grown, RADIUS, method), dtype=np.uint8)


def ways(one: Marked, cleaned: Pixels, found: Mask) -> Mapping[str, Pixels]:
    """Returns what is compared, by name.

    Args:
        one: The picture.
        cleaned: What the network made of it.
        found: Where it saw a mark.
    """
    return {
        "identity": one.image,
        "Telea, the true mask": painted(one.image, one.mask, cv2.INPAINT_TELEA),
        "Navier-Stokes, the true mask": painted(one.image, one.mask, cv2.INPAINT_NS),
        "Telea, the mask found": painted(one.image, found, cv2.INPAINT_TELEA),
        "this project": cleaned,
        "this project, where the mask is true": np.where(one.mask[..., None], cleaned, one.image),
    }


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("wm_lightning").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--weights", default="general")
    parser.add_argument("--pictures", type=int, help="at most")
    parser.add_argument("--sensitivity", type=float, default=1.0)
    options = parser.parse_args()
    engine, search = open_engine(options.weights), Search(options.sensitivity)
    scores: dict[str, list[tuple[float, float]]] = {}
    for one in marked(options.photographs, None, options.pictures, OPAQUE):
        cleaned = clean_pixels(engine, one.image, search=search)
        for name, pixels in ways(one, cleaned.pixels, cleaned.mask > 0).items():
            scores.setdefault(name, []).append((psnr(pixels[one.mask], one.clean[one.mask]), psnr(pixels, one.clean)))
    log.info("| %d opaque marks | inside the mask | the picture |\n|---|---:|---:|", len(scores["identity"]))
    for name, found in scores.items():
        log.info("| %s | %.2f | %.2f |", name, *np.mean(found, axis=0))


if __name__ == "__main__":
    main()
