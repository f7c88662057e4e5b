"""Picture files: read as pixels to work on, written back as they were."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from wm_lightning.errors import TooLargeError, UnreadableError, UnsupportedError, UserError, named
from wm_lightning.files import FORMATS
from wm_lightning.images import jpeg, png
from wm_lightning.images.decoding import decode_opened, orientation_of, turned_back
from wm_lightning.images.pixels import Pixels, as_bytes
from wm_lightning.images.profiles import colours_of
from wm_lightning.inference.metadata import Metadata, attach, for_webp, metadata_of

LOSSY = {"quality": 95, "subsampling": "4:4:4"}  # for JPEG that was none before
LOSSLESS = {"lossless": True, "exact": True}  # for WebP; exact: also colours that are fully transparent
WEBP_QUALITY = 90  # a WebP does not tell its own
SIGNATURES = {"JPEG": (b"\xff\xd8\xff",), "PNG": (png.SIGNATURE,), "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")}
SIDES = {"JPEG": jpeg.SIDES, "WEBP": 16_383}  # pixels that a side may have
# Of TIFF, those that keep every value and take every mode; others become one of them
COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd")


@dataclass
class Picture:
    """A picture file in memory.

    Attributes:
        pixels: (H, W, 3) sRGB, upright, uint8 or uint16.
        stored: The same as the file has them, of its profile; the same object where that is sRGB.
        grey: The file has one channel of colour.
        alpha: (H, W) of the same type; None where there is none.
        orientation: As EXIF has it, 1 to 8: how the file's rows and columns are turned.
        format: Pillow's name of the file's format.
        options: What Pillow is to be told when it writes this format again.
        metadata: What the file says beside its pixels.
        notes: What was not kept, each a few words.
        file: The file's content.
        path: Where it is.
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


Encode = Callable[[Picture, Pixels, str], tuple[bytes, list[str]]]


def read_picture(path: Path, data: bytes | None = None) -> Picture:
    """Reads a JPEG, PNG, WebP, TIFF or BMP file.

    Args:
        path: Where it is.
        data: Its content, where that was read already.

    Raises:
        UnreadableError: The file is not there, empty, damaged or cut short.
        UnsupportedError: It is no picture of these formats, or holds no colours that can be shown.
        TooLargeError: It has more pixels than Pillow is told to open, or needs more memory than this process may have.
    """
    try:
        data = path.read_bytes() if data is None else data
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    if not data:
        raise UnreadableError(f"{path} is empty; it holds no picture.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; the pixels are what matters
            with Image.open(io.BytesIO(data)) as opened:
                return replace(_taken(opened, data), path=path)
    except UserError as error:
        raise named(path, error) from error
    except UnidentifiedImageError as error:
        raise _unknown(path, data) from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise TooLargeError(f"{path} has more than {most:.3g} megapixels; reduce it first.") from error
    except MemoryError as error:
        raise TooLargeError(f"{path} needs more memory than it may have; reduce it first.") from error
    except Exception as error:  # of the many kinds that decoders raise where a file is not what they expect
        raise UnreadableError(f"{path} is damaged or cut short: {str(error) or type(error).__name__}.") from error


def _unknown(path: Path, data: bytes) -> UserError:
    """Returns what is said of a file's content, which no decoder takes."""
    kind = next((name for name, start in SIGNATURES.items() if data.startswith(start)), None)
    if kind is None:
        return UnsupportedError(f"{path} is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP.")
    return UnreadableError(
        f"{path} is a {kind} file, but damaged or of a kind that cannot be read; save it anew, with 8 or 16 bits "
        "a channel."
    )


def file_of(picture: Picture, pixels: Pixels, suffix: str, encode: Encode | None = None) -> tuple[bytes, list[str]]:
    """Returns a picture's file with other pixels, and what was not kept.

    Where no pixel changed and the format stays it is the file that was read, since writing it again would change what
    lossy formats show.

    Args:
        picture: As it was read.
        pixels: Upright, like its own.
        suffix: Of the file: ``.jpg``, ``.png``, ...
        encode: In place of :func:`encode_picture`.

    Raises:
        UserError: The format cannot hold it.
    """
    if FORMATS[suffix.lower()] == picture.format and np.array_equal(pixels, picture.pixels):
        return picture.file, []
    try:
        content, lost = (encode or encode_picture)(picture, pixels, suffix)
    except UserError as error:
        raise named(picture.path, error) from error
    return content, list(dict.fromkeys(picture.notes + lost))


def encode_picture(picture: Picture, pixels: Pixels, suffix: str) -> tuple[bytes, list[str]]:
    """Makes a file of a picture with other pixels.

    Args:
        picture: As it was read.
        pixels: Upright, like its own.
        suffix: Of the file: ``.jpg``, ``.png``, ...

    Returns:
        The file's content, and what was not kept.

    Raises:
        TooLargeError: A side is longer than the format's may be; the message lacks the file's name.
        UnsupportedError: The format cannot hold it; likewise.
    """
    kind, notes = FORMATS[suffix.lower()], list[str]()
    height, width = pixels.shape[:2]
    if max(height, width) > SIDES.get(kind, max(height, width)):
        raise TooLargeError(
            f"is {width}x{height} pixels, and {kind} holds at most {SIDES[kind]} a side; write another format."
        )
    planes = _planes(picture, pixels, kind, notes)
    if planes.dtype == np.uint16 and planes.shape[-1] > 1:
        content = png.encode_deep(planes) if kind == "PNG" else _deep_tiff(planes, picture.metadata.dpi)
    else:
        content = _by_pillow(picture, planes, kind, notes)
    content, lost = attach(content, kind, (picture.format, picture.file), picture.metadata)
    _check_written(content, picture, planes, kind)
    return content, notes + lost


def _check_written(content: bytes, picture: Picture, planes: Pixels, kind: str) -> None:
    """Sees that a file begins as one of its picture: damaged metadata could make it none, or turn it another way.

    Raises:
        UnsupportedError: It does not; the message lacks the file's name.
    """
    turned, sides = 1 if kind == "BMP" else picture.orientation, planes.shape[1::-1]
    sides = sides[::-1] if kind == "TIFF" and turned > 4 else sides  # whose size Pillow gives as it is shown
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as written:
                right = written.size == sides and orientation_of(written) == turned
    except Exception:  # of the many kinds that readers raise
        right = False
    if not right:
        raise UnsupportedError(f"cannot be written as {kind} with its metadata, which is damaged; save it anew first.")


def _planes(picture: Picture, pixels: Pixels, kind: str, notes: list[str]) -> Pixels:
    """Returns planes (H, W, 1 to 4) as a file of a kind is to store them."""
    if picture.stored is not picture.pixels and kind != "BMP":  # which has no profile, and so shows sRGB
        colours = colours_of(picture.metadata.profile, picture.grey)
        assert colours is not None
        pixels = colours.stored(picture.stored, picture.pixels, pixels)
    alpha = picture.alpha
    if pixels.dtype == np.uint16 and kind not in ("PNG", "TIFF"):
        pixels, alpha = as_bytes(pixels), None if alpha is None else as_bytes(alpha)
        notes.append("16 bits became 8")
    if alpha is not None and kind in ("JPEG", "BMP"):
        pixels, alpha = _on_white(pixels, alpha), None
        notes.append("transparency became white")
    planes = [pixels.mean(axis=-1, keepdims=True).round().astype(pixels.dtype) if picture.grey else pixels]
    planes += [] if alpha is None else [alpha[..., None]]
    together = np.concatenate(planes, axis=-1)
    # A BMP cannot say how it is turned.
    return together if kind == "BMP" else turned_back(together, picture.orientation)


def _by_pillow(picture: Picture, planes: Pixels, kind: str, notes: list[str]) -> bytes:
    image = Image.fromarray(planes[..., 0] if planes.shape[-1] == 1 else planes)
    options = dict(picture.options) if kind == picture.format else {}
    if kind == "JPEG" and not options:
        options = dict(LOSSY)
    elif kind == "WEBP":
        options = {**(options or LOSSLESS), **for_webp(picture.metadata)}
    elif kind == "TIFF" and options.get("compression", "raw") not in COMPRESSIONS:
        notes.append(f"compression {options['compression']} became deflate")
        options["compression"] = "tiff_adobe_deflate"
    if picture.metadata.dpi is not None and kind != "WEBP":
        options["dpi"] = picture.metadata.dpi
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError, SyntaxError, RuntimeError) as error:
        raise UnsupportedError(f"cannot be written as {kind}: {error}.") from error
    return buffer.getvalue()


