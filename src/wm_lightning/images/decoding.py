"""Pictures decoded as a viewer shows them, at their own depth: what Pillow has no mode for, or reads another way."""

from __future__ import annotations

import io
import math
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from wm_lightning.errors import UnreadableError, UnsupportedError
from wm_lightning.images import heif
from wm_lightning.images.boxes import Colours, described
from wm_lightning.images.inks import Inks, inks_of
from wm_lightning.images.kinds import is_heic
from wm_lightning.images.pixels import Pixels
from wm_lightning.images.png import chunks
from wm_lightning.images.png_colours import AS_SRGB, declared_profile, declared_transfer, numbered_profile
from wm_lightning.images.tiff import ORIENTATION, check_full

if TYPE_CHECKING:
    import tifffile

DEEP_GREY = ("I;16", "I;16B", "I;16L")
MINISWHITE, RGB = 0, 2  # kinds of pixels of TIFF
EXTRA, ASSOCIATED, UNSPECIFIED = 338, 1, 0  # what a channel beside the colours is; associated: colours times alpha
PLAIN = ("L", "LA", "RGB", "RGBA")
INKS_GONE = "CMYK became RGB"
FIRST_ALONE = "only the first of its pictures was taken"
HDR = (16, 18)  # transfers: PQ and HLG
HDR_REFUSED = "is an HDR picture (PQ or HLG), whose values are of another kind; save it as SDR."
BESIDE_GONE = "a channel beside the colours was left out"


class Decoded(NamedTuple):
    """A decoded picture.

    Attributes:
        planes: (H, W, 1 to 4) uint8 or uint16, upright: grey, grey with alpha, RGB, or RGB with alpha.
        orientation: As EXIF has it, 1 to 8: how the file's rows and columns are turned.
        profile: The ICC profile that these colours are of; None where there is none.
        notes: What became of its kind of pixels, each a few words.
        inks: (H, W, 4) uint8, upright, where these are what a file holds and the planes are what they show; the profile
            is then theirs.
    """

    planes: Pixels
    orientation: int
    profile: bytes | None
    notes: tuple[str, ...]
    inks: Pixels | None = None


def open_picture(data: bytes) -> Image.Image:
    """Opens a file's content; nothing of it is decoded yet.

    Raises:
        UnidentifiedImageError: It is of no kind that can be read.
    """
    if is_heic(data):
        heif.register()
    return Image.open(io.BytesIO(data))


def size_of(path: Path) -> tuple[int, int]:
    """Returns the width and height that a file tells; 0 where it tells none, which reading the picture explains."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(path.read_bytes()) as opened:
                width, height = opened.size
                return width, height
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0, 0


def decode_opened(opened: Image.Image, data: bytes) -> Decoded:
    """Decodes what Pillow has opened.

    Args:
        opened: By :func:`open_picture`; a JPEG may have been told to decode reduced.
        data: The file's content.

    Raises:
        UnsupportedError: Its first picture is not its full one, or its values have no known range; the message lacks
            the file's name.
        UnreadableError: It is damaged; likewise.
        OSError: It is damaged; Pillow raises ``SyntaxError``, ``ValueError`` and ``EOFError`` too.
    """
    if opened.format == "TIFF":
        check_full(data)
    notes = list[str]()
    if getattr(opened, "n_frames", 1) > 1:
        notes.append(FIRST_ALONE)
        if opened.format != "HEIF":  # which names one that comes first
            opened.seek(0)
    orientation = orientation_of(opened)  # before it is loaded: a TIFF is then turned, and forgets it
    planes, upright, profile = _planes(opened, data, notes)
    if declared_transfer(opened.format, data, profile) in HDR:
        raise UnsupportedError(HDR_REFUSED)
    planes = planes[..., None] if planes.ndim == 2 else planes
    inks = None
    if opened.mode == "CMYK" and inks_of(opened.info.get("icc_profile")) is not None:
        notes.remove(INKS_GONE)
        inks, profile = np.asarray(opened), opened.info.get("icc_profile")
        inks = inks if upright else turned(inks, orientation)
    return Decoded(planes if upright else turned(planes, orientation), orientation, profile, tuple(notes), inks)


def orientation_of(image: Image.Image) -> int:
    """Returns how EXIF says that rows and columns are turned, 1 to 8; 1 where it says nothing of sense."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except (SyntaxError, ValueError, TypeError, struct.error):
        if image.format == "PNG":  # which is decoded for it, and may be damaged
            raise
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turned(planes: Pixels, orientation: int) -> Pixels:
    """Turns a file's rows and columns, (H, W, ...), upright."""
    planes = planes.swapaxes(0, 1) if orientation > 4 else planes
    planes = planes[:, ::-1] if orientation in (2, 3, 6, 7) else planes
    return np.ascontiguousarray(planes[::-1] if orientation in (3, 4, 7, 8) else planes)


