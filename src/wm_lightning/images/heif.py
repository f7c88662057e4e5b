"""HEIC files, through pillow-heif: an extra, since its wheels hold an encoder (x265) that is under the GPL."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from wm_lightning.errors import UnsupportedError
from wm_lightning.images.boxes import IDENTITY
from wm_lightning.images.pixels import Pixels
from wm_lightning.images.xmp import left_out

AVAILABLE = find_spec("pillow_heif") is not None
QUALITY = 90  # a file does not tell its own
LOSSLESS = -1  # as pillow-heif says it
MODES = ("L", "LA", "RGB", "RGBA")  # of so many channels
BESIDE = (("thumbnails", "thumbnail"), ("depth_images", "depth map"))


def register() -> None:
    """Lets Pillow open HEIC, where the extra is installed."""
    if AVAILABLE:
        import pillow_heif  # slow to import, and few pictures need it

        pillow_heif.register_heif_opener(thumbnails=True)


def decoded(data: bytes) -> Pixels:
    """Decodes a file's first picture: (H, W, 1 to 4) uint8 or uint16, upright.

    Raises:
        OSError: It is damaged; pillow-heif raises ``ValueError``, ``EOFError`` and ``SyntaxError`` too.
    """
    import pillow_heif

    try:
        opened = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
        image = opened[opened.primary_index]
        planes: Pixels = np.asarray(image)
    except RuntimeError as error:
        raise OSError(str(error)) from error
    planes = planes[..., None] if planes.ndim == 2 else planes
    if planes.dtype == np.uint16:  # its bits are the upper ones
        bits = int(str(image.info["bit_depth"]))
        values = (planes >> (16 - bits)).astype(np.uint32)
        planes = ((values * 65535 + 2 ** (bits - 1)) // (2**bits - 1)).astype(np.uint16)
    return planes


def beside(info: Mapping[Any, Any]) -> list[str]:
    """Says what lies beside a picture that Pillow opened and is not written again, each a few words."""
    words = [word for key, word in BESIDE if info.get(key)]
    words += ["gain map" for kind in info.get("aux", {}) if "gainmap" in kind.lower()]
    return left_out(words)


def options_of(info: Mapping[Any, Any]) -> dict[str, Any]:
    """Returns, of what Pillow says of a file, what makes :func:`encoded` write a file as this one was written."""
    nclx = info.get("nclx_profile", {})
    options: dict[str, Any] = {"quality": QUALITY, "chroma": info.get("chroma", 444), "bit_depth": info["bit_depth"]}
    if nclx.get("matrix_coefficients") == IDENTITY and options["chroma"] == 444:  # which lossy files are not stored as
        options |= {"quality": LOSSLESS, "matrix_coefficients": IDENTITY}
    return options


def encoded(planes: Pixels, options: dict[str, Any], metadata: dict[str, Any]) -> bytes:
    """Makes a file of (H, W, 1 to 4) uint8 or uint16, upright.

    Args:
        planes: Grey, grey with alpha, RGB, or RGB with alpha.
        options: See :func:`options_of`.
        metadata: ``exif``, ``xmp`` and ``icc_profile``, those that there are.

    Raises:
        UnsupportedError: It cannot be written; the message lacks the file's name.
    """
    import pillow_heif

    height, width, channels = planes.shape
    mode, bits = MODES[channels - 1], options.get("bit_depth", 10)
    if planes.dtype == np.uint16:
        mode, top = f"{mode};16", 2**bits - 1
        values = (planes.astype(np.uint32) * top + 32767) // 65535
        planes = (values << (16 - bits)).astype(np.uint16)
    if channels == 1:
        options = {key: value for key, value in options.items() if key != "chroma"}
    buffer = io.BytesIO()
    try:
        pillow_heif.from_bytes(mode, (width, height), np.ascontiguousarray(planes).tobytes()).save(
            buffer, **options, **metadata
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise UnsupportedError(f"cannot be written as HEIC: {error}.") from error
    return buffer.getvalue()