def _deep_tiff(planes: Pixels, dpi: tuple[float, float] | None) -> bytes:
    import tifffile  # few pictures are so deep, and a process that encodes starts sooner

    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        planes,
        photometric="rgb" if planes.shape[-1] > 2 else "minisblack",
        planarconfig="contig",
        compression="zlib",
        predictor=True,
        extrasamples=["unassalpha"] if planes.shape[-1] in (2, 4) else None,
        resolution=dpi,
        resolutionunit="inch" if dpi is not None else None,
        metadata=None,
        software=False,
        byteorder="<",
    )
    return buffer.getvalue()


def _taken(opened: Image.Image, data: bytes) -> Picture:
    kind = "JPEG" if opened.format == "MPO" else str(opened.format)
    if kind not in FORMATS.values():
        raise UnsupportedError(f"is a {kind} file; give JPEG, PNG, WebP, TIFF or BMP.")
    planes, orientation, profile, notes = decode_opened(opened, data)
    options = _options(opened, kind, data)
    metadata = metadata_of(opened, kind, data, profile)
    grey = planes.shape[-1] <= 2
    alpha = np.ascontiguousarray(planes[..., -1]) if planes.shape[-1] in (2, 4) else None
    stored = np.repeat(planes[..., :1], 3, axis=-1) if grey else np.ascontiguousarray(planes[..., :3])
    colours = colours_of(profile, grey)
    seen = stored if colours is None else colours.seen(stored)
    return Picture(seen, stored, grey, alpha, orientation, kind, options, metadata, list(notes), data)


def _options(image: Image.Image, kind: str, data: bytes) -> dict[str, Any]:
    """Returns what makes Pillow write a file as this one was written."""
    if kind == "JPEG":
        if image.mode == "CMYK":
            return dict(LOSSY)
        options: dict[str, Any] = {"qtables": image.quantization}  # type: ignore[attr-defined]
        sampling = JpegImagePlugin.get_sampling(image)
        if image.mode == "RGB":  # of a sampling that cannot be written, as 4:4:0, all of the colours
            options["subsampling"] = max(sampling, 0)
        if image.info.get("progressive"):
            options["progressive"] = True
        return options
    if kind == "WEBP":
        return dict(LOSSLESS) if b"VP8L" in _riff_chunks(data) else {"quality": WEBP_QUALITY}
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


def _on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    share = alpha[..., None] / 255
    return np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)
