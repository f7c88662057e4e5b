"""Tags of TIFF files and of EXIF, which is a TIFF file without a picture: read, carried to another file, written."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from wm_lightning.errors import UnsupportedError

ORIENTATION, XMP, IPTC, PHOTOSHOP, PROFILE = 0x0112, 700, 33723, 34377, 34675
DNG_VERSION, LAYERS = 50706, 37724
STRIPS, STRIP_LENGTHS, TILES, TILE_LENGTHS = 273, 279, 324, 325
MANY = 10_000  # pages; of more a file is taken for damaged
RESOLUTIONS = {282, 283}
REDUCED, SUBFOLDERS, WIDTH, HEIGHT, PHOTOMETRIC = 254, 330, 256, 257, 262
COLOUR_FILTER, LINEAR_RAW = 32803, 34892  # kinds of pixels that only cameras write
FOLDERS = {34665, 34853, 40965}  # of EXIF, of places, and of interoperability
# What EXIF takes over from the tags of a TIFF file beside these folders: texts and the resolution
TEXTS = {270, 271, 272, ORIENTATION, 282, 283, 296, 305, 306, 315, 316, 318, 319, 33432}
# Tags that say how pixels are stored, which another file says for itself
STORAGE = {
    *range(254, 270), 273, *range(277, 282), 284, *range(288, 294), 297, 301, 317, *range(320, 329), 330, 332, 333, 334,
    336, 337, 338, 339, 340, 341, 342, 347, 400, *range(512, 522), 529, 530, 531, 532, LAYERS,
}  # fmt: skip
# Bytes of a value, and of the numbers that it is made of, by its type
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
SIZES_OF_BIG = SIZES | {16: 8, 17: 8, 18: 8}
PARTS = SIZES_OF_BIG | {5: 4, 10: 4}


class Tag(NamedTuple):
    """One tag.

    Attributes:
        type: As TIFF counts types.
        value: Its bytes, little-endian.
        below: The folder that it leads to, where it is known to lead to one.
    """

    type: int
    value: bytes
    below: Mapping[int, Tag] | None = None

    def number(self) -> int:
        """Returns the first number of an integer tag."""
        return int.from_bytes(self.value[: PARTS[self.type]], "little")


Tags = dict[int, Tag]


def read_tags(data: bytes) -> Tags:
    """Reads the first folder of a TIFF or BigTIFF file, or of EXIF; entries that make no sense are passed over.

    Raises:
        ValueError: It is none.
    """
    reader = _Reader(data)
    return reader.folder(reader.first())


def as_exif(tags: Tags) -> bytes:
    """Returns tags as EXIF holds them, without the name that JPEG puts before."""
    return b"II*\0\x08\0\0\0" + _folder(tags, 8)


def with_tags(file: bytes, tags: Tags) -> bytes:
    """Returns a little-endian TIFF file with more tags; its own come first."""
    file += bytes(len(file) % 2)
    together = {**tags, **read_tags(file)}
    return file[:4] + struct.pack("<I", len(file)) + file[8:] + _folder(together, len(file))


def without_thumbnail(exif: bytes) -> tuple[bytes, bool]:
    """Takes the small picture out of EXIF, in place, so that what cameras point to in notes of their own stays.

    Args:
        exif: Without the name that JPEG puts before.

    Returns:
        The EXIF, and whether there was such a picture.
    """
    try:
        reader = _Reader(exif)
        link = reader.link(reader.first())
        (second,) = struct.unpack_from(reader.order + "I", exif, link)
        if not second:
            return exif, False
        changed = bytearray(exif)
        changed[link : link + 4] = bytes(4)
        for at, length in _thumbnail_places(reader.folder(second)):
            if at + length == len(changed) and at > second:
                del changed[at:]  # mostly it comes last
            else:
                changed[at : at + length] = bytes(len(changed[at : at + length]))
        return bytes(changed), True
    except (ValueError, struct.error):
        return exif, False


def check_full(data: bytes) -> None:
    """Sees that the first picture of a TIFF file is its full one.

    Raises:
        UnsupportedError: It is not, as in raw files of cameras; the message lacks the file's name.
    """
    try:
        reader = _Reader(data)
        first = reader.folder(reader.first())
    except ValueError:
        return  # a decoder says it better
    others = reader.others(first)
    raw = DNG_VERSION in first or data[8:10] == b"CR" or any(_is_raw(one) for one in (first, *others))
    small = _is_reduced(first) and any(not _is_reduced(one) for one in others)
    if raw or small or any(_area(one) > _area(first) and not _is_reduced(one) for one in reader.below(first)):
        raise UnsupportedError("is a raw file or shows a small picture first; develop it, or save it as a plain TIFF.")


def pages_of(data: bytes) -> list[int]:
    """Returns where the folders of a TIFF file's pages are, the first included; small copies and masks are no pages.

    Raises:
        ValueError: It is no TIFF file.
    """
    reader = _Reader(data)
    first, *others = reader.chain()
    return [first, *(at for at in others if not _is_beside(reader.folder(at)))]


def page_at(data: bytes, place: int) -> bytes:
    """Returns a TIFF file of which one page is all there is, by where its folder is."""
    reader, changed = _Reader(data), bytearray(data)
    kind, start = ("Q", 8) if reader.big else ("I", 4)
    struct.pack_into(reader.order + kind, changed, start, place)
    struct.pack_into(reader.order + kind, changed, reader.link(place), 0)
    return bytes(changed)


def joined(files: Iterable[bytes]) -> bytes:
    """Returns a little-endian TIFF file of the pages of others, which are such files of one page each."""
    together, link = bytearray(b"II*\0\0\0\0\0"), 4
    for file in files:
        tags = read_tags(file)
        places, lengths = (STRIPS, STRIP_LENGTHS) if STRIPS in tags else (TILES, TILE_LENGTHS)
        moved = []
        for at, length in zip(_numbers(tags[places]), _numbers(tags[lengths]), strict=True):
            moved.append(len(together))
            together += file[at : at + length] + bytes(length % 2)
        tags[places] = Tag(4, struct.pack(f"<{len(moved)}I", *moved))
        struct.pack_into("<I", together, link, len(together))
        link = len(together) + 2 + 12 * len(tags)
        together += _folder(tags, len(together))
        together += bytes(len(together) % 2)
    return bytes(together)


def _is_beside(tags: Tags) -> bool:
    return REDUCED in tags and bool(tags[REDUCED].number() & 5)


def _thumbnail_places(tags: Tags) -> list[tuple[int, int]]:
    """Returns where the bytes of a small picture are, each piece with its length."""
    pieces = []
    for places, lengths in ((0x0201, 0x0202), (273, 279)):  # as JPEG, or in strips
        if places in tags and lengths in tags:
            pieces += list(zip(_numbers(tags[places]), _numbers(tags[lengths]), strict=False))
    return sorted(pieces, reverse=True)


def _numbers(tag: Tag) -> list[int]:
    size = PARTS[tag.type]
    return [int.from_bytes(tag.value[at : at + size], "little") for at in range(0, len(tag.value), size)]


def _is_reduced(tags: Tags) -> bool:
    return REDUCED in tags and bool(tags[REDUCED].number() & 1)


def _is_raw(tags: Tags) -> bool:
    return PHOTOMETRIC in tags and tags[PHOTOMETRIC].number() in (COLOUR_FILTER, LINEAR_RAW)


def _area(tags: Tags) -> int:
    return tags[WIDTH].number() * tags[HEIGHT].number() if WIDTH in tags and HEIGHT in tags else 0


def _folder(tags: Mapping[int, Tag], at: int) -> bytes:
    """Returns a folder that will lie at a place of a file, with all that it leads to behind it."""
    table, more = struct.pack("<H", len(tags)), b""
    behind = at + 2 + 12 * len(tags) + 4
    for number, tag in sorted(tags.items()):
        kind, value = tag.type, tag.value
        if tag.below is not None:
            kind, value = 4, struct.pack("<I", behind + len(more))
            more += _folder(tag.below, behind + len(more))
            more += bytes(len(more) % 2)
        count = len(value) // SIZES[kind]
        if len(value) > 4:
            value, put = struct.pack("<I", behind + len(more)), value
            more += put + bytes(len(put) % 2)
        table += struct.pack("<HHI", number, kind, count) + value.ljust(4, b"\0")
    return table + bytes(4) + more


class _Reader:
    """Reads folders of a file in memory.

    Raises:
        ValueError: It begins like no TIFF file.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.order = data, {b"II": "<", b"MM": ">"}.get(data[:2], "")
        if not self.order or len(data) < 8:
            raise ValueError("no TIFF file")
        self.big = data[2:4] in (b"+\0", b"\0+")

    def first(self) -> int:
        return self._number("Q", 8) if self.big else self._number("I", 4)

    def link(self, at: int) -> int:
        """Returns where a folder says which one follows."""
        count = self._number("Q" if self.big else "H", at)
        return at + 8 + 20 * count if self.big else at + 2 + 12 * count

    def folder(self, at: int, depth: int = 0) -> Tags:
        found: Tags = {}
        start, length = (at + 8, 20) if self.big else (at + 2, 12)
        for place in range(start, min(self.link(at), len(self.data) - length + 1), length):
            tag = self._tag(place, depth)
            if tag is not None:
                found[self._number("H", place)] = tag
        return found

    def below(self, tags: Tags) -> list[Tags]:
        """Returns the folders below one that hold pictures."""
        places = _numbers(tags[SUBFOLDERS]) if SUBFOLDERS in tags else []
        return [self.folder(place) for place in places if 8 <= place < len(self.data) - 8]

    def others(self, tags: Tags) -> list[Tags]:
        """Returns the folders of further pictures: those below the first, and those that follow it."""
        return self.below(tags) + [self.folder(at) for at in self.chain()[1:]]

    def chain(self) -> list[int]:
        """Returns where the folders are that follow each other, the first included."""
        found = {self.first(): None}  # in their order
        while len(found) < MANY:
            link = self.link(next(reversed(found)))
            if link + (8 if self.big else 4) > len(self.data):
                break
            at = self._number("Q" if self.big else "I", link)
            if not at or at in found or at + 8 > len(self.data):
                break
            found[at] = None
        return list(found)

    def _tag(self, place: int, depth: int) -> Tag | None:
        number, kind = self._number("H", place), self._number("H", place + 2)
        if kind not in SIZES_OF_BIG:
            return None
        length = self._number("Q" if self.big else "I", place + 4) * SIZES_OF_BIG[kind]
        at, room = (place + 12, 8) if self.big else (place + 8, 4)
        at = at if length <= room else self._number("Q" if self.big else "I", at)
        if at + length > len(self.data):
            return None
        if number in FOLDERS and depth < 2:
            where = self._number("Q" if SIZES_OF_BIG[kind] == 8 else "I", at)
            return Tag(4, b"", self.folder(where, depth + 1)) if 8 <= where < len(self.data) - 8 else None
        value = self.data[at : at + length]
        size = PARTS[kind]
        if self.order == ">" and size > 1:
            value = b"".join(value[i : i + size][::-1] for i in range(0, len(value), size))
        if size == 8 and kind > 15:  # of BigTIFF alone
            kind, value = 4, b"".join(value[i : i + 4] for i in range(0, len(value), 8))
        return Tag(kind, value)

    def _number(self, kind: str, at: int) -> int:
        try:
            return int(struct.unpack_from(self.order + kind, self.data, at)[0])
        except struct.error as error:
            raise ValueError("cut short") from error
