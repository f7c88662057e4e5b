"""Animations: their pictures as they are shown one after the other, and files of others in their places."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from wm_lightning.errors import UnsupportedError
from wm_lightning.images.pixels import Pixels
from wm_lightning.images.png import SIGNATURE, Chunk, chunks

MOVING = ("GIF", "PNG", "WEBP")  # formats whose animations are written picture by picture
SOURCE, NONE = 0, 0  # how APNG blends a picture, and what becomes of it before the next


def frames_of(opened: Image.Image) -> list[Pixels]:
    """Decodes all pictures of an animation, each as it is shown: (H, W, 1 to 4) uint8, all of as many channels."""
    images = []
    for number in range(opened.n_frames):  # type: ignore[attr-defined]
        opened.seek(number)
        grey = opened.mode in ("1", "L", "LA")
        images.append(opened.convert(("L" if grey else "RGB") + ("A" if opened.has_transparency_data else "")))
    mode = "L" if all(image.mode in ("L", "LA") for image in images) else "RGB"
    if any(image.mode.endswith("A") for image in images):
        mode += "A"
    planes = [np.atleast_3d(np.asarray(image if image.mode == mode else image.convert(mode))) for image in images]
    if opened.format == "GIF" and mode.endswith("A") and all((one[..., -1] == 255).all() for one in planes):
        planes = [one[..., :-1] for one in planes]  # a picture is opaque that leaves others as they were
    return planes


def changed_box(before: Pixels, after: Pixels) -> tuple[slice, slice]:
    """Returns rows and columns in which two pictures (H, W, n) differ; one pixel where they do not."""
    rows, columns = np.nonzero((before != after).any(axis=-1))
    if not rows.size:
        return slice(0, 1), slice(0, 1)
    return slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)


def encode_apng(file: bytes, frames: Sequence[Pixels]) -> bytes:
    """Makes an animated PNG that shows other pictures, as often and as long as a file shows its own.

    Args:
        file: The animated PNG.
        frames: As many pictures, (H, W, 1 to 4) uint8.
    """
    own = chunks(file)
    kinds = [kind for kind, _ in own]
    times = [data[20:24] for kind, data in own if kind == b"fcTL"]  # a numerator and a denominator
    if kinds.index(b"IDAT") < kinds.index(b"fcTL"):  # its first picture is for viewers that show no others
        times = [b"", *times]
    parts, number, shown = list[Chunk](), 0, frames[0]
    for place, (frame, time) in enumerate(zip(frames, times, strict=True)):
        # A picture stays, and the next is laid upon what differs; upon what is not shown lies none.
        whole = place == 0 or not times[place - 1]
        rows, columns = (slice(0, frame.shape[0]), slice(0, frame.shape[1])) if whole else changed_box(shown, frame)
        piece = chunks(_png(frame[rows, columns]))
        parts += [piece[0]] if place == 0 else []
        parts += [Chunk(b"acTL", data) for kind, data in own if kind == b"acTL" and place == 0]
        if time:
            height, width = frame[rows, columns].shape[:2]
            control = struct.pack(">IIIII", number, width, height, columns.start, rows.start)
            parts.append(Chunk(b"fcTL", control + time + bytes((NONE, SOURCE))))
            number += 1
        for data in (data for kind, data in piece if kind == b"IDAT"):
            parts.append(Chunk(b"IDAT", data) if place == 0 else Chunk(b"fdAT", struct.pack(">I", number) + data))
            number += place > 0
        shown = frame
    return SIGNATURE + b"".join(part.file() for part in (*parts, Chunk(b"IEND", b"")))


def encode_webp(file: bytes, frames: Sequence[Pixels], options: dict[str, Any]) -> bytes:
    """Makes an animated WebP that shows other pictures, as often and as long as a file shows its own.

    Args:
        file: The animated WebP.
        frames: As many pictures, (H, W, 3 or 4) uint8.
        options: What Pillow is told beside that.

    Raises:
        UnsupportedError: What was written does not show them; the message lacks the file's name.
    """
    images, buffer = [Image.fromarray(frame) for frame in frames], io.BytesIO()
    with Image.open(io.BytesIO(file)) as opened:
        times = _times(opened)
        told = {"duration": times, "loop": opened.info.get("loop", 0), "background": opened.info.get("background", 0)}
    images[0].save(buffer, "WEBP", save_all=True, append_images=images[1:], **told, **options)
    with Image.open(io.BytesIO(buffer.getvalue())) as written:
        written_times = _times(written)
        same = sum(written_times) == sum(times)  # those that are alike may have become one
        if same and options.get("lossless"):
            same = _shows(written, written_times, frames, times)
    if not same:
        raise UnsupportedError("is an animation that cannot be written as it was; save its pictures one by one.")
    return buffer.getvalue()


def _shows(written: Image.Image, durations: list[int], frames: Sequence[Pixels], times: list[int]) -> bool:
    """Says whether an animation shows pictures for as long as it is to, (H, W, n) uint8 each."""
    ends, until, place = np.cumsum(times), np.cumsum(durations), 0
    for number in range(len(durations)):
        written.seek(number)
        shown = np.asarray(written.convert("RGB" if frames[0].shape[-1] == 3 else "RGBA"))
        last = place + 1 if len(durations) == len(frames) else int(np.searchsorted(ends, until[number], "right"))
        if not all(np.array_equal(shown, frame) for frame in frames[place:last]):
            return False
        place = last
    return place == len(frames)


def _times(opened: Image.Image) -> list[int]:
    """Returns how long each picture of an animation is shown, in milliseconds."""
    times = []
    for number in range(opened.n_frames):  # type: ignore[attr-defined]
        opened.seek(number)
        opened.load()
        times.append(int(opened.info.get("duration", 0)))
    return times


def _png(planes: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(planes[..., 0] if planes.shape[-1] == 1 else planes)).save(buffer, "PNG")
    return buffer.getvalue()
