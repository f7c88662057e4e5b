"""Times the making of watermarked pairs on one core: ``python benchmarks/synthesis.py [FOLDER]``.

A triplet is two watermarked views of a photograph with the first one's mask, alpha and layer. It is timed after as
many unmeasured ones, since words and letters that were drawn once are remembered: what training meets from its second
epoch on. Without a folder of JPEG photographs, files of 500x375 pixels are made from pictures that scikit-image ships.
Beside it, in the same run, the plain way of stamping a logo: a Python loop over its pixels.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import hydra
import numpy as np
import skimage.data
import torch
from hydra.utils import instantiate
from PIL import Image

from wm_lightning.data import Augmentation
from wm_lightning.data.augment import crop
from wm_lightning.data.cache import open_cache
from wm_lightning.data.pairs import WatermarkPairs
from wm_lightning.data.sources import FolderSource
from wm_lightning.data.synthesis import Synthesizer
from wm_lightning.data.synthesis.blend import Overlay, changed
from wm_lightning.data.synthesis.render import render
from wm_lightning.files import CONF

SIZE = 256
PICTURES = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")  # scikit-image's


def configured(*overrides: str) -> tuple[Synthesizer, Augmentation]:
    """Builds synthesis and augmentation from the project's configuration."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[*overrides, f"data.size={SIZE}"])
    return instantiate(config.synthesis), instantiate(config.augment)


