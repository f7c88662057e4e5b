"""Picture files written back as they were, with other pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from wm_lightning.errors import TooLargeError, UnsupportedError, UserError, named
from wm_lightning.files import FORMATS
from wm_lightning.images import heif, jpeg, png
from wm_lightning.images.decoding import FIRST_ALONE, INKS_GONE, open_picture, orientation_of, turned_back
from wm_lightning.images.frames import MOVING, encode_apng, encode_webp
from wm_lightning.images.gif import encode_gif
from wm_lightning.images.inks import inks_of
from wm_lightning.images.jpeg_blocks import with_kept_blocks
from wm_lightning.images.pixels import Pixels, as_bytes
from wm_lightning.images.profiles import colours_of
from wm_lightning.images.tiff import joined, page_at, pages_of
from wm_lightning.inference.metadata import attach, told_encoder
from wm_lightning.inference.pictures import LOSSLESS, LOSSY, QUALITY, Picture

SIDES = {"JPEG": jpeg.SIDES, "WEBP": 16_383, "GIF": 65_535}  # pixels that a side may have
# Of TIFF, those that keep every value and take every mode; others become one of them
COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd")
DEFLATE = ("tiff_adobe_deflate", "tiff_deflate")
DEEP = ("PNG", "TIFF", "HEIF")  # formats that hold more than 8 bits a channel
WITHOUT_PROFILE = ("BMP", "GIF")  # which show sRGB
UPRIGHT = ("BMP", "HEIF")  # which cannot say how they are turned, or are turned by what decodes them
OPAQUE = ("JPEG", "BMP")
OF_BEFORE = ("JPEG", "GIF")  # formats in which what did not change is written by what was there

Encode = Callable[[Picture, Pixels, str, Sequence[Pixels]], tuple[bytes, list[str]]]


def file_of(
    picture: Picture, pixels: Pixels, suffix: str, encode: Encode | None = None, further: Sequence[Pixels] = ()
) -> tuple[bytes, list[str]]:
    """Returns a picture's file with other pixels, and what was not kept.

    Where no pixel changed and the format stays it is the file that was read, since writing it again would change what
    lossy formats show.

    Args:
        picture: As it was read.
        pixels: Upright, like its own.
        suffix: Of the file: ``.jpg``, ``.png``, ...
        encode: In place of :func:`encode_picture`.
        further: Pixels of the frames or pages behind the first, where the picture has such.

    Raises:
        UserError: The format cannot hold it.
    """
    pairs = zip((picture, *picture.further), (pixels, *further), strict=True)
    if FORMATS[suffix.lower()] == picture.format and all(np.array_equal(one.pixels, new) for one, new in pairs):
        return picture.file, []
    try:
        content, lost = (encode or encode_picture)(picture, pixels, suffix, further)
    except UserError as error:
        raise named(picture.path, error) from error
    return content, list(dict.fromkeys(picture.notes + lost))


def encode_picture(
    picture: Picture, pixels: Pixels, suffix: str, further: Sequence[Pixels] = ()
) -> tuple[bytes, list[str]]:
    """Makes a file of a picture with other pixels.

    Args:
        picture: As it was read.
        pixels: Upright, like its own.
        suffix: Of the file: ``.jpg``, ``.png``, ...
        further: Pixels of the frames or pages behind the first; none of them: the first alone is written.

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
    if picture.of_inks and kind != picture.format:
        notes.append(INKS_GONE)
        picture = replace(picture, stored=picture.pixels, metadata=replace(picture.metadata, profile=b""))
    if kind == "GIF" and picture.format != "GIF":
        raise UnsupportedError("is no GIF, and cannot be written as one of 256 colours; write another format.")
    together = kind == picture.format and bool(further)
    if picture.further and not together:
        notes.append(FIRST_ALONE)
    if together and kind == "TIFF":
        return _pages(picture, (pixels, *further), suffix)
    frames = list(zip((picture, *picture.further), (pixels, *further), strict=False)) if together else []
    frames = frames or [(picture, pixels)]
    planes = [_planes(one, new, kind, notes) for one, new in frames]
    if kind == "GIF":
        before = [_planes(one, one.pixels, kind, notes) for one, _ in frames]
        content, lost = encode_gif(picture.file, before, planes)
    else:
        content = _moving(picture, planes, kind) if together else _still(picture, planes[0], kind, notes)
        content, lost = attach(content, kind, (picture.format, picture.file), picture.metadata)
    _check_written(content, picture, planes[0], kind)
    return content, list(dict.fromkeys(notes + lost))


def _check_written(content: bytes, picture: Picture, planes: Pixels, kind: str) -> None:
    """Sees that a file begins as one of its picture: damaged metadata could make it none, or turn it another way.

    Raises:
        UnsupportedError: It does not; the message lacks the file's name.
    """
    orientation, sides = 1 if kind in UPRIGHT else picture.orientation, planes.shape[1::-1]
    sides = sides[::-1] if kind == "TIFF" and orientation > 4 else sides  # whose size Pillow gives as it is shown
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(content) as written:
                right = written.size == sides and orientation_of(written) == orientation
    except Exception:  # of the many kinds that readers raise
        right = False
    if not right:
        raise UnsupportedError(f"cannot be written as {kind} with its metadata, which is damaged; save it anew first.")


