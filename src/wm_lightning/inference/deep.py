"""Sixteen bits a channel in colour, which Pillow has no mode for: OpenCV and tifffile read and write them."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

from wm_lightning.errors import UserError
from wm_lightning.inference.pixels import Pixels

ORIENTATION, XMP = 0x0112, 0x02BC  # tags of EXIF and TIFF
# Tags of a TIFF: description, maker, model, software, date, artist, copyright; the folders of EXIF and GPS.
TIFF_TEXTS, CAMERA = {270, 271, 272, 305, 306, 315, 33432}, {34665, 34853}
METADATA = {
    "exif": cv2.IMAGE_METADATA_EXIF, "icc_profile": cv2.IMAGE_METADATA_ICCP, "xmp": cv2.IMAGE_METADATA_XMP,
}  # fmt: skip


def decode_deep(data: bytes, kind: str) -> Pixels:
    """Reads 16-bit colours of a PNG or TIFF file, (H, W, channels), not turned.

    Raises:
        UserError: They are damaged or of another kind; the message lacks the file's name.
    """
    data = _unturned(data) if kind == "TIFF" else data
    planes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None or planes.dtype != np.uint16:
        raise UserError("is damaged, or its 16-bit colours are of an unknown kind.")
    return np.ascontiguousarray(planes[..., [2, 1, 0, 3][: planes.shape[-1]]]) if planes.ndim == 3 else planes


def encode_deep(planes: Pixels, kind: str, orientation: int, metadata: Mapping[str, Any]) -> tuple[bytes, list[str]]:
    """Makes a PNG or TIFF file of 16-bit colours.

    Args:
        planes: (H, W, 3) or, with alpha, (H, W, 4), as they are to be stored.
        kind: ``PNG`` or ``TIFF``.
        orientation: As EXIF has it.
        metadata: As of :class:`~wm_lightning.inference.pictures.Picture`.

    Returns:
        The file's content, and what was not kept.
    """
    if kind == "PNG":
        blue_first = planes[..., [2, 1, 0, 3][: planes.shape[-1]]]
        found = {tag: metadata[key] for key, tag in METADATA.items() if key in metadata}
        # Pillow's EXIF begins with a name that belongs to JPEG.
        parts = [np.frombuffer(value.removeprefix(b"Exif\0\0"), np.uint8) for value in found.values()]
        written, content = cv2.imencodeWithMetadata(".png", np.ascontiguousarray(blue_first), list(found), parts)
        assert written
        return content.tobytes(), []
    buffer, more = io.BytesIO(), []
    if "xmp" in metadata:
        more.append((XMP, 1, len(metadata["xmp"]), metadata["xmp"], True))
    if orientation != 1:
        more.append((ORIENTATION, 3, 1, orientation, True))
    exif = Image.Exif()
    exif.load(metadata.get("exif", b""))
    more += [(tag, 2, 0, str(exif[tag]), True) for tag in sorted(TIFF_TEXTS) if tag in exif]
    tifffile.imwrite(
        buffer,
        planes,
        photometric="rgb",
        compression="zlib",
        predictor=True,
        extrasamples=["unassalpha"] if planes.shape[-1] == 4 else None,
        iccprofile=metadata.get("icc_profile"),
        resolution=metadata.get("dpi"),
        resolutionunit="inch" if "dpi" in metadata else None,
        metadata=None,
        software=False,
        extratags=more,
    )
    return buffer.getvalue(), ["no EXIF of the camera"] if CAMERA & set(exif) else []


def _unturned(data: bytes) -> bytes:
    """Returns a TIFF that says it is upright: OpenCV turns some of the others, and not as EXIF has it."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages.first.tags.get(ORIENTATION)
        order = file.byteorder
    if tag is None:
        return data
    changed = bytearray(data)
    struct.pack_into(f"{order}H", changed, tag.valueoffset, 1)
    return bytes(changed)
