"""Boxes of AVIF and HEIC files (ISO 14496-12 and 23008-12): what their pictures are, beside what decoders tell."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # boxes that hold boxes, and the bytes before these
IDENTITY = 0  # matrix of what is stored as RGB


class Colours(NamedTuple):
    """Colours that a file declares by the numbers of ITU-T H.273."""

    primaries: int
    transfer: int
    matrix: int


class Described(NamedTuple):
    """What the boxes of a file say.

    Attributes:
        brands: Kinds of files that this one is, ``avif``, ``heic``, ...
        bits: Of a value, as AV1 has it; 8 where nothing is said.
        chroma: How colours are reduced, as Pillow writes it.
        colours: None where none are declared by numbers.
        auxiliary: What kinds of maps lie beside a picture.
        items: Kinds of the parts of a file.
    """

    brands: tuple[bytes, ...]
    bits: int = 8
    chroma: str = "4:2:0"
    colours: Colours | None = None
    auxiliary: tuple[bytes, ...] = ()
    items: tuple[bytes, ...] = ()


def brands_of(data: bytes) -> tuple[bytes, ...]:
    """Returns which kinds of files a file says it is, its own first; none where it has no boxes."""
    if data[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(data[:4], "big"), len(data), 4096)
    return (data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4)))


def described(data: bytes) -> Described:
    """Reads what a file's boxes say; of several pictures, the deepest."""
    bits, chroma, colours = 8, "", None
    auxiliary, items = list[bytes](), list[bytes]()
    for kind, content in _boxes(data, 0, len(data)):
        if kind == b"av1C" and len(content) > 2:
            high, twelve, grey, across, down = (content[2] >> place & 1 for place in (6, 5, 4, 3, 2))
            bits = max(bits, (12 if twelve else 10) if high else 8)
            if not grey:
                chroma = "4:2:0" if down else "4:2:2" if across else "4:4:4"
            chroma = chroma or "4:0:0"  # unless it is that of alpha, and colours come behind
        elif kind == b"colr" and content[:4] == b"nclx" and len(content) >= 10:
            colours = colours or Colours(*struct.unpack(">HHH", content[4:10]))
        elif kind == b"auxC":
            auxiliary.append(content[4:].partition(b"\0")[0])
        elif kind == b"infe" and len(content) >= 12:
            items.append(content[8:12] if content[0] == 2 else content[10:14])
    return Described(brands_of(data), bits, chroma or "4:2:0", colours, tuple(auxiliary), tuple(items))


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields kind and content of boxes that hold no others."""
    while at + 8 <= end:
        length, kind, before = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if length == 1:
            length, before = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        length = end - at if length == 0 else length
        if length < before or at + length > end:
            return
        inside = at + before
        if kind in CONTAINERS:
            yield from _boxes(data, inside + CONTAINERS[kind], at + length)
        elif kind == b"iinf":  # a version, flags, and a number of two or four bytes
            yield from _boxes(data, inside + (6 if data[inside] == 0 else 8), at + length)
        elif kind != b"mdat":
            yield kind, data[inside : at + length]
        at += length