def make_photographs(folder: Path, count: int = 40) -> None:
    """Writes JPEG files of 500x375 pixels with real content."""
    shipped = Path(skimage.data.__file__).parent
    whole = [Image.open(shipped / name).convert("RGB") for name in PICTURES]
    generator = np.random.default_rng(0)
    for number in range(count):
        image = whole[number % len(whole)]
        width = int(generator.integers(image.width // 2, image.width + 1))
        height = min(image.height, width * 3 // 4)
        left, top = (int(generator.integers(spare + 1)) for spare in (image.width - width, image.height - height))
        part = image.crop((left, top, left + width, top + height)).resize((500, 375))
        part.save(folder / f"{number}.jpg", quality=90)


def timed(action: Callable[[int], object], count: int, warm_up: int = 50) -> np.ndarray:
    """Returns the milliseconds of each of ``count`` calls, after at most ``warm_up`` unmeasured ones."""
    for number in range(min(count, warm_up)):
        action(10**6 + number)
    taken = []
    for number in range(count):
        start = time.perf_counter()
        action(number)
        taken.append(1000 * (time.perf_counter() - start))
    return np.array(taken)


def show(name: str, milliseconds: np.ndarray) -> None:
    """Prints one row."""
    p50, p99 = np.percentile(milliseconds, [50, 99])
    mean = milliseconds.mean()
    sys.stdout.write(f"{name:54} {1000 / mean:8.0f} {mean:8.3f} {p50:8.3f} {p99:8.3f}\n")
    sys.stdout.flush()


def plain_view(photograph: np.ndarray, logo: np.ndarray, opacity: float, wanted: float) -> np.ndarray:
    """Stamps a logo pixel by pixel until it covers a share of the picture."""
    generator = np.random.default_rng(0)
    image = photograph.astype(float)
    height, width = image.shape[:2]
    covered = np.zeros((height, width), dtype=bool)
    while covered.mean() < wanted:
        scale = generator.uniform(0.5, 1.0)
        size = int(logo.shape[1] * scale), int(logo.shape[0] * scale)
        stamp = np.asarray(Image.fromarray(logo).resize(size))
        left, top = int(generator.integers(width - size[0])), int(generator.integers(height - size[1]))
        for y in range(stamp.shape[0]):
            for x in range(stamp.shape[1]):
                if stamp[y, x, 3]:
                    for channel in range(3):
                        below = image[top + y, left + x, channel]
                        image[top + y, left + x, channel] = (1 - opacity) * below + opacity * stamp[y, x, channel]
                    covered[top + y, left + x] = True
    return image.astype(np.uint8)


def make_logo() -> np.ndarray:
    """Returns a logo of 150x110 pixels: (h, w, 4) uint8."""
    logo = np.zeros((110, 150, 4), dtype=np.uint8)
    cv2.circle(logo, (75, 40), 38, (255, 255, 255, 255), 8)
    cv2.putText(logo, "SAMPLE", (12, 105), cv2.FONT_HERSHEY_DUPLEX, 1, (255, 255, 255, 255), 2)
    return logo


def triplet(pairs: WatermarkPairs, number: int) -> object:
    """Makes the next pair, of a new epoch where all photographs had their turn."""
    return pairs[1 + number // len(pairs), number % len(pairs)]


def whole_triplets(folder: Path, preset: str, count: int) -> None:
    """Times what a loader process does for one item."""
    for cache, augment in (("ram", "light"), ("none", "light"), ("ram", "full"), ("ram", "none")):
        synthesizer, augmentation = configured(f"synthesis={preset}", f"augment={augment}")
        source = FolderSource(folder, 2 * SIZE, open_cache(cache))  # type: ignore[arg-type]
        pairs = WatermarkPairs(source, source.names, synthesizer, augmentation, SIZE, 0, "train")
        for number in range(len(pairs)):  # the first epoch fills the cache
            pairs[0, number]
        show(f"triplet, {preset}, cache={cache}, augment={augment}", timed(partial(triplet, pairs), count, count))


def stages(folder: Path, count: int) -> None:
    """Times the parts of a triplet by themselves."""
    synthesizer, light = configured("synthesis=diverse", "augment=light")
    _, full = configured("augment=full")
    cold, kept = FolderSource(folder, 2 * SIZE), FolderSource(folder, 2 * SIZE, open_cache("ram"))
    names = cold.names
    photograph = kept.load(names[0])
    clean = crop(photograph, SIZE)

    def generator(number: int) -> np.random.Generator:
        return np.random.default_rng(number)

    show("decode, cold JPEG", timed(lambda number: cold.load(names[number % len(names)]), count))
    for name in names:
        kept.load(name)
    show("decode, cache=ram", timed(lambda number: kept.load(names[number % len(names)]), count))
    show("augment and crop, light", timed(lambda number: light(photograph, SIZE, generator(number)), count))
    show("augment and crop, full", timed(lambda number: full(photograph, SIZE, generator(number)), count))
    show("sample one mark", timed(lambda number: synthesizer.sampler(generator(number)), count))
    for number in range(4 * count):  # draws words and letters, which are remembered
        render(synthesizer.sampler(generator(count + number)), SIZE, SIZE)
    specs = [synthesizer.sampler(generator(number)) for number in range(count)]
    show("render one mark", timed(lambda number: render(specs[number % count], SIZE, SIZE), count, 0))
    layers = [render(spec, SIZE, SIZE) for spec in specs]

    def blended(number: int) -> None:
        overlay = Overlay(SIZE, SIZE)
        overlay.put(layers[number % count])
        changed(clean, overlay.on(clean))

    show("blend one mark, with mask", timed(blended, count))


def beside_the_plain_way(count: int) -> None:
    """Times one view of a stamped logo, this project's way and the plain one, at the same coverage."""
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(make_logo()).save(Path(folder) / "logo.png")
        clean = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        synthesizer, _ = configured("synthesis=swcnn", f"synthesis.logos={folder}", "synthesis.stamped=[0.2,0.2]")
        ours = timed(lambda number: synthesizer(clean, np.random.default_rng(number)), count)
        plain = timed(lambda _: plain_view(clean, make_logo(), 0.5, 0.2), max(5, count // 40))
    show("a view at 20 % coverage, this project", ours)
    show("a view at 20 % coverage, loop over pixels", plain)
    sys.stdout.write(f"ratio of the medians: {np.median(plain) / np.median(ours):.0f}\n")


def main() -> None:
    """Runs everything on one core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="JPEG photographs")
    parser.add_argument("--count", type=int, default=1000, help="calls that are measured")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made)
        if arguments.folder is None:
            make_photographs(folder)
        sys.stdout.write(f"{'':54} {'a second':>8} {'mean ms':>8} {'p50':>8} {'p99':>8}\n")
        stages(folder, arguments.count)
        for preset in ("diverse", "watermarkcnn", "real"):
            whole_triplets(folder, preset, arguments.count)
        beside_the_plain_way(arguments.count)


if __name__ == "__main__":
    main()