def turned_back(planes: Pixels, orientation: int) -> Pixels:
    """Undoes :func:`turned`."""
    # Only quarter turns are not their own inverse.
    return turned(planes, {6: 8, 8: 6}.get(orientation, orientation))


def plain(image: Image.Image, notes: list[str], profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Returns a picture of grey or RGB, with alpha or not, and the profile that it is still of.

    Args:
        image: Of any mode.
        notes: Gets a line where the mode changed.
        profile: ICC.

    Raises:
        UnsupportedError: Its values have no known range.
    """
    mode = image.mode
    if mode in (*PLAIN, *DEEP_GREY) and "transparency" not in image.info:
        return image, profile
    if mode in ("F", "I"):
        raise UnsupportedError(
            "has floating-point or 32-bit values, whose range is not known; convert it to 8 or 16 bits."
        )
    if mode == "CMYK":
        notes.append(INKS_GONE)
        return (inks_of(profile) or Inks()).seen(image), None  # a profile is of inks, which RGB has none of
    if mode == "1":
        notes.append("black and white became grey")
        return image.convert("LA" if "transparency" in image.info else "L"), profile
    if mode == "P" and image.format != "GIF":  # which is written with a palette again
        notes.append("the palette became colours")
    if mode in ("LAB", "HSV", "YCbCr"):
        notes.append(f"{mode} became RGB")
        profile = profile if mode == "YCbCr" else None
    if image.has_transparency_data:
        return image.convert("LA" if mode == "L" else "RGBA"), profile
    return image.convert("RGB"), profile


def _planes(opened: Image.Image, data: bytes, notes: list[str]) -> tuple[Pixels, bool, bytes | None]:
    """Returns planes, whether they are upright already, and their profile."""
    profile = opened.info.get("icc_profile")
    if opened.format == "PNG":
        profile = profile or declared_profile(data)
    if opened.format in ("AVIF", "HEIF"):
        return _of_boxes(opened, data, notes)
    if opened.format == "PNG" and _is_deep_png(data):
        opened.load()  # which notices damage that OpenCV passes over
        return _deep_png(data), False, profile
    if opened.format == "TIFF":
        bits, kind, extra = _tiff_kind(opened)
        if bits == 16 and opened.mode not in DEEP_GREY and kind in (MINISWHITE, 1, RGB):
            return _deep_tiff(data, kind, extra, notes), False, profile
        if bits > 8 and opened.mode not in (*DEEP_GREY, "F", "I"):
            notes.append(f"{bits} bits became 8")
        if len(extra) > opened.mode.endswith("A"):
            notes.append(BESIDE_GONE)
        opened.load()
        if opened.mode in DEEP_GREY:
            return _deep_grey(np.asarray(opened).astype(np.uint16), bits, kind, notes), True, profile
    opened.load()
    if opened.mode in ("1", "L") and "transparency" in opened.info:
        return _grey_with_alpha(opened, data, notes), False, profile
    image, profile = plain(opened, notes, profile)
    return np.asarray(image), opened.format == "TIFF", profile


def _of_boxes(opened: Image.Image, data: bytes, notes: list[str]) -> tuple[Pixels, bool, bytes | None]:
    """Decodes AVIF and HEIC; what :func:`_planes` returns."""
    what = described(data)
    colours = what.colours or Colours(*AS_SRGB[0], matrix=1)
    if colours.transfer in HDR:
        raise UnsupportedError(HDR_REFUSED)
    if opened.format == "HEIF":
        notes += heif.beside(opened.info)
        planes = heif.decoded(data)
    else:
        notes += [f"{what.bits} bits became 8"] if what.bits > 8 else []
        notes += ["its gain map was left out"] if b"tmap" in what.items else []
        opened.load()
        planes = np.asarray(opened)
    grey = planes.ndim == 2 or planes.shape[-1] <= 2
    profile = opened.info.get("icc_profile")
    if profile is None and (colours.primaries, colours.transfer) not in AS_SRGB:
        profile = numbered_profile(colours.primaries, colours.transfer, grey)
    return planes, opened.format == "HEIF", profile


def _is_deep_png(data: bytes) -> bool:
    return data[24] == 16  # of the header, which comes first


def _deep_png(data: bytes) -> Pixels:
    import cv2  # in functions, as below: few pictures are so deep, and a process that decodes starts sooner

    planes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None or planes.dtype != np.uint16:
        raise UnreadableError("is damaged, or its 16-bit values are of an unknown kind.")
    if planes.ndim == 2:
        transparent = _transparent_grey(data)
        if transparent is None:
            return planes
        alpha = np.where(planes == transparent, 0, 65535).astype(np.uint16)
        return np.stack((planes, alpha), axis=-1)
    grey = data[25] == 4  # of the header too: grey with alpha, which OpenCV gives as colours
    return np.ascontiguousarray(planes[..., [0, 3] if grey else [2, 1, 0, 3][: planes.shape[-1]]])


def _grey_with_alpha(opened: Image.Image, data: bytes, notes: list[str]) -> Pixels:
    """Returns grey of up to 8 bits in which one grey is transparent; Pillow compares it at another depth."""
    if opened.mode == "1":
        notes.append("black and white became grey")
    grey = np.asarray(opened.convert("L"))
    transparent = _transparent_grey(data) if opened.format == "PNG" else opened.info["transparency"]
    scale = 255 // (2 ** min(data[24], 8) - 1) if opened.format == "PNG" else 1
    alpha = np.where(grey == (transparent or 0) * scale, 0, 255).astype(np.uint8)
    return np.stack((grey, alpha), axis=-1)


def _transparent_grey(data: bytes) -> int | None:
    """Returns the grey that a PNG declares transparent, in the file's own depth."""
    return next((int.from_bytes(part[:2], "big") for kind, part in chunks(data) if kind == b"tRNS"), None)


def _tiff_kind(opened: Image.Image) -> tuple[int, int, tuple[int, ...]]:
    """Returns bits of a value, kind of pixels, and kinds of channels beside the colours."""
    tags = opened.tag_v2  # type: ignore[attr-defined]
    extra = tags.get(EXTRA, ())
    return int(max(tags.get(258, (1,)))), int(tags.get(262, 1)), extra if isinstance(extra, tuple) else (extra,)


def _deep_grey(values: Pixels, bits: int, kind: int, notes: list[str]) -> Pixels:
    """Brings grey of 9 to 16 bits to 16, 0 black."""
    if bits < 16:
        notes.append(f"{bits} bits became 16")
        values = np.rint(values * (65535 / (2**bits - 1))).astype(np.uint16)
    return 65535 - values if kind == MINISWHITE else values


def _deep_tiff(data: bytes, kind: int, extra: tuple[int, ...], notes: list[str]) -> Pixels:
    """Reads 16-bit values of several channels, not turned."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        # Of pieces that are not there tifffile makes zeros.
        if len(places) < math.prod(page.chunked) or any(at + length > len(data) for at, length in places):
            raise OSError("image file is truncated")
        try:
            planes = page.asarray()
        except ValueError:  # compressed in a way that tifffile needs another package for
            if page.planarconfig == 2:
                raise UnsupportedError(
                    "holds its channels apart, compressed in a way that cannot be read; save it uncompressed."
                ) from None
            planes = _by_opencv(data, page)
        else:
            planes = np.moveaxis(planes, 0, -1) if page.planarconfig == 2 else planes
    if planes.dtype != np.uint16 or planes.ndim != 3 or planes.shape[-1] not in (2, 3, 4):
        raise UnsupportedError("has 16-bit values of an unknown kind; save it as RGB.")
    colours = 3 if kind == RGB else 1
    values, beside = planes[..., :colours], planes[..., colours:]
    if kind == MINISWHITE:
        values = 65535 - values
    if not beside.shape[-1]:
        return np.ascontiguousarray(values)
    if not extra or extra[0] == UNSPECIFIED:
        notes.append(BESIDE_GONE)
        return np.ascontiguousarray(values)
    if extra[0] == ASSOCIATED:
        share = np.maximum(beside, 1).astype(np.float32) / 65535
        values = np.clip(np.rint(values / share), 0, 65535).astype(np.uint16)
    return np.concatenate((values, beside), axis=-1)


def _by_opencv(data: bytes, page: tifffile.TiffPage) -> Pixels:
    import cv2

    # Turned by OpenCV, and not as EXIF has it, unless it says that it is upright.
    tag, changed = page.tags.get(ORIENTATION), bytearray(data)
    if tag is not None:
        changed[tag.valueoffset : tag.valueoffset + 2] = (1).to_bytes(
            2, "little" if page.parent.byteorder == "<" else "big"
        )
    planes = cv2.imdecode(np.frombuffer(bytes(changed), np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None or planes.dtype != np.uint16 or planes.ndim != 3 or planes.shape[-1] < 3:
        raise UnreadableError("is damaged, or its 16-bit values are of an unknown kind; save it uncompressed.")
    return planes[..., [2, 1, 0, 3][: planes.shape[-1]]]
