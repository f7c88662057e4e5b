"""Kinds of files that are not read: what they are, by how they begin, and what to do with them."""

from __future__ import annotations

from wm_lightning.errors import UnreadableError, UnsupportedError, UserError
from wm_lightning.images import heif
from wm_lightning.images.boxes import brands_of
from wm_lightning.images.png import SIGNATURE

TAKEN = "JPEG, PNG, WebP, TIFF or BMP"  # what anything can be saved as
DEVELOP = "develop it, and save it as TIFF or JPEG"
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# How files begin that should have been read, and were not
READ = {
    "JPEG": (b"\xff\xd8\xff",), "PNG": (SIGNATURE,), "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "GIF": (b"GIF87a", b"GIF89a"),
}  # fmt: skip
OTHERS = (
    (b"%PDF", "PDF", "save its pages as pictures first: `pdfimages -all` takes them out as they are"),
    (b"\xff\x0a", "JPEG XL", "save it as PNG or JPEG"),
    (b"\0\0\0\x0cJXL ", "JPEG XL", "save it as PNG or JPEG"),
    (b"FUJIFILMCCD-RAW", "raw (RAF)", DEVELOP),
    (b"IIRO", "raw (ORF)", DEVELOP),
    (b"IIRS", "raw (ORF)", DEVELOP),
    (b"MMOR", "raw (ORF)", DEVELOP),
    (b"IIU\0", "raw (RW2)", DEVELOP),
    (b"\0MRM", "raw (MRW)", DEVELOP),
    (b"FOVb", "raw (X3F)", DEVELOP),
    (b"II\x1a\0\0\0HEAPCCDR", "raw (CRW)", DEVELOP),
    (b"\x76\x2f\x31\x01", "OpenEXR", f"its values have no known range; give {TAKEN}"),
    (b"#?RADIANCE", "Radiance HDR", f"its values have no known range; give {TAKEN}"),
)


def is_heic(data: bytes) -> bool:
    """Says whether a file is HEIC or another kind of HEIF, by how it begins."""
    brands = brands_of(data)
    return bool(HEIC.intersection(brands)) and not {b"avif", b"avis"}.intersection(brands[:1])


def unread(data: bytes) -> UserError:
    """Returns the error of a file that no decoder takes: what it is, what to do; the message lacks the file's name."""
    for start, name, advice in OTHERS:
        if data.startswith(start):
            return UnsupportedError(f"is a {name} file; {advice}.")
    brands = brands_of(data)
    if brands[:1] == (b"crx ",):
        return UnsupportedError(f"is a raw (CR3) file; {DEVELOP}.")
    if is_heic(data) and not heif.AVAILABLE:
        return UnsupportedError('is a HEIC file, which pillow-heif reads and writes: pip install "wm-lightning[heif]".')
    known = next((name for name, starts in READ.items() if data.startswith(starts)), None)
    known = "HEIC" if is_heic(data) else known
    known = "AVIF" if {b"avif", b"avis"}.intersection(brands) else known
    if known is None:
        return UnsupportedError(f"is no picture that can be read; give {TAKEN}.")
    return UnreadableError(
        f"is a {known} file, but damaged or of a kind that cannot be read; save it anew, with 8 or 16 bits a channel."
    )
