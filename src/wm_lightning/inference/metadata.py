"""What a file says beside its pixels, carried to the file that is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from wm_lightning.images import jpeg, png
from wm_lightning.images.tiff import (
    FOLDERS,
    IPTC,
    LAYERS,
    ORIENTATION,
    PHOTOSHOP,
    PROFILE,
    RESOLUTIONS,
    STORAGE,
    SUBFOLDERS,
    TEXTS,
    XMP,
    Tag,
    Tags,
    as_exif,
    read_tags,
    with_tags,
    without_thumbnail,
)
from wm_lightning.images.xmp import left_out, without_gone

ANY = ("exif", "xmp", "profile")  # of what any format but BMP can hold
BYTES, UNDEFINED = 1, 7  # types of tags
UPRIGHT = Tag(3, b"\1\0")


@dataclass(frozen=True)
class Metadata:
    """What another format than the file's own can be told.

    Attributes:
        exif: Without the name that JPEG puts before; empty where there is none, as are the others.
        xmp: XMP.
        profile: The ICC profile of the pixels as they are stored.
        dpi: Pixels per inch, across and down; None where the file does not say.
        more: What the file says beside these, by its name.
    """

    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""
    dpi: tuple[float, float] | None = None
    more: tuple[str, ...] = ()


def metadata_of(image: Image.Image, kind: str, data: bytes, profile: bytes | None) -> Metadata:
    """Reads what a file says beside its pixels.

    Args:
        image: The file, opened by Pillow and decoded.
        kind: Pillow's name of its format.
        data: Its content.
        profile: That its colours are still of, once they were decoded.
    """
    dpi, xmp = image.info.get("dpi"), image.info.get("xmp", b"")
    exif = image.info.get("exif", b"")
    if kind == "TIFF":
        tags = _tags(data)
        exif = as_exif({number: tag for number, tag in tags.items() if number in TEXTS | FOLDERS}) if tags else b""
        xmp = tags[XMP].value if XMP in tags else b""
        dpi = dpi if tags.keys() & RESOLUTIONS else None  # Pillow says 1 where nothing is said
    elif not exif and image.getexif():  # in a PNG's texts, or an orientation that XMP alone has
        exif = image.getexif().tobytes()
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    plain = exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""
    return Metadata(plain, xmp, profile or b"", dpi, _more(image, kind, data))


def attach(content: bytes, kind: str, file: tuple[str, bytes], metadata: Metadata) -> tuple[bytes, list[str]]:
    """Puts metadata into a file of pixels.

    Args:
        content: The file that is written.
        kind: Pillow's name of its format.
        file: The format and the content of the file that the pixels came from.
        metadata: Of that.

    Returns:
        The file with metadata, and what of it was not kept.
    """
    if kind in ("JPEG", "PNG") and kind == file[0]:
        if kind == "JPEG":
            segments, lost = jpeg.carried(file[1], bool(metadata.profile))
            return jpeg.with_segments(content, segments), lost
        chunks, lost = png.carried(file[1], content)
        return png.with_chunks(content, chunks), lost
    if kind == "TIFF" and file[0] == "TIFF":
        tags, lost = _carried(file[1], bool(metadata.profile))
        return with_tags(content, tags), lost
    if kind == "BMP":
        said = any(getattr(metadata, name) for name in ANY)
        return content, ["no EXIF, ICC profile or XMP"] if said else []
    given, lost = for_another(metadata)
    if kind != file[0]:
        lost += [f"no {name}" for name in metadata.more]
    if kind == "JPEG":
        segments, long = jpeg.made(given.exif, given.xmp, given.profile)
        return jpeg.with_segments(content, segments), lost + long
    if kind == "PNG":
        return png.with_chunks(content, png.made(given.exif, given.xmp, given.profile, given.dpi)), lost
    return (with_tags(content, _made(given)) if kind == "TIFF" else content), lost


def for_another(metadata: Metadata) -> tuple[Metadata, list[str]]:
    """Returns what holds in another file, without thumbnails and what announces them, and what was left out."""
    exif, had = without_thumbnail(metadata.exif)
    xmp, lost = without_gone(metadata.xmp)
    words = dict.fromkeys(lost + ["thumbnail"] * had)
    return replace(metadata, exif=exif, xmp=xmp), left_out(words)


def told_encoder(metadata: Metadata, upright: bool = False) -> dict[str, Any]:
    """Returns what Pillow or pillow-heif is told where it writes metadata itself: into WebP, AVIF and HEIC.

    Args:
        metadata: What the file said that pixels came from.
        upright: Whether the file is written upright, so that its EXIF says so.
    """
    given, _ = for_another(metadata)
    if upright and given.exif:
        tags = _tags(given.exif)
        if ORIENTATION in tags and tags[ORIENTATION] != UPRIGHT:
            given = replace(given, exif=as_exif({**tags, ORIENTATION: UPRIGHT}))
    told = {"exif": given.exif, "xmp": given.xmp, "icc_profile": given.profile}
    return {key: value for key, value in told.items() if value}


def _tags(data: bytes) -> Tags:
    try:
        return read_tags(data)
    except ValueError:
        return {}


def _carried(data: bytes, profile: bool) -> tuple[Tags, list[str]]:
    tags, lost = _tags(data), list[str]()
    kept = {number: tag for number, tag in tags.items() if number not in STORAGE}
    if not profile:
        kept.pop(PROFILE, None)
    if XMP in kept:
        xmp, words = without_gone(kept[XMP].value)
        kept[XMP] = kept[XMP]._replace(value=xmp)
        lost += words
    if PHOTOSHOP in kept:
        resources, had = jpeg.without_thumbnails(kept[PHOTOSHOP].value)
        kept[PHOTOSHOP] = kept[PHOTOSHOP]._replace(value=resources)
        lost += ["thumbnail"] * had
    if LAYERS in tags:
        lost.append("layers")
    if SUBFOLDERS in tags:
        lost.append("small copies")
    return kept, left_out(lost)


def _made(metadata: Metadata) -> Tags:
    tags = {number: tag for number, tag in _tags(metadata.exif).items() if number not in STORAGE}
    if metadata.xmp:
        tags[XMP] = Tag(BYTES, metadata.xmp)
    if metadata.profile:
        tags[PROFILE] = Tag(UNDEFINED, metadata.profile)
    return tags


def _more(image: Image.Image, kind: str, data: bytes) -> tuple[str, ...]:
    """Returns what a file says that no other format is told."""
    names = []
    if kind == "JPEG" and any(one.data.startswith(jpeg.PHOTOSHOP) for one in jpeg.head(data)[0]):
        names.append("IPTC")
    if kind == "JPEG" and image.info.get("comment"):
        names.append("comment")
    if kind == "TIFF" and {IPTC, PHOTOSHOP} & _tags(data).keys():
        names.append("IPTC")
    texts = getattr(image, "text", {}) if kind == "PNG" else {}
    return (*names, "texts") if any(key != "XML:com.adobe.xmp" for key in texts) else tuple(names)
