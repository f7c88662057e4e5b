"""Picture files: read as pixels to work on, written back as they were."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError

from wm_lightning.errors import UserError
from wm_lightning.files import FORMATS
from wm_lightning.inference.deep import CAMERA, ORIENTATION, TIFF_TEXTS, decode_deep, encode_deep
from wm_lightning.inference.pixels import Pixels, as_bytes

LOSSY = {"quality": 95, "subsampling": "4:4:4"}  # for JPEG that was none before
LOSSLESS = {"lossless": True, "exact": True}  # for WebP; exact: also colours that are fully transparent
WEBP_QUALITY = 90  # a WebP does not tell its own
DEEP_GREY = ("I;16", "I;16B", "I;16L")


@dataclass
class Picture:
    """A picture file in memory.

    Attributes:
        pixels: (H, W, 3) sRGB or whatever its profile says, upright, uint8 or uint16.
        grey: The file has one channel of colour.
        alpha: (H, W) of the same type; None where there is none.
        orientation: As EXIF has it, 1 to 8: how the file's rows and columns are turned.
        format: Pillow's name of the file's format.
        options: What Pillow is to be told when it writes this format again.
        metadata: What any format can take: ``exif``, ``icc_profile``, ``xmp``, ``dpi``.
        notes: What was not kept, each a few words.
        file: The file's content.
    """

    pixels: Pixels
    grey: bool
    alpha: Pixels | None
    orientation: int
    format: str
    options: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    file: bytes = b""


def read_picture(path: Path) -> Picture:
    """Reads a JPEG, PNG, WebP, TIFF or BMP file.

    Raises:
        UserError: The file cannot be read, or is no picture of these formats, or holds no colours that can be shown.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if not data:
        raise UserError(f"{path} is empty; it holds no picture.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata; the pixels are what matters
            with Image.open(io.BytesIO(data)) as opened:
                return _taken(opened, data)
    except UserError as error:
        raise UserError(f"{path} {error}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP.") from error
    except Image.DecompressionBombError as error:
        most = round(2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6)
        raise UserError(f"{path} has more than {most} megapixels; reduce it first.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged or cut short: {error}.") from error


def file_of(picture: Picture, pixels: Pixels, suffix: str) -> tuple[bytes, list[str]]:
    """Returns a picture's file with other pixels, and what was not kept.

    Where no pixel changed and the format stays it is the file that was read, since writing it again would change what
    lossy formats show. Arguments as of :func:`encode_picture`.
    """
    if FORMATS[suffix.lower()] == picture.format and np.array_equal(pixels, picture.pixels):
        return picture.file, []
    content, lost = encode_picture(picture, pixels, suffix)
    return content, picture.notes + lost


def encode_picture(picture: Picture, pixels: Pixels, suffix: str) -> tuple[bytes, list[str]]:
    """Makes a file of a picture with other pixels.

    Args:
        picture: As it was read.
        pixels: Upright, like its own.
        suffix: Of the file: ``.jpg``, ``.png``, ...

    Returns:
        The file's content, and what was not kept.
    """
    kind, notes = FORMATS[suffix.lower()], []
    deep = pixels.dtype == np.uint16
    if deep and kind not in ("PNG", "TIFF"):
        pixels, deep = as_bytes(pixels), False
        notes.append("16 bits became 8")
    alpha = picture.alpha
    if alpha is not None and not deep:
        alpha = as_bytes(alpha)
    if alpha is not None and kind in ("JPEG", "BMP"):
        pixels, alpha = _on_white(pixels, alpha), None
        notes.append("transparency became white")
    planes = [pixels.mean(axis=-1, keepdims=True).round().astype(pixels.dtype) if picture.grey else pixels]
    if alpha is not None:
        planes.append(alpha[..., None])
    planes_together = np.concatenate(planes, axis=-1)
    # A BMP cannot say how it is turned.
    turned = planes_together if kind == "BMP" else _turned_back(planes_together, picture.orientation)
    if deep and turned.shape[-1] > 1:
        content, lost = encode_deep(turned, kind, picture.orientation, picture.metadata)
        return content, notes + lost
    image = Image.fromarray(turned[..., 0] if turned.shape[-1] == 1 else turned)
    options = dict(picture.options) if kind == picture.format else {}
    if kind == "JPEG" and not options:
        options = dict(LOSSY)
    elif kind == "WEBP" and not options:
        options = dict(LOSSLESS)
    if kind == "BMP":
        notes += ["no EXIF, ICC profile or XMP"] if picture.metadata.keys() - {"dpi"} else []
        metadata = {key: value for key, value in picture.metadata.items() if key == "dpi"}
    else:
        metadata = picture.metadata
    buffer = io.BytesIO()
    image.save(buffer, kind, **options, **metadata)
    return buffer.getvalue(), notes


def _taken(opened: Image.Image, data: bytes) -> Picture:
    kind = "JPEG" if opened.format == "MPO" else str(opened.format)
    if kind not in FORMATS.values():
        raise UserError(f"is a {kind} file; give JPEG, PNG, WebP, TIFF or BMP.")
    notes = []
    if getattr(opened, "n_frames", 1) > 1:
        notes.append("only the first of its pictures was taken")
        opened.seek(0)
    orientation = opened.getexif().get(ORIENTATION, 1)  # before it is loaded: a TIFF is then turned, and forgets it
    orientation = orientation if orientation in range(1, 9) else 1
    metadata = _metadata(opened)
    opened.load()
    options = _options(opened, kind, data)
    if _bits(opened, kind, data) == 16 and opened.mode not in DEEP_GREY:
        planes, upright = decode_deep(data, kind), False
    else:
        image = plain(opened, notes, metadata)
        planes, upright = np.asarray(image), kind == "TIFF"
        planes = planes.astype(np.uint16) if image.mode in DEEP_GREY else planes
    planes = planes[..., None] if planes.ndim == 2 else planes
    grey = planes.shape[-1] <= 2
    planes = planes if upright else _turned(planes, orientation)
    alpha = np.ascontiguousarray(planes[..., -1]) if planes.shape[-1] in (2, 4) else None
    colours = np.repeat(planes[..., :1], 3, axis=-1) if grey else np.ascontiguousarray(planes[..., :3])
    return Picture(colours, grey, alpha, orientation, kind, options, metadata, notes, data)


def plain(image: Image.Image, notes: list[str], metadata: dict[str, Any]) -> Image.Image:
    """Returns a picture of grey or RGB, with alpha or not.

    Args:
        image: Of any mode.
        notes: Gets a line where the mode changed.
        metadata: Loses a profile that no longer fits.

    Raises:
        UserError: Its values have no known range.
    """
    mode = image.mode
    if mode in ("L", "LA", "RGB", "RGBA", *DEEP_GREY) and "transparency" not in image.info:
        return image
    if mode in ("F", "I"):
        raise UserError("has floating-point or 32-bit values, whose range is not known; convert it to 8 or 16 bits.")
    if mode == "CMYK":
        notes.append("CMYK became RGB")
        return _from_cmyk(image, metadata)
    if mode == "1":
        notes.append("black and white became grey")
        return image.convert("L")
    if mode == "P":
        notes.append("the palette became colours")
    elif mode in ("LAB", "HSV", "YCbCr"):
        notes.append(f"{mode} became RGB")
    if image.has_transparency_data:
        return image.convert("LA" if mode == "L" else "RGBA")
    return image.convert("RGB")


def _from_cmyk(image: Image.Image, metadata: dict[str, Any]) -> Image.Image:
    profile = metadata.pop("icc_profile", None)  # of inks, which RGB has none of
    if profile is not None:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None
            return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile says nothing
    return image.convert("RGB")


def _metadata(image: Image.Image) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    exif = image.getexif()
    if image.format == "TIFF":  # whose own tags, of how it is stored, come among the others
        for tag in set(exif) - TIFF_TEXTS - CAMERA - {ORIENTATION}:
            del exif[tag]
    if exif:
        kept["exif"] = image.info.get("exif") or exif.tobytes()
    for key in ("icc_profile", "xmp", "dpi"):
        if image.info.get(key):
            kept[key] = image.info[key]
    return kept


def _options(image: Image.Image, kind: str, data: bytes) -> dict[str, Any]:
    """Returns what makes Pillow write a file as this one was written."""
    if kind == "JPEG":
        options: dict[str, Any] = {"qtables": image.quantization}  # type: ignore[attr-defined]
        sampling = JpegImagePlugin.get_sampling(image)
        if image.mode == "RGB":  # of a sampling that cannot be written, as 4:4:0, all of the colours
            options["subsampling"] = max(sampling, 0)
        if image.info.get("progressive"):
            options["progressive"] = True
        if image.info.get("comment"):
            options["comment"] = image.info["comment"]
        return options if image.mode != "CMYK" else dict(LOSSY)
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        for key, value in getattr(image, "text", {}).items():
            if key != "XML:com.adobe.xmp":  # goes with the other metadata
                texts.add_text(key, value)
        return {"pnginfo": texts}
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


def _bits(image: Image.Image, kind: str, data: bytes) -> int:
    if kind == "PNG":
        return data[24]  # of the header, which comes first
    if kind == "TIFF":
        return int(max(image.tag_v2.get(258, (8,))))  # type: ignore[attr-defined]
    return 8


def _turned(planes: Pixels, orientation: int) -> Pixels:
    """Turns a file's rows and columns upright."""
    planes = planes.swapaxes(0, 1) if orientation > 4 else planes
    planes = planes[:, ::-1] if orientation in (2, 3, 6, 7) else planes
    return np.ascontiguousarray(planes[::-1] if orientation in (3, 4, 7, 8) else planes)


def _turned_back(planes: Pixels, orientation: int) -> Pixels:
    """Undoes :func:`_turned`."""
    # Only quarter turns are not their own inverse.
    return _turned(planes, {6: 8, 8: 6}.get(orientation, orientation))


def _on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    share = alpha[..., None] / 255
    return np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)
