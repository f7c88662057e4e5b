"""Damaged files of each format through reading and writing: ``python benchmarks/fuzz.py --cases 2000``.

A case is a small file of one format with some changes: bytes overwritten, numbers made extreme, pieces left out,
doubled or exchanged, the rest cut off. It is read as ``predict.py`` reads it; where that gives a picture, some of its
pixels are changed, it is written, and read once more. Right is a picture of the same size and, in a lossless format,
the same pixels, or a sentence. Wrong is a process that dies or takes its time, an error that nobody thought of, and a
result that is not that picture. The same seed makes the same cases; the status is 1 if one was wrong.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from PIL import Image, ImageFilter

from wm_lightning.errors import UserError
from wm_lightning.images import heif
from wm_lightning.images.limits import Limits
from wm_lightning.inference.codecs import Codecs
from wm_lightning.inference.encoding import file_of
from wm_lightning.inference.pictures import Picture

LIMITS = Limits(megapixels=4, gigabytes=2, minutes=0.5)
LOSSLESS = ("PNG", "TIFF")
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WAYS = ("byte", "number", "cut", "leave out", "double", "exchange")
SHARES = (0.55, 0.25, 0.05, 0.05, 0.05, 0.05)  # of them among changes that are drawn
# What a sentence says where it was put in words for no reason that is known
DIED, LATE, UNFORESEEN = "ended with", "takes more than", " failed: "


class Change(NamedTuple):
    """A change of a file's content.

    Attributes:
        way: One of ``WAYS``.
        place: Where, as a share of the content's length.
        value: What is put there, or how many bytes are meant.
    """

    way: str
    place: float
    value: int


def changed(content: bytes, changes: Sequence[Change]) -> bytes:
    """Returns a content with changes made to it, one after the other."""
    for way, place, value in changes:
        at, length = int(place * max(len(content) - 1, 0)), 1 + value % 64
        head, part, rest = content[:at], content[at : at + length], content[at + length :]
        if way == "byte":
            content = head + bytes([value % 256]) + content[at + 1 :]
        elif way == "number":
            number = EXTREMES[value % len(EXTREMES)]
            content = head + number.to_bytes(4, "big" if value % 2 else "little") + content[at + 4 :]
        elif way == "cut":
            content = head
        elif way == "leave out":
            content = head + rest
        elif way == "double":
            content = head + part + part + rest
        else:
            content = head + rest[:length] + part + rest[length:]
    return content


def repaired(content: bytes) -> bytes:
    """Returns a PNG whose checksums are right again, since a reader looks at nothing that these speak against."""
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : end]
        parts.append(content[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big"))
        at = end + 4
    return b"".join(parts)


def files() -> dict[str, bytes]:
    """Returns small files of each format, by names that say what they are."""
    noise = np.random.default_rng(0).integers(0, 256, (18, 26, 4), np.uint8)
    colours = Image.fromarray(noise[..., :3]).filter(ImageFilter.GaussianBlur(1))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    told: dict[str, Any] = {"exif": exif.tobytes(), "dpi": (72, 72)}
    rgba, deep = Image.fromarray(noise), noise.astype(np.uint16) * 257
    made = {
        "baseline.jpg": _by_pillow(colours, "JPEG", **told, comment=b"said"),
        "progressive.jpg": _by_pillow(colours, "JPEG", progressive=True, subsampling="4:2:0"),
        "cmyk.jpg": _by_pillow(colours.convert("CMYK"), "JPEG"),
        "rgba.png": _by_pillow(rgba, "PNG", **told),
        "palette.png": _by_pillow(colours.quantize(9), "PNG", transparency=2),
        "bilevel.png": _by_pillow(colours.convert("1"), "PNG"),
        "animated.png": _by_pillow(colours, "PNG", save_all=True, append_images=[colours.rotate(180)]),
        "deep.png": _by_pillow(Image.fromarray(deep[..., 0]), "PNG"),
        "still.gif": _by_pillow(colours.quantize(9), "GIF", comment=b"said"),
        "animated.gif": _by_pillow(colours.quantize(9), "GIF", save_all=True, append_images=[colours.rotate(180)]),
        "colours.avif": _by_pillow(colours, "AVIF", **told),
        "alpha.avif": _by_pillow(rgba, "AVIF", subsampling="4:4:4"),
        "lossy.webp": _by_pillow(colours, "WEBP", exif=told["exif"]),
        "lossless.webp": _by_pillow(rgba, "WEBP", lossless=True, exact=True),
        "animated.webp": _by_pillow(colours, "WEBP", save_all=True, append_images=[colours.rotate(180)]),
        "rgb.bmp": _by_pillow(colours, "BMP"),
        "palette.bmp": _by_pillow(colours.quantize(9), "BMP"),
        "deep.tif": _by_tifffile(deep[..., :3]),
        "planar.tif": _by_tifffile(deep[..., :3].transpose(2, 0, 1), planarconfig="separate"),
        "big.tif": _by_tifffile(noise[..., :3], bigtiff=True),
    }
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        made[f"{compression}.tif"] = _by_pillow(colours, "TIFF", compression=compression, **told)
    made["pages.tif"] = _by_pillow(colours, "TIFF", save_all=True, append_images=[colours.rotate(180)], **told)
    made["inks.tif"] = _by_pillow(colours.convert("CMYK"), "TIFF", compression="tiff_adobe_deflate")
    if heif.AVAILABLE:
        made |= {
            f"{name}.heic": heif.encoded(planes, {"quality": 90}, {"exif": told["exif"]})
            for name, planes in (("colours", noise[..., :3]), ("deep", deep))
        }
    made["group4.tif"] = _by_pillow(colours.convert("1"), "TIFF", compression="group4")
    return made


def outcome_of(codecs: Codecs, name: str, content: bytes) -> tuple[str, str | None]:
    """Returns in a word what became of a file, and what is wrong with that; None where it is right."""
    path = Path(name)
    try:
        picture = codecs.read(path, content)
    except UserError as error:
        return _judged("not read", error)
    pixels, *further = [_inverted(one.pixels) for one in (picture, *picture.further)]
    try:
        written, notes = file_of(picture, pixels, path.suffix, codecs.encode, further)
    except UserError as error:
        return _judged("not written", error)
    try:
        again = codecs.read(path, written)
    except UserError as error:
        return "written", f"the result is no picture: {error}"
    return "written", _difference(picture, pixels, again, notes)


def _inverted(pixels: np.ndarray) -> np.ndarray:
    """Returns a picture whose upper half is that of its negative."""
    half = len(pixels) // 2 + 1
    return np.concatenate((np.iinfo(pixels.dtype).max - pixels[:half], pixels[half:]))


def _judged(what: str, error: UserError) -> tuple[str, str | None]:
    sentence = str(error)
    wrong = any(sign in sentence for sign in (DIED, LATE, UNFORESEEN))
    return f"{what}: {type(error).__name__}", sentence if wrong else None


def _difference(picture: Picture, pixels: np.ndarray, again: Picture, notes: Sequence[str]) -> str | None:
    if again.pixels.shape != pixels.shape:
        return f"the result has the shape {again.pixels.shape}, the picture {pixels.shape}"
    exact = picture.format == again.format and again.format in LOSSLESS and not notes
    if exact and picture.stored is picture.pixels and not np.array_equal(again.pixels, pixels):
        return (
            f"the result differs from the picture in {(again.pixels != pixels).any(axis=-1).mean():.0%} of its pixels"
        )
    return None


def drawn(generator: np.random.Generator) -> list[Change]:
    """Returns one to three changes, mostly near the beginning, where a file says what it is."""
    count = int(generator.integers(1, 4))
    places = generator.random(count) ** generator.choice([1, 3], count)
    values = generator.integers(0, 2**16, count).tolist()
    ways = generator.choice(len(WAYS), count, p=SHARES)
    return [Change(WAYS[way], float(place), value) for way, place, value in zip(ways, places, values, strict=True)]


def main() -> None:
    """Runs the cases and prints what became of how many, and which were wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="processes; default: %(default)s")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the files that went wrong")
    options = parser.parse_args()
    begun, started = files(), time.perf_counter()
    names = sorted(begun)

    def run(number: int) -> tuple[str, str, bytes, str, str | None]:
        generator = np.random.default_rng((options.seed, number))
        name = names[number % len(names)]
        # First each as it is, which is to be written.
        content = begun[name] if number < len(names) else changed(begun[name], drawn(generator))
        content = repaired(content) if name.endswith(".png") and number % 4 else content
        outcome, fault = outcome_of(codecs, name, content)
        if number < len(names) and outcome != "written":
            fault = f"the file is not damaged, and was {outcome}"
        return f"{number}-{name}", Path(name).suffix, content, outcome, fault

    counts, wrong = Counter[tuple[str, str]](), 0
    with Codecs(options.jobs, LIMITS) as codecs, ThreadPoolExecutor(options.jobs) as pool:
        for name, suffix, content, outcome, fault in pool.map(run, range(options.cases)):
            counts[outcome, suffix] += 1
            if fault is not None:
                wrong += 1
                sys.stdout.write(f"wrong: {name}: {fault}\n")
                if options.keep is not None:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / name).write_bytes(content)
    _print_table(counts)
    seconds = time.perf_counter() - started
    sys.stdout.write(f"\n{options.cases} cases with seed {options.seed} in {seconds:.0f} s; {wrong} wrong\n")
    sys.exit(1 if wrong else 0)


def _print_table(counts: Counter[tuple[str, str]]) -> None:
    suffixes = sorted({suffix for _, suffix in counts})
    sys.stdout.write(f"\n| became | {' | '.join(suffixes)} |\n|---|{'---:|' * len(suffixes)}\n")
    for outcome in sorted({outcome for outcome, _ in counts}):
        cells = " | ".join(str(counts[outcome, suffix]) for suffix in suffixes)
        sys.stdout.write(f"| {outcome} | {cells} |\n")


def _by_pillow(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _by_tifffile(planes: np.ndarray, **options: Any) -> bytes:  # noqa: ANN401 - tifffile's
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, planes, photometric="rgb", metadata=None, **options)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
