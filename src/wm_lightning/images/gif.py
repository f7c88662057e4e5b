"""GIF files: other pictures in the places of a file's own, with all that it says beside them."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.errors import UnreadableError, UnsupportedError
from wm_lightning.images.frames import changed_box
from wm_lightning.images.pixels import Pixels
from wm_lightning.images.xmp import left_out, without_gone

COLOURS = 256
EXTENSION, PICTURE, END, CONTROL, APPLICATION = 0x21, 0x2C, 0x3B, 0xF9, 0xFF
XMP = b"\x0bXMP DataXMP"
STAYS, CLEARED = 1 << 2, 2 << 2  # what becomes of a picture before the next
SEEN_THROUGH, USER_INPUT = 1, 2
AT_ONCE = 16384  # colours that are compared with a palette together, for the memory

Codes = npt.NDArray[np.uint32]


class Block(NamedTuple):
    """One part of a file behind its head: its first byte, for extensions its second, and all of it."""

    kind: int
    label: int
    data: bytes


def read_blocks(file: bytes) -> tuple[bytes, list[Block]]:
    """Returns a file's head, with its palette, and its parts, as far as they are whole."""
    at = 13 + _palette_length(file[10])
    head, blocks = file[:at], list[Block]()
    while at < len(file) and file[at] in (EXTENSION, PICTURE):
        kind, start = file[at], at
        label = file[at + 1] if kind == EXTENSION else 0
        at += 2 if kind == EXTENSION else 11 + _palette_length(file[at + 9])
        if kind == EXTENSION and file[at : at + 12] == XMP:  # which is not cut into pieces
            end = file.find(b"\0\0", at)
            at = end + 1 if end > 0 else len(file)
        while at < len(file) and file[at]:
            at += 1 + file[at]
        at += 1
        blocks.append(Block(kind, label, file[start:at]))
    return head, blocks


def encode_gif(file: bytes, before: Sequence[Pixels], after: Sequence[Pixels]) -> tuple[bytes, list[str]]:
    """Makes a GIF that shows other pictures, as often and as long as a file shows its own.

    Pixels that are as before keep their colours exactly; those that changed get colours of their own while there are
    fewer than 256, and else the nearest.

    Args:
        file: The GIF.
        before: As it shows its pictures: (H, W, 1 to 4) uint8, transparent or not.
        after: What is to be shown.

    Returns:
        The file, and what was left out, each a few words.

    Raises:
        UnsupportedError: One picture has more than 256 colours that did not change; the message lacks the file's name.
        UnreadableError: The file holds fewer pictures; likewise.
    """
    head, blocks = read_blocks(file)
    places = [place for place, block in enumerate(blocks) if block.kind == PICTURE]
    if len(places) < len(after):
        raise UnreadableError("is damaged or cut short; save it anew.")
    blocks = blocks[: places[len(after) - 1] + 1]  # the first alone, where no others are given
    see_through = after[0].shape[-1] in (2, 4)
    parts, notes, shown = [b"GIF89a" + head[6:]], list[str](), None
    pictures, control = zip(before, after, strict=True), bytes(4)
    for block in blocks:
        if block.label == CONTROL and block.kind == EXTENSION:
            control = block.data[3:7]
        elif block.kind == PICTURE:
            old, new = next(pictures)
            parts.append(_picture(old, new, None if see_through else shown, control, see_through))
            shown, control = new, bytes(4)
        elif block.label == APPLICATION and block.data[2:14] == XMP:
            xmp, lost = without_gone(block.data[14:-258])  # 258 bytes close it
            notes += left_out(lost)
            parts.append(block.data if not lost else block.data[:14] + xmp + block.data[-258:] if xmp else b"")
        else:
            parts.append(block.data)
    return b"".join(parts) + bytes([END]), notes


