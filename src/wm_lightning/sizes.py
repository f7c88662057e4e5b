"""The picture sizes a network takes, and how any other size is padded to them.

Free of PyTorch, which ONNX Runtime's users need not have; :mod:`wm_lightning.models.size` pads tensors by this rule,
:mod:`wm_lightning.inference.engine` arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Padding(NamedTuple):
    """What is added to a picture.

    Attributes:
        bottom: Rows below it.
        right: Columns at its right.
        mirrored: Whether the picture is mirrored there; otherwise its last row and column are repeated.
    """

    bottom: int
    right: int
    mirrored: bool


@dataclass(frozen=True)
class SizeRequirement:
    """Heights and widths a network accepts.

    Attributes:
        multiple: Height and width must be multiples of this many pixels.
        minimum: Neither may be smaller than this many pixels.
    """

    multiple: int = 1
    minimum: int = 1

    def padded(self, length: int) -> int:
        """Returns the smallest allowed length, in pixels, that is not shorter than ``length``."""
        wanted = max(length, self.minimum)
        return -(-wanted // self.multiple) * self.multiple

    def padding(self, height: int, width: int) -> Padding | None:
        """Returns what a picture lacks; None where its size is allowed. Too small a one cannot be mirrored."""
        bottom, right = self.padded(height) - height, self.padded(width) - width
        return Padding(bottom, right, bottom < height and right < width) if bottom or right else None
