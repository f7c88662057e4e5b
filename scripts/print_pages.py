"""Makes pictures of printed pages: ``python scripts/print_pages.py PDFS PHOTOS OUT``, to train on beside photographs.

To a network that saw writing on marks alone, what is printed is a mark. The scenes that a training draws have letters
as a program draws them; these have figures, tables, formulas and columns as people set them, in ink that spreads on
paper that is scanned, photographed on PHOTOS, old, or shown on a screen. PDFS is a folder of documents, such as
manuals. Needs pypdfium2, which is in the ``dev`` extra.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt
import pypdfium2
from PIL import Image

from wm_lightning.data.sources import Photograph, decode
from wm_lightning.data.synthesis.ranges import choose
from wm_lightning.errors import UserError
from wm_lightning.files import pictures_below

log = logging.getLogger("print_pages")
HEIGHT = (600, 2200)  # pixels of a page
SIDE = (420, 1100)  # of the part of it that is kept
LEAST_INK = 0.004  # share of a page that is dark
TRIES = 50  # pages that have nothing on them, or files that cannot be read, in a row
PARTS = 3  # of which the fullest is kept
LOOKS = {"screen": 0.2, "scan": 0.3, "photograph": 0.3, "old": 0.2}

TURNED = A.Compose([A.Rotate(limit=90, fill=255, p=0.25)])
SCANNED = A.Compose(
    [
        A.Rotate(limit=1.5, border_mode=cv2.BORDER_REPLICATE, p=1),
        A.GaussianBlur(sigma_limit=(0.3, 0.9), p=1),
        A.ToGray(p=0.3),
    ]
)
PHOTOGRAPHED = A.Compose(
    [
        A.Perspective(scale=(0.02, 0.15), keep_size=True, fit_output=True, p=0.7),
        A.Illumination(mode="gaussian", intensity_range=(0.05, 0.2), p=0.7),
        A.Illumination(mode="linear", intensity_range=(0.05, 0.2), p=0.7),
        A.PlanckianJitter(temperature_limit=(4000, 9000), p=0.5),
        A.RandomBrightnessContrast(brightness_limit=(-0.3, 0.05), contrast_limit=(-0.2, 0), p=0.8),
        A.GaussianBlur(sigma_limit=(0.4, 1.4), p=1),
    ]
)
FINISHED = A.Compose(
    [
        A.RandomScale(scale_limit=(-0.5, -0.1), interpolation=cv2.INTER_AREA, p=0.35),
        A.UnsharpMask(sigma_limit=(0.6, 1.2), alpha=(0.2, 0.8), threshold=0, p=0.35),
        A.GaussNoise(std_range=(0.002, 0.02), p=0.5),
        A.ImageCompression(quality_range=(60, 97), p=1),
    ]
)


def page_of(documents: Sequence[Path], generator: np.random.Generator) -> Photograph:
    """Draws a page of one of the PDF files, (H, W, 3), with something on it.

    Raises:
        UserError: None is found in many tries.
    """
    for _ in range(TRIES):
        path = _one_of(documents, generator)
        try:
            with pypdfium2.PdfDocument(path) as document:
                page = document[int(generator.integers(len(document)))]
                scale = generator.uniform(*HEIGHT) / page.get_height()
                pixels = np.asarray(page.render(scale=float(scale), rev_byteorder=True).to_pil().convert("RGB"))
        except pypdfium2.PdfiumError as error:
            log.warning("skipped: %s: %s", path, error)
            continue
        if (pixels < 160).mean() >= LEAST_INK:
            return pixels
    raise UserError(f"No page with anything on it was found among {len(documents)} PDF files in {TRIES} tries.")


def _one_of(paths: Sequence[Path], generator: np.random.Generator) -> Path:
    return paths[int(generator.integers(len(paths)))]


def printed(page: Photograph, generator: np.random.Generator, old: bool) -> Photograph:
    """Puts a page on paper: ink spreads and is uneven, paper has a tint and a grain; old ones more so."""
    height, width = page.shape[:2]
    ink = cv2.GaussianBlur(1 - page.astype(np.float32) / 255, (0, 0), generator.uniform(0.4, 1.2))
    uneven = 1 + generator.uniform(0.3, 1) * _cloud(height, width, generator.uniform(1, 4), generator)
    ink = np.clip(ink * uneven * generator.uniform(1, 1.6), 0, 1)
    tint = generator.uniform(0.8, 1) * (generator.uniform([1, 0.9, 0.65], [1, 0.97, 0.85]) if old else np.ones(3))
    darkest = generator.uniform(0, 0.3) + generator.uniform(0, 0.06, 3)
    grain = generator.uniform(0, 0.1 if old else 0.04) * _cloud(height, width, generator.uniform(0.7, 3), generator)
    paper = tint + grain
    return np.asarray(np.clip(paper + ink * (darkest - paper), 0, 1) * 255 + 0.5, np.uint8)


def _cloud(height: int, width: int, sigma: float, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Returns noise of this correlation length in pixels, (H, W, 1)."""
    noise = generator.normal(size=(height, width)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma), np.float32)[..., None]


