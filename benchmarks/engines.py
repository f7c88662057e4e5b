"""What each engine and precision gives and takes on held-out marks: ``python benchmarks/engines.py PHOTOS FILE.onnx``.

PSNR and seconds a megapixel of the weights with PyTorch in float32 and in the machine's own precision, there over
mirrored and turned copies too, and of each exported file, on the same pairs: photographs of the validation split of
``data.root=PHOTOS``, marks of ``synthesis=held_out``. The engines take turns picture by picture.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

import hydra
import numpy as np
import torch
from hydra.utils import instantiate

from wm_lightning.data.pairs import WatermarkPairs
from wm_lightning.files import CONF
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.engine import Engine
from wm_lightning.inference.onnx_engine import OnnxEngine
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.inference.tta_engine import AugmentedEngine
from wm_lightning.metrics.functional import decibels
from wm_lightning.trained import load
from wm_lightning.tta import COPIES

log = logging.getLogger("engines")


def held_out(photographs: str, size: int, *changes: str) -> WatermarkPairs:
    """Returns the validation pairs; changes are overrides of the configuration."""
    chosen = [
        "data=folder",
        "data.split_dir=null",
        f"data.root={photographs}",
        "data.target=clean",
        "data.short_side=full",
        f"data.size={size}",
    ]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", overrides=[*chosen, "synthesis=held_out", *changes])
    datamodule = instantiate(config.data)
    datamodule.setup()
    pairs: WatermarkPairs = datamodule.pairs("val")
    return pairs


def engines(weights: str, files: list[Path]) -> dict[str, Engine]:
    """Opens every engine."""
    exact = TorchEngine(load(weights).net, "cpu")
    exact.dtype = None
    usual = TorchEngine(load(weights).net, "cpu")
    found: dict[str, Engine] = {"PyTorch, float32": exact}
    for copies in COPIES:
        found[f"PyTorch, {usual.dtype}, --tta {copies}"] = AugmentedEngine(usual, copies)
    return found | {file.name: OnnxEngine(str(file), "cpu") for file in files}


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("files", nargs="*", type=Path, help="what export.py wrote")
    parser.add_argument("--weights", default="general")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--size", type=int, default=256, help="side of the square pictures in pixels")
    options = parser.parse_args()
    pairs = held_out(options.photographs, options.size)
    opened = engines(options.weights, options.files)
    errors: dict[str, list[float]] = {name: [] for name in ("identity", *opened)}
    seconds = dict.fromkeys(opened, 0.0)
    pairs.draw([(0, number) for number in range(min(options.pictures, len(pairs)))])  # which finds what is broken
    for number, place in enumerate(pairs.intact()[: options.pictures]):
        view, _ = pairs.views((0, place))
        errors["identity"].append(squared_error(view.image, view.clean))
        for name, engine in opened.items():
            if not number:
                clean_pixels(engine, view.image)
            started = time.perf_counter()
            cleaned = clean_pixels(engine, view.image).pixels
            seconds[name] += time.perf_counter() - started
            errors[name].append(squared_error(cleaned, view.clean))
    log.info("| %d pictures of %d pixels | PSNR | seconds a megapixel |\n|---|---:|---:|", number + 1, options.size)
    for name, values in errors.items():
        psnr = float(decibels(torch.tensor(values) / 255**2).mean())
        taken = seconds.get(name, 0) / (len(values) * options.size**2 / 1e6)
        log.info("| %s | %.2f | %.3f |", name, psnr, taken)


def squared_error(pixels: np.ndarray, clean: np.ndarray) -> float:
    """Returns the mean squared error of (H, W, 3) uint8 pictures."""
    return float(np.square(pixels.astype(np.float64) - clean).mean())


if __name__ == "__main__":
    main()
