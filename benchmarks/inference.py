"""Times the cleaning of picture files: ``python benchmarks/inference.py [FOLDER] [--megapixels 1 12 100]``.

First small files: this project's command against the plain way (the same network in float32 and contiguous memory, one
whole picture after the other: read, restore, write), in turns within one process. Then, with ``--megapixels``, large
JPEGs as ``predict.py`` cleans them, each in a process of its own: seconds, seconds a megapixel without what a tiny
picture takes (start of Python and PyTorch), and the process's largest memory. Without a folder of photographs, files of
500x375 pixels are made from pictures that scikit-image ships.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import skimage.data
import torch
from PIL import Image, ImageDraw, ImageFont
from synthesis import make_photographs

from wm_lightning.data.sources import FolderSource, decode
from wm_lightning.inference.command import predict
from wm_lightning.models import RestorationNet
from wm_lightning.trained import load

log = logging.getLogger("inference")
PREDICT = Path(__file__).parents[1] / "predict.py"


def marked(pixels: npt.NDArray[np.uint8], width: float = 0.5) -> Image.Image:
    """Returns a picture with a white word of opacity 0.5 across a share of its width."""
    image = Image.fromarray(pixels).convert("RGBA")
    font = ImageFont.truetype(
        f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf", round(image.width / 6 * width)
    )
    layer = Image.new("RGBA", image.size)
    place = round(image.width * (1 - width) / 2), image.height // 2
    ImageDraw.Draw(layer).text(place, "Watermark", font=font, fill=(255, 255, 255, 128))
    return Image.alpha_composite(image, layer).convert("RGB")


def small_files(source: Path, target: Path, count: int) -> list[Path]:
    """Writes marked JPEG files."""
    photographs = FolderSource(source)
    files = []
    for number in range(count):
        name = photographs.names[number % len(photographs.names)]
        files.append(target / f"{number:03d}.jpg")
        marked(photographs.load(name)).save(files[-1], quality=90)
    return files


def large_file(target: Path, megapixels: float) -> Path:
    """Writes a marked JPEG file of 4:3 with real content: a mosaic of pictures of about 500x375 pixels."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    folder = Path(skimage.data.__file__).parent
    cells = [
        cell[:300, :400] for cell in (decode(folder / name) for name in ("astronaut.png", "coffee.png", "rocket.jpg"))
    ]
    rows = [
        np.concatenate([cells[(row + column) % 3] for column in range(-(-width // 400))], axis=1) for row in range(3)
    ]
    mosaic = np.concatenate([rows[row % 3] for row in range(-(-height // 300))])[:height, :width]
    path = target / f"{megapixels:g}.jpg"
    marked(np.ascontiguousarray(mosaic)).save(path, quality=90)
    return path


def plain(net: RestorationNet, files: Sequence[Path], target: Path) -> None:
    """Cleans files the plain way."""
    for file in files:
        with Image.open(file) as opened:
            picture = torch.from_numpy(np.array(opened.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            restored = net(picture.contiguous())[0]
        pixels = (restored.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(target / file.name, quality=90)


def compare(weights: str, files: Sequence[Path], target: Path, rounds: int) -> str:
    """Times both ways in turns; returns a table."""
    net = load(weights).net
    seconds: dict[str, list[float]] = {"plain": [], "this project": []}
    predict([str(files[0]), "-o", str(target / "first"), "--weights", weights, "--overwrite", "--quiet"])
    plain(net, files[:1], target)
    for _ in range(rounds):
        started = time.perf_counter()
        plain(net, files, target)
        seconds["plain"].append(time.perf_counter() - started)
        started = time.perf_counter()
        if predict([*map(str, files), "-o", str(target / "ours"), "--weights", weights, "--overwrite", "--quiet"]):
            raise SystemExit("a picture failed")
        seconds["this project"].append(time.perf_counter() - started)
    ratios = [one / other for one, other in zip(*seconds.values(), strict=True)]
    lines = ["| | pictures/s | best turn |", "|---|---:|---:|"]
    for name, turns in seconds.items():
        lines.append(f"| {name} | {len(files) / statistics.median(turns):.2f} | {len(files) / min(turns):.2f} |")
    turns_told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return "\n".join((*lines, f"\n{len(files)} pictures, {rounds} turns; turn by turn the ratio is {turns_told}."))


def alone(weights: str, file: Path, target: Path) -> tuple[float, float]:
    """Cleans a file in a process of its own; returns seconds and the largest memory in GiB."""
    command = [
        sys.executable,
        str(PREDICT),
        str(file),
        "-o",
        str(target),
        "--weights",
        weights,
        "--overwrite",
        "--quiet",
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{file} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 2**20


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="photographs")
    parser.add_argument("--weights", default="general")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megapixels", type=float, nargs="*", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if options.rounds:
            source = options.folder or scratch / "photographs"
            if options.folder is None:
                source.mkdir()
                make_photographs(source)
            (scratch / "marked").mkdir()
            files = small_files(source, scratch / "marked", options.pictures)
            log.info(compare(options.weights, files, scratch, options.rounds))
        if options.megapixels:
            start, _ = alone(options.weights, large_file(scratch, 0.01), scratch / "out")
            log.info("\nstart: %.1f s\n\n| megapixels | seconds | a megapixel | GiB |\n|---:|---:|---:|---:|", start)
        for megapixels in options.megapixels:
            seconds, memory = alone(options.weights, large_file(scratch, megapixels), scratch / "out")
            log.info("| %g | %.1f | %.2f | %.2f |", megapixels, seconds, (seconds - start) / megapixels, memory)


if __name__ == "__main__":
    main()