def _still(picture: Picture, planes: Pixels, kind: str, notes: list[str]) -> bytes:
    """Returns a file of one picture, as yet without metadata where that is put into files."""
    if kind == "HEIF":
        options = picture.options if picture.format == "HEIF" else {"quality": QUALITY, "chroma": 444}
        return heif.encoded(planes, options, told_encoder(picture.metadata, upright=True))
    if planes.dtype == np.uint16 and planes.shape[-1] > 1:
        return png.encode_deep(planes) if kind == "PNG" else _deep_tiff(picture, planes, notes)
    content = _by_pillow(picture, planes, kind, notes)
    if kind != "JPEG" or "qtables" not in picture.options:
        return content
    kept = with_kept_blocks(picture.file, content, (planes != _planes(picture, picture.pixels, kind, [])).any(axis=-1))
    if kept is None:
        notes.append("all of it was compressed anew")
    return kept or content


def _moving(picture: Picture, planes: Sequence[Pixels], kind: str) -> bytes:
    assert kind in MOVING
    if kind == "PNG":
        return encode_apng(picture.file, planes)
    if picture.grey:  # which WebP has no mode for
        planes = [one[..., [0, 0, 0, 1][: one.shape[-1] + 2]] for one in planes]
    return encode_webp(picture.file, planes, {**picture.options, **told_encoder(picture.metadata)})


def _pages(picture: Picture, pages: Iterable[Pixels], suffix: str) -> tuple[bytes, list[str]]:
    files, notes = [], list[str]()
    for one, place, pixels in zip((picture, *picture.further), pages_of(picture.file), pages, strict=True):
        alone = replace(one, file=page_at(picture.file, place), further=())
        content, lost = encode_picture(alone, pixels, suffix)
        files.append(content)
        notes += [*one.notes, *lost]
    return joined(files), list(dict.fromkeys(notes))


def _planes(picture: Picture, pixels: Pixels, kind: str, notes: list[str]) -> Pixels:
    """Returns planes (H, W, 1 to 4) as a file of a kind is to store them."""
    if picture.of_inks:
        inks = inks_of(picture.metadata.profile or None)
        assert inks is not None
        return turned_back(inks.stored(picture.stored, picture.pixels, pixels), picture.orientation)
    if picture.stored is not picture.pixels and kind not in WITHOUT_PROFILE:
        colours = colours_of(picture.metadata.profile, picture.grey)
        assert colours is not None
        pixels = colours.stored(picture.stored, picture.pixels, pixels)
    alpha = picture.alpha
    if pixels.dtype == np.uint16 and kind not in DEEP:
        pixels, alpha = as_bytes(pixels), None if alpha is None else as_bytes(alpha)
        notes.append("16 bits became 8")
    elif pixels.dtype == np.uint16 and kind == "HEIF" != picture.format:
        notes.append("16 bits became 10")
    if alpha is not None and kind in OPAQUE:
        pixels, alpha = _on_white(pixels, alpha), None
        notes.append("transparency became white")
    planes = [pixels.mean(axis=-1, keepdims=True).round().astype(pixels.dtype) if picture.grey else pixels]
    planes += [] if alpha is None else [alpha[..., None]]
    together = np.concatenate(planes, axis=-1)
    return together if kind in UPRIGHT else turned_back(together, picture.orientation)


def _by_pillow(picture: Picture, planes: Pixels, kind: str, notes: list[str]) -> bytes:
    image = Image.fromarray(planes[..., 0] if planes.shape[-1] == 1 else planes)
    if picture.of_inks:
        image = Image.frombytes("CMYK", image.size, planes.tobytes())
    options = dict(picture.options) if kind == picture.format else {}
    if kind == "JPEG" and not options:
        options = dict(LOSSY)
    elif kind == "AVIF":
        options = {**(options or {"quality": QUALITY, "subsampling": "4:4:4"}), **told_encoder(picture.metadata)}
    elif kind == "WEBP":
        options = {**(options or LOSSLESS), **told_encoder(picture.metadata)}
    elif kind == "TIFF" and options.get("compression", "raw") not in COMPRESSIONS:
        notes.append(f"compression {options['compression']} became deflate")
        options["compression"] = "tiff_adobe_deflate"
    if kind == "AVIF" and image.mode == "L":
        options["subsampling"] = "4:0:0"
    if picture.metadata.dpi is not None and kind not in ("WEBP", "AVIF"):
        options["dpi"] = picture.metadata.dpi
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError, SyntaxError, RuntimeError) as error:
        raise UnsupportedError(f"cannot be written as {kind}: {error}.") from error
    return buffer.getvalue()


def _deep_tiff(picture: Picture, planes: Pixels, notes: list[str]) -> bytes:
    import tifffile  # few pictures are so deep, and a process that encodes starts sooner

    dpi, compression = picture.metadata.dpi, picture.options.get("compression") if picture.format == "TIFF" else None
    if compression not in (None, "raw", *DEFLATE):
        notes.append(f"compression {compression} became deflate")
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        planes,
        photometric="rgb" if planes.shape[-1] > 2 else "minisblack",
        planarconfig="contig",
        compression=None if compression == "raw" else "zlib",
        predictor=compression != "raw",
        extrasamples=["unassalpha"] if planes.shape[-1] in (2, 4) else None,
        resolution=dpi,
        resolutionunit="inch" if dpi is not None else None,
        metadata=None,
        software=False,
        byteorder="<",
    )
    return buffer.getvalue()


def _on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    share = alpha[..., None] / 255
    return np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)