def _picture(old: Pixels, new: Pixels, shown: Pixels | None, control: bytes, see_through: bool) -> bytes:
    """Returns the blocks of one picture.

    Args:
        old: As it was.
        new: As it is to be.
        shown: What is there already, so that only what differs is written; None: nothing.
        control: Its flags, time (two bytes) and transparent colour, as the file has them.
        see_through: Whether it is transparent in part.
    """
    rows, columns = (slice(0, new.shape[0]), slice(0, new.shape[1])) if shown is None else changed_box(shown, new)
    old, new = old[rows, columns], new[rows, columns]
    hidden = new[..., -1] < 128 if see_through else np.zeros(new.shape[:2], np.bool_)
    if shown is not None:
        hidden = (shown[rows, columns] == new).all(axis=-1)
    codes = _codes(new)
    palette = _palette(codes, (old == new).all(axis=-1), hidden)
    indices = _indices(codes, palette, hidden)
    height, width = indices.shape
    flags = (CLEARED if see_through else STAYS) | SEEN_THROUGH * bool(hidden.any()) | control[0] & USER_INPUT
    extension = bytes((EXTENSION, CONTROL, 4, flags)) + control[1:3] + bytes((COLOURS - 1, 0))
    descriptor = struct.pack("<BHHHHB", PICTURE, columns.start, rows.start, width, height, 0x87)
    table = np.zeros((COLOURS, 3), np.uint8)
    table[: len(palette)] = palette
    return extension + descriptor + table.tobytes() + _compressed(indices)


def _codes(planes: Pixels) -> Codes:
    """Returns a number for each pixel's colour, (H, W)."""
    wide = planes.astype(np.uint32)
    wide = np.repeat(wide[..., :1], 3, axis=-1) if planes.shape[-1] < 3 else wide[..., :3]
    codes: Codes = wide @ np.array((1 << 16, 1 << 8, 1), np.uint32)
    return codes


def _palette(codes: Codes, kept: npt.NDArray[np.bool_], hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Returns colours for a picture, (N, 3), those of kept pixels among them."""
    most = COLOURS - 1 if hidden.any() else COLOURS
    exact = np.unique(codes[kept & ~hidden])
    if exact.size > most:
        raise UnsupportedError(
            "shows more than 256 colours in one picture, which cannot be written; save it as WebP or PNG."
        )
    new = codes[~kept & ~hidden]
    if new.size and most > exact.size:
        wanted, room = np.unique(new), most - exact.size
        if wanted.size > room:
            pixels = Image.fromarray(_colours(new)[None])
            reduced = pixels.quantize(room, Image.Quantize.MEDIANCUT).convert("RGB")
            wanted = np.unique(_codes(np.asarray(reduced)))
        exact = np.union1d(exact, wanted)
    return _colours(exact if exact.size else np.zeros(1, np.uint32))


def _colours(codes: Codes) -> npt.NDArray[np.uint8]:
    return np.stack((codes >> 16, codes >> 8 & 255, codes & 255), axis=-1).astype(np.uint8)


def _indices(codes: Codes, palette: npt.NDArray[np.uint8], hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Returns for each pixel the number of its colour, or of the nearest."""
    found, where = np.unique(codes, return_inverse=True)
    nearest = np.concatenate(
        [_nearest(_colours(found[at : at + AT_ONCE]), palette) for at in range(0, len(found), AT_ONCE)]
    )
    indices: npt.NDArray[np.uint8] = nearest[where.reshape(codes.shape)]
    return np.where(hidden, np.uint8(COLOURS - 1), indices)


def _nearest(colours: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns for each colour, (N, 3), the number of the nearest in a palette, (P, 3); the first of several."""
    given, offered = colours.astype(np.float32), palette.astype(np.float32)
    # The squared distance less that of the colour to black: all are whole numbers that float32 holds
    distances = (offered**2).sum(axis=1) - 2 * given @ offered.T
    return np.asarray(distances.argmin(axis=1), np.uint8)


def _compressed(indices: npt.NDArray[np.uint8]) -> bytes:
    """Returns a picture's data as GIF has it, behind its palette."""
    image, buffer = Image.fromarray(indices), io.BytesIO()
    image = image.convert("P")
    image.putpalette(np.arange(COLOURS, dtype=np.uint8).repeat(3).tobytes())
    image.save(buffer, "GIF", interlace=0, optimize=False)
    _, blocks = read_blocks(buffer.getvalue())
    data = next(block.data for block in blocks if block.kind == PICTURE)
    return data[10 + _palette_length(data[9]) :]


def _palette_length(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
