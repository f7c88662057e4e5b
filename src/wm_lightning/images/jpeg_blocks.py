"""Blocks of JPEG files that keep their coefficients, through jpeglib: an extra, since it is large.

Writing a picture again moves every pixel by some levels. Where none of a block changed, the coefficients of the file
that was read are put in the place of the new ones, to the bit.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wm_lightning.images.jpeg import Segment, head

if TYPE_CHECKING:
    from jpeglib import DCTJPEG

AVAILABLE = all(find_spec(name) is not None for name in ("jpeglib", "mozjpeg_lossless_optimization"))
COMPONENTS = ("Y", "Cb", "Cr")
GREY, YCBCR = 1, 3  # colours that are stored, as libjpeg counts them
FRAMES, SCAN = (0xC0, 0xC1), 0xDA  # markers of what components there are
SIDE = 8  # pixels of a block, before colours are reduced


def with_kept_blocks(file: bytes, again: bytes, changed: npt.NDArray[np.bool_]) -> bytes | None:
    """Puts the coefficients of blocks that did not change back into a file that was written again.

    Args:
        file: As it was read.
        again: Of its size, with the same tables and sampling.
        changed: Which pixels changed, (H, W), rows and columns as the file has them.

    Returns:
        A file whose changed blocks are those of ``again``, progressive where ``file`` is. None where the extra is not
        installed, tables, sampling or colours are not the same, or jpeglib cannot read or write it.
    """
    if not AVAILABLE:
        return None
    try:
        return _mixed(file, again, changed)
    except OSError:  # of files that are damaged, or lack their tables, in a way that only Pillow's reader takes
        return None


def _mixed(file: bytes, again: bytes, changed: npt.NDArray[np.bool_]) -> bytes | None:
    import mozjpeg_lossless_optimization

    with tempfile.TemporaryDirectory() as folder:
        before, after = (_read(Path(folder) / name, data) for name, data in (("before", file), ("after", again)))
        if not _alike(before, after):
            return None
        for number, name in enumerate(COMPONENTS[: before.num_components]):
            kept = ~_changed_blocks(changed, before, number)
            mixed = getattr(after, name).copy()
            mixed[kept] = getattr(before, name)[kept]
            setattr(after, name, mixed)
        written = Path(folder) / "written.jpg"
        after.write_dct(str(written), flags=["+OPTIMIZE_CODING"])
        content = _numbered_from_one(written.read_bytes())
    return mozjpeg_lossless_optimization.optimize(content) if before.progressive_mode else content


def _read(path: Path, data: bytes) -> DCTJPEG:
    import jpeglib

    path.write_bytes(data)
    return jpeglib.read_dct(str(path))


def _numbered_from_one(file: bytes) -> bytes:
    """Returns a sequential file whose components have the numbers that JFIF gives them; jpeglib counts from 0."""
    segments, at = head(file)
    renumbered = [
        Segment(marker, data[:6] + _each(data[6:], 3)) if marker in FRAMES else Segment(marker, data)
        for marker, data in segments
    ]
    length = int.from_bytes(file[at + 2 : at + 4], "big")
    scan = Segment(
        SCAN, file[at + 4 : at + 5] + _each(file[at + 5 : at + length - 1], 2) + file[at + length - 1 : at + 2 + length]
    )
    return b"\xff\xd8" + b"".join(one.file() for one in (*renumbered, scan)) + file[at + 2 + length :]


def _each(components: bytes, size: int) -> bytes:
    """Gives components, of some bytes each, their numbers."""
    parts = (components[at + 1 : at + size] for at in range(0, len(components), size))
    return b"".join(bytes([number]) + part for number, part in enumerate(parts, start=1))


def _alike(one: DCTJPEG, other: DCTJPEG) -> bool:
    """Says whether blocks of two files may be exchanged."""
    return (
        one.num_components == other.num_components
        # By number: they compare as equal whatever they are. Of others what is written tells the wrong colours.
        and int(one.jpeg_color_space) == int(other.jpeg_color_space) in (GREY, YCBCR)
        and (one.height, one.width) == (other.height, other.width)
        and np.array_equal(_relative(one), _relative(other))
        and all(
            np.array_equal(one.get_component_qt(number), other.get_component_qt(number))
            for number in range(one.num_components)
        )
    )


def _relative(picture: DCTJPEG) -> npt.NDArray[np.int64]:
    """Returns by how much each component is reduced, down and across."""
    factors = np.asarray(picture.samp_factor)
    return np.asarray(factors.max(axis=0) // factors, np.int64)


def _changed_blocks(changed: npt.NDArray[np.bool_], picture: DCTJPEG, number: int) -> npt.NDArray[np.bool_]:
    """Returns which blocks of a component have a pixel that changed, (rows, columns)."""
    down, across = (SIDE * int(factor) for factor in _relative(picture)[number])
    rows, columns = getattr(picture, COMPONENTS[number]).shape[:2]
    padded = np.zeros((rows * down, columns * across), np.bool_)
    padded[: changed.shape[0], : changed.shape[1]] = changed
    return np.asarray(padded.reshape(rows, down, columns, across).any(axis=(1, 3)))
