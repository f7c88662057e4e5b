"""Chunks of PNG files: the metadata of one is carried to another; pictures of 16 bits a channel are written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from wm_lightning.images.pixels import Pixels
from wm_lightning.images.tiff import without_thumbnail
from wm_lightning.images.xmp import left_out, without_gone

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = b"XML:com.adobe.xmp\0"
MOST = 2**26  # bytes of XMP that is compressed
COLOURS = {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI"}  # which change how pixels are shown
HOW = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"hIST", b"acTL", b"fcTL", b"fdAT"}
OF_STORED = {b"bKGD": "background colour", b"sBIT": "number of significant bits"}  # in numbers of its kind of pixels
KEPT = {b"eXIf", b"pHYs", b"tIME", b"sPLT", b"oFFs", b"pCAL", b"sCAL", b"sTER"}


class Chunk(NamedTuple):
    """One part of a file."""

    kind: bytes
    data: bytes

    def file(self) -> bytes:
        """Returns it as a file holds it."""
        return (
            struct.pack(">I", len(self.data)) + self.kind + self.data + struct.pack(">I", zlib.crc32(self[0] + self[1]))
        )


def chunks(file: bytes) -> list[Chunk]:
    """Returns the parts of a file."""
    found, at = [], 8
    while at + 12 <= len(file):
        length = int.from_bytes(file[at : at + 4], "big")
        found.append(Chunk(file[at + 4 : at + 8], file[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def carried(file: bytes, written: bytes) -> tuple[list[Chunk], list[str]]:
    """Returns the metadata of a file, and what was left out of it, each a few words.

    Args:
        file: The file.
        written: That gets its metadata; whose pixels may be of another depth or kind.
    """
    kept, lost = [], list[str]()
    alike = file[24:26] == written[24:26]  # of the header: depth and kind
    for chunk in chunks(file):
        kind, data = chunk
        if kind in HOW:
            continue
        if kind == b"eXIf":
            exif, had = without_thumbnail(data)
            kept.append(Chunk(kind, exif))
            lost += ["thumbnail"] if had else []
        elif kind == b"iTXt" and data.startswith(XMP):
            cleaned, words = _xmp(data)
            lost += words
            kept += [cleaned] if cleaned is not None else []
        elif kind in OF_STORED:
            kept += [chunk] if alike else []
            lost += [] if alike else [OF_STORED[kind]]
        elif kind == b"caBX":
            lost.append("content credentials")
        # A small fourth letter says that a chunk holds whatever becomes of the pixels.
        elif kind in COLOURS or kind in KEPT or (kind.isalpha() and kind[3:].islower()):
            kept.append(chunk)
    return kept, left_out(lost)


def with_chunks(file: bytes, metadata: Iterable[Chunk]) -> bytes:
    """Returns a file with other metadata."""
    first, *rest = (one for one in chunks(file) if one.kind in HOW)
    return SIGNATURE + b"".join(one.file() for one in (first, *metadata, *rest))


def made(exif: bytes, xmp: bytes, profile: bytes, dpi: tuple[float, float] | None) -> list[Chunk]:
    """Makes chunks of metadata that come from another format; empty ones are none."""
    found = [Chunk(b"iCCP", b"ICC\0\0" + zlib.compress(profile))] if profile else []
    if dpi is not None:
        found.append(Chunk(b"pHYs", struct.pack(">IIB", *(round(float(one) / 0.0254) for one in dpi), 1)))
    found += [Chunk(b"eXIf", exif)] if exif else []
    return found + ([Chunk(b"iTXt", XMP + bytes(4) + xmp)] if xmp else [])


def encode_deep(planes: Pixels) -> bytes:
    """Makes a file of (H, W, 1 to 4) uint16: grey, grey with alpha, RGB, or RGB with alpha."""
    height, width, channels = planes.shape
    header = struct.pack(">IIBBBBB", width, height, 16, (0, 4, 2, 6)[channels - 1], 0, 0, 0)
    rows = np.ascontiguousarray(planes.astype(">u2")).view(np.uint8).reshape(height, width, 2 * channels)
    step = rows.copy()
    step[:, 1:] -= rows[:, :-1]  # the filter "Sub", which photographs are smaller with
    filtered = np.concatenate((np.ones((height, 1), np.uint8), step.reshape(height, -1)), axis=1)
    parts = (Chunk(b"IHDR", header), Chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)), Chunk(b"IEND", b""))
    return SIGNATURE + b"".join(part.file() for part in parts)


def _xmp(data: bytes) -> tuple[Chunk | None, list[str]]:
    compressed, rest = data[len(XMP)], data[len(XMP) + 2 :]
    language, _, rest = rest.partition(b"\0")
    translated, _, text = rest.partition(b"\0")
    try:
        text = zlib.decompressobj().decompress(text, MOST) if compressed else text
    except zlib.error:
        return None, ["XMP"]
    xmp, lost = without_gone(text)
    if not lost:
        return Chunk(b"iTXt", data), []
    return (Chunk(b"iTXt", XMP + bytes(2) + language + b"\0" + translated + b"\0" + xmp) if xmp else None), lost
