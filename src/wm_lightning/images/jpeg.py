"""Segments of JPEG files: the metadata of one is carried to another, less what no longer holds."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from wm_lightning.images.tiff import without_thumbnail
from wm_lightning.images.xmp import GONE, left_out, without_gone

EXIF, XMP, EXTENDED = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
MPF = b"MPF\0"  # where further pictures are
ICC, PHOTOSHOP, GAIN_MAP = b"ICC_PROFILE\0", b"Photoshop 3.0\0", b"urn:iso:std:iso:ts:21496:-1\0"
APP0, APP1, APP2, APP11, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xFE
ALONE = {0x00, 0x01, *range(0xD0, 0xDA)}  # markers that nothing belongs to
LONGEST = 65_533  # bytes of a segment's data
THUMBNAILS = (1033, 1036)  # of Photoshop's resources
SIDES = 65_500  # pixels that a side may have


class Segment(NamedTuple):
    """One part of the head of a file: its marker's second byte and its data."""

    marker: int
    data: bytes

    def file(self) -> bytes:
        """Returns it as a file holds it."""
        return struct.pack(">BBH", 0xFF, self.marker, len(self.data) + 2) + self.data


def head(file: bytes) -> tuple[list[Segment], int]:
    """Returns the segments before a file's pixels, and where these begin."""
    found, at = [], 2
    while at + 4 <= len(file):
        marker = file[at + 1]
        if file[at] != 0xFF or marker == 0xFF:  # what no reader minds between segments, and filling
            at += 1
            continue
        if marker in ALONE:
            at += 2
            continue
        if marker == 0xDA:
            break
        length = int.from_bytes(file[at + 2 : at + 4], "big")
        found.append(Segment(marker, file[at + 4 : at + 2 + length]))
        at += 2 + max(length, 2)
    return found, at


def carried(file: bytes, profile: bool) -> tuple[list[Segment], list[str]]:
    """Returns the metadata of a file, and what was left out of it, each a few words.

    Thumbnails go, since they show the mark; so do pictures behind the first, and what announces them.

    Args:
        file: The JPEG file.
        profile: Whether its colours are still of its profile.
    """
    (segments, at), lost = head(file), list[str]()
    extension = b"".join(data for marker, data in segments if marker == APP1 and data.startswith(EXTENDED))
    extended = bool(extension) and not any(name.encode() in extension for name in GONE)
    if extension and not extended:
        lost.append("extended XMP")
    kept = []
    for segment in segments:
        stays, words = _carried(segment, profile, extended)
        lost += words
        kept += [stays] if stays is not None else []
    explained = set(lost) - {"thumbnail"}  # which lies within
    if not explained and not any(data.startswith(MPF) for _, data in segments) and _is_followed(file, at):
        lost.append("data behind the picture")
    return kept, left_out(lost)


def with_segments(file: bytes, metadata: Iterable[Segment]) -> bytes:
    """Returns a file with other metadata; it keeps its own segments that say how pixels are stored."""
    given = list(metadata)
    own, at = head(file)
    own = [one for one in own if not (APP0 < one.marker <= 0xEF or one.marker == COMMENT) or one.marker == APP14]
    if any(one.marker == APP0 for one in given):
        own = [one for one in own if one.marker != APP0]
    first = [one for one in own if one.marker == APP0] + [one for one in given if one.marker == APP0]
    rest = [one for one in given if one.marker != APP0] + [one for one in own if one.marker != APP0]
    return b"\xff\xd8" + b"".join(one.file() for one in first + rest) + file[at:]


def made(exif: bytes, xmp: bytes, profile: bytes) -> tuple[list[Segment], list[str]]:
    """Makes segments of metadata that come from another format; empty ones are none.

    Returns:
        The segments, and what is too long for JPEG, each a few words.
    """
    made, lost = [], []
    for name, head_, value in (("EXIF", EXIF, exif), ("XMP", XMP, xmp)):
        if value and len(head_ + value) > LONGEST:
            lost.append(f"no {name}, which is too long for JPEG")
        elif value:
            made.append(Segment(APP1, head_ + value))
    room = LONGEST - len(ICC) - 2
    pieces = [profile[at : at + room] for at in range(0, len(profile), room)]
    if len(pieces) > 255:
        return made, [*lost, "no ICC profile, which is too long for JPEG"]
    made += [Segment(APP2, ICC + bytes([i, len(pieces)]) + piece) for i, piece in enumerate(pieces, start=1)]
    return made, lost


def _carried(segment: Segment, profile: bool, extended: bool) -> tuple[Segment | None, list[str]]:
    """Returns what is kept of a segment, and what is lost."""
    marker, data = segment
    if marker == APP0:
        if data.startswith(b"JFXX"):
            return None, ["thumbnail"]
        if data.startswith(b"JFIF\0") and len(data) > 14:
            return Segment(APP0, data[:12] + bytes(2)), ["thumbnail"]
        return segment, []
    if marker == APP1 and data.startswith(EXIF):
        exif, had = without_thumbnail(data[len(EXIF) :])
        return Segment(APP1, EXIF + exif), ["thumbnail"] if had else []
    if marker == APP1 and data.startswith(EXTENDED):
        return (segment if extended else None), []
    if marker == APP1 and data.startswith(XMP):
        xmp, lost = without_gone(data[len(XMP) :], extended)
        return (Segment(APP1, XMP + xmp) if xmp and len(XMP + xmp) <= LONGEST else None), lost
    if marker == APP2 and (data.startswith(MPF) or (data.startswith(ICC) and not profile)):
        return None, []
    if marker == APP2 and data.startswith(GAIN_MAP):
        return None, ["gain map"]
    if marker == APP11:
        return None, ["content credentials" if b"c2pa" in data else "APP11 data"]
    if marker == APP13 and data.startswith(PHOTOSHOP):
        resources, had = without_thumbnails(data[len(PHOTOSHOP) :])
        return Segment(APP13, PHOTOSHOP + resources), ["thumbnail"] if had else []
    metadata = APP0 < marker <= 0xEF or marker == COMMENT
    return (segment if metadata and marker != APP14 else None), []


def _is_followed(file: bytes, pixels: int) -> bool:
    """Says whether there is more behind a picture, whose pixels begin at a place; what fills up is nothing."""
    end = file.find(b"\xff\xd9", pixels)
    return end > 0 and bool(file[end + 2 :].strip(b"\0\n\r "))


def without_thumbnails(resources: bytes) -> tuple[bytes, bool]:
    """Takes small pictures out of Photoshop's resources; returns the others, and whether there were any."""
    kept, at = b"", 0
    while resources[at : at + 4] == b"8BIM" and at + 12 <= len(resources):
        number, name = struct.unpack_from(">HB", resources, at + 4)
        start = at + 6 + (name + 2) // 2 * 2
        following = start + 4 + (int.from_bytes(resources[start : start + 4], "big") + 1) // 2 * 2
        kept += b"" if number in THUMBNAILS else resources[at:following]
        at = following
    kept += resources[at:]
    return (kept, True) if len(kept) < len(resources) else (resources, False)
