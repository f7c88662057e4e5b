"""Pictures of different sizes, put upon each other so that a mark may lie at one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.data.sources import BrokenPictureError, decode
from wm_lightning.errors import UserError
from wm_lightning.mark.known import Place

Picture = npt.NDArray[np.uint8]
Kind = TypeVar("Kind", np.uint8, np.float32)
SHARES = (0.0, 0.5, 1.0)
ENOUGH = 10  # pictures on which a mark is measured that grows with them, and at least a third of all


class Anchoring(NamedTuple):
    """A way to put pictures upon each other.

    Attributes:
        anchor: The point that they have in common, in shares of height and width.
        width: They are first resized to it; None: they keep their sizes.
    """

    anchor: tuple[float, float]
    width: int | None = None

    def stacked(self, pictures: Sequence[Picture]) -> Picture:
        """Returns what all pictures have around the anchor, (N, h, w, C)."""
        alike = [resized(picture, self.width) for picture in pictures]
        size = min(one.shape[0] for one in alike), min(one.shape[1] for one in alike)
        return np.stack([cut(one, self.anchor, size) for one in alike])

    def framed(self, picture: Picture, number: int, size: tuple[int, int]) -> Picture:
        """Returns the part of a picture that a stack of a height and width has; all picture numbers are alike."""
        return cut(resized(picture, self.width), self.anchor, size)

    def enlarged(self, times: float) -> Anchoring:
        """Returns the same way for pictures so many times as large."""
        return self if self.width is None else self._replace(width=round(self.width * times))

    def place(self, corner: tuple[int, int], size: tuple[int, int]) -> Place:
        """Returns where a mark is whose corner lies at a row and column of a stack of a height and width."""
        row, column = (at - share * side for at, share, side in zip(corner, self.anchor, size, strict=True))
        return Place(self.anchor, (row, column), self.width)


def resized(picture: Picture, width: int | None) -> Picture:
    """Returns a picture in the width that it is compared in; None: in its own."""
    if width is None or picture.shape[1] == width:
        return picture
    size = width, max(1, round(picture.shape[0] * width / picture.shape[1]))
    way = cv2.INTER_AREA if picture.shape[1] > width else cv2.INTER_CUBIC
    found = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
    return found.reshape(*found.shape[:2], -1)  # OpenCV drops a single channel


def cut(picture: Picture, anchor: tuple[float, float], size: tuple[int, int]) -> Picture:
    """Returns the part of a picture of a height and width whose anchor is the picture's; beyond edges they go on."""
    top, left = (
        int(share * (whole - side)) for share, whole, side in zip(anchor, picture.shape[:2], size, strict=True)
    )
    return part_from(picture, (top, left), size)


def part_from(picture: Picture, corner: tuple[int, int], size: tuple[int, int]) -> Picture:
    """Returns the part of a picture (H, W, C) from a row and column on, (*size, C); beyond its edges they go on."""
    (top, left), (height, width) = corner, size
    if 0 <= top <= picture.shape[0] - height and 0 <= left <= picture.shape[1] - width:
        return picture[top : top + height, left : left + width]
    # cv2.warpAffine takes no sides of 32,767 and more.
    rows, columns = (
        np.clip(np.arange(side) + by, 0, own - 1) for side, by, own in zip(size, corner, picture.shape[:2], strict=True)
    )
    return picture[rows][:, columns]


def anchorings(sizes: Sequence[tuple[int, int]]) -> list[Anchoring]:
    """Returns the ways to put pictures of these heights and widths upon each other."""
    if len(set(sizes)) == 1:
        return [Anchoring((0.0, 0.0))]
    found = [Anchoring(anchor) for anchor in product(SHARES, SHARES)]
    if len({width for _, width in sizes}) > 1:
        width = int(np.median([width for _, width in sizes]))
        found += [Anchoring((share, 0.5), width) for share in SHARES]
    return found


def measured_width(widths: Sequence[int]) -> int:
    """Returns the width in which a mark is measured that grows with pictures of these widths.

    As large as may be while enough pictures are as wide: a mark is reduced to narrower pictures almost without loss,
    but in wider ones it is sharper than anything that is made of it.
    """
    return sorted(widths, reverse=True)[min(max(ENOUGH, -(-len(widths) // 3)), len(widths)) - 1]


def nearest(corner: tuple[int, int], mark: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """Returns the anchor nearest to a mark's middle, for pictures of another size than all that it was seen on.

    Args:
        corner: Row and column of the mark.
        mark: Its height and width.
        size: Those of the pictures.
    """
    middles = ((at + side / 2) / whole for at, side, whole in zip(corner, mark, size, strict=True))
    down, across = (min(SHARES, key=partial(_away, middle)) for middle in middles)
    return down, across


def _away(middle: float, share: float) -> float:
    return abs(share - middle)


def read_all(
    paths: Sequence[Path], told: Callable[[str], None], change: Callable[[Path, Picture], Picture]
) -> dict[Path, Picture]:
    """Reads pictures, keeps of each what is made of it and its path, and tells of those that are broken.

    Raises:
        UserError: A file is there no longer, or the machine cannot read it.
    """
    kept = {}
    for path in paths:
        try:
            kept[path] = change(path, decode(path))
        except BrokenPictureError as error:
            told(f"{error}; it was skipped.")
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    return kept


def reduced(picture: npt.NDArray[Kind], factor: int) -> npt.NDArray[Kind]:
    """Returns a picture or map of a whole factor's size, by area; of thin ones a side of one pixel stays."""
    if factor == 1:
        return picture
    height, width = (max(1, side // factor) for side in picture.shape[:2])
    part = picture[: height * factor, : width * factor]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), picture.dtype)