def photographed(page: Photograph, beneath: Photograph, generator: np.random.Generator) -> Photograph:
    """Looks at a page that lies on a photograph from the side, in uneven light."""
    height, width = page.shape[:2]
    taken = _drawn(PHOTOGRAPHED, generator)(image=page, mask=np.ones((height, width), np.float32))
    seen = cv2.resize(taken["mask"], (width, height))[..., None]
    table = cv2.resize(beneath, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(taken["image"] * seen + table * (1 - seen) + 0.5, np.uint8)


def _drawn(transform: A.Compose, generator: np.random.Generator) -> A.Compose:
    transform.set_random_seed(int(generator.integers(2**31)))
    return transform


def picture_of(documents: Sequence[Path], photographs: Sequence[Path], seed: int) -> Photograph:
    """Returns a part of a page in one of the :data:`LOOKS`, (H, W, 3)."""
    generator = np.random.default_rng(seed)
    pixels = _drawn(TURNED, generator)(image=page_of(documents, generator))["image"]
    look = choose(LOOKS, generator)
    if look == "screen":
        pixels = 255 - pixels if generator.random() < 0.3 else pixels
    else:
        pixels = printed(pixels, generator, look == "old")
        if look == "photograph" or (look == "old" and generator.random() < 0.5):
            beneath = decode(_one_of(photographs, generator))
            pixels = photographed(pixels, beneath, generator)
        else:
            pixels = _drawn(SCANNED, generator)(image=pixels)["image"]
    return np.asarray(_drawn(FINISHED, generator)(image=_part_of(pixels, generator))["image"])


def _part_of(pixels: Photograph, generator: np.random.Generator) -> Photograph:
    """Returns that of a few parts which has most on it, since most of a page is empty."""
    height, width = (min(side, int(generator.uniform(*SIDE))) for side in pixels.shape[:2])
    parts = []
    for _ in range(PARTS):
        top, left = (int(generator.integers(s - p + 1)) for s, p in zip(pixels.shape, (height, width), strict=False))
        parts.append(pixels[top : top + height, left : left + width])
    return np.ascontiguousarray(max(parts, key=np.std))


def main() -> None:
    """Writes the pictures."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("documents", type=Path, help="a folder of PDF files")
    parser.add_argument("photographs", type=Path, help="what pages lie on")
    parser.add_argument("output", type=Path)
    parser.add_argument("--pages", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    try:
        _write(parser.parse_args())
    except UserError as error:
        sys.exit(f"error: {error}")


def _write(options: argparse.Namespace) -> None:
    documents = sorted(options.documents.rglob("*.pdf"))
    photographs = sorted(pictures_below(options.photographs))
    for folder, found in ((options.documents, documents), (options.photographs, photographs)):
        if not found:
            raise UserError(f"{folder} holds no {'PDF files' if found is documents else 'pictures'}.")
    options.output.mkdir(parents=True, exist_ok=True)
    for number in range(options.pages):
        picture = picture_of(documents, photographs, options.seed + number)
        Image.fromarray(picture).save(options.output / f"page_{options.seed + number:04d}.png")
    log.info("%d pages in %s", options.pages, options.output)


if __name__ == "__main__":
    main()
