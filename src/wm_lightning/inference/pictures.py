"""Picture files, read as pixels to work on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from wm_lightning.errors import TooLargeError, UnreadableError, UnsupportedError, UserError, named
from wm_lightning.files import FORMATS
from wm_lightning.images import heif
from wm_lightning.images.boxes import IDENTITY, described
from wm_lightning.images.decoding import FIRST_ALONE, Decoded, decode_opened, open_picture, turned
from wm_lightning.images.frames import MOVING, frames_of
from wm_lightning.images.kinds import TAKEN, unread
from wm_lightning.images.pixels import Pixels
from wm_lightning.images.profiles import colours_of
from wm_lightning.images.tiff import page_at, pages_of
from wm_lightning.inference.metadata import Metadata, metadata_of

LOSSY = {"quality": 95, "subsampling": "4:4:4"}  # for JPEG that was none before
LOSSLESS = {"lossless": True, "exact": True}  # for WebP; exact: also colours that are fully transparent
QUALITY = 90  # of WebP and AVIF, which do not tell their own


@dataclass
class Picture:
    """A picture file in memory.

    Attributes:
        pixels: (H, W, 3) sRGB, upright, uint8 or uint16.
        stored: The same as the file has them, of its profile; the same object where that is sRGB. Of CMYK (H, W, 4)
            inks.
        grey: The file has one channel of colour.
        alpha: (H, W) of the same type; None where there is none.
        orientation: As EXIF has it, 1 to 8: how the file's rows and columns are turned.
        format: Pillow's name of the file's format.
        options: What Pillow is to be told when it writes this format again.
        metadata: What the file says beside its pixels.
        notes: What was not kept, each a few words.
        file: The file's content.
        path: Where it is.
        further: The frames of an animation, or the pages of a TIFF, behind the first; what they were read from is in
            ``file`` of the first.
    """

    pixels: Pixels
    stored: Pixels
    grey: bool
    alpha: Pixels | None
    orientation: int
    format: str
    options: dict[str, Any] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=Metadata)
    notes: list[str] = field(default_factory=list)
    file: bytes = b""
    path: Path = Path()
    further: tuple[Picture, ...] = ()

    @property
    def of_inks(self) -> bool:
        """Says whether the file holds four inks."""
        return bool(self.stored.shape[-1] == 4)


def read_picture(path: Path, data: bytes | None = None, first: bool = False) -> Picture:
    """Reads a file of a kind that :data:`~wm_lightning.files.FORMATS` lists, all frames and pages of it.

    Args:
        path: Where it is.
        data: Its content, where that was read already.
        first: Whether its first picture is enough, which its notes say then.

    Raises:
        UnreadableError: The file is not there, empty, damaged or cut short.
        UnsupportedError: It is no picture of these formats, or holds no colours that can be shown.
        TooLargeError: It has more pixels than Pillow is told to open, or needs more memory than this process may have.
    """
    try:
        if data is None and path.exists() and not path.is_file():
            what = "it is a folder, a pipe or a device; give a file, or - for the standard input"
            raise UnreadableError(f"{path} cannot be read: {what}.")
        data = path.read_bytes() if data is None else data
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    if not data:
        raise UnreadableError(f"{path} is empty; it holds no picture.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; the pixels are what matters
            with open_picture(data) as opened:
                return replace(_taken(opened, data, first), path=path)
    except UserError as error:
        raise named(path, error) from error
    except UnidentifiedImageError as error:
        raise named(path, unread(data)) from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise TooLargeError(f"{path} has more than {most:.3g} megapixels; reduce it first.") from error
    except MemoryError as error:
        raise TooLargeError(f"{path} needs more memory than it may have; reduce it first.") from error
    except Exception as error:  # of the many kinds that decoders raise where a file is not what they expect
        raise UnreadableError(f"{path} is damaged or cut short: {str(error) or type(error).__name__}.") from error


def _taken(opened: Image.Image, data: bytes, first: bool) -> Picture:
    kind = "JPEG" if opened.format == "MPO" else str(opened.format)
    if kind not in FORMATS.values():
        raise UnsupportedError(f"is a {kind} file; give {TAKEN}.")
    decoded = decode_opened(opened, data)
    options = _options(opened, kind, data)
    metadata = metadata_of(opened, kind, data, decoded.profile)
    picture = _picture(decoded, kind, options, metadata, data)
    count = getattr(opened, "n_frames", 1)
    if first or count == 1:
        return picture
    further = list[Picture]()
    if kind == "TIFF":
        further = list(_pages(data))
        if count > 1 + len(further):
            picture.notes.append("a small copy or a mask among its pages was left out")
    elif kind in MOVING and picture.pixels.dtype == np.uint8:
        _check_size(count * opened.width * opened.height)
        alike = [decoded._replace(planes=turned(one, decoded.orientation)) for one in frames_of(opened)]
        picture, *further = (_picture(one, kind, options, metadata, data) for one in alike)
    else:
        return picture
    return replace(picture, notes=[note for note in picture.notes if note != FIRST_ALONE], further=tuple(further))


def _picture(decoded: Decoded, kind: str, options: dict[str, Any], metadata: Metadata, data: bytes) -> Picture:
    planes = decoded.planes
    grey = planes.shape[-1] <= 2
    alpha = np.ascontiguousarray(planes[..., -1]) if planes.shape[-1] in (2, 4) else None
    stored = np.repeat(planes[..., :1], 3, axis=-1) if grey else np.ascontiguousarray(planes[..., :3])
    colours = colours_of(decoded.profile, grey) if decoded.inks is None else None
    seen = stored if colours is None else colours.seen(stored)
    stored = stored if decoded.inks is None else decoded.inks
    return Picture(
        seen, stored, grey, alpha, decoded.orientation, kind, options, metadata, list(decoded.notes), file=data
    )


def _pages(data: bytes) -> Iterator[Picture]:
    """Reads the pages of a TIFF file behind the first."""
    pixels = 0
    for place in pages_of(data)[1:]:
        page = page_at(data, place)
        with open_picture(page) as opened:
            pixels += opened.width * opened.height
            _check_size(pixels)
            yield replace(_taken(opened, page, first=True), file=b"")


def _check_size(pixels: int) -> None:
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    if pixels > most:
        raise TooLargeError(f"has more than {most / 1e6:.3g} megapixels, its pictures together; take it apart first.")


def _options(image: Image.Image, kind: str, data: bytes) -> dict[str, Any]:
    """Returns what makes Pillow write a file as this one was written."""
    if kind == "JPEG":
        if image.mode == "CMYK":
            tables = image.quantization  # type: ignore[attr-defined]
            return {"qtables": {0: tables[min(tables)]}, "subsampling": 0}
        options: dict[str, Any] = {"qtables": image.quantization}  # type: ignore[attr-defined]
        sampling = JpegImagePlugin.get_sampling(image)
        if image.mode == "RGB":  # of a sampling that cannot be written, as 4:4:0, all of the colours
            options["subsampling"] = max(sampling, 0)
            ids = bytes(layer[0] for layer in image.layer)  # type: ignore[attr-defined]
            if "jfif" not in image.info and (image.info.get("adobe_transform") == 0 or ids == b"RGB"):
                options["keep_rgb"] = True
        if image.info.get("progressive"):
            options["progressive"] = True
        return options
    if kind == "WEBP":
        return dict(LOSSLESS) if b"VP8L" in _riff_chunks(data) else {"quality": QUALITY}
    if kind == "AVIF":
        what = described(data)
        lossless = what.colours is not None and what.colours.matrix == IDENTITY
        return {"quality": 100 if lossless else QUALITY, "subsampling": what.chroma}
    if kind == "HEIF":
        return heif.options_of(image.info)
    if kind == "TIFF":
        return {"compression": image.info.get("compression", "raw")}
    return {}


def _riff_chunks(data: bytes) -> set[bytes]:
    """Returns the kinds of chunks of a WebP file, frames' own included."""
    kinds, place = set(), 12
    while place + 8 <= len(data):
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        kinds.add(kind)
        # A frame of an animation holds its picture's chunk behind 16 bytes of its own.
        place += 8 + 16 if kind == b"ANMF" else 8 + length + length % 2
    return kinds
