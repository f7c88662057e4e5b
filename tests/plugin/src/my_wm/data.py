"""A change to photographs, and a kind of mark."""

from __future__ import annotations

from dataclasses import dataclass

import albumentations as A
import numpy as np
import numpy.typing as npt

from wm_lightning import OwnArt


class Posterize(A.ImageOnlyTransform):  # type: ignore[misc]  # a library without types
    """Keeps the upper bits of each value.

    Args:
        bits: How many.
        p: Share of pictures.
    """

    def __init__(self, bits: int = 4, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.bits = bits

    def apply(self, img: npt.NDArray[np.uint8], **params: object) -> npt.NDArray[np.uint8]:
        """Changes (H, W, 3) uint8."""
        return np.asarray(img & np.uint8(256 - 2 ** (8 - self.bits)), np.uint8)


@dataclass(frozen=True)
class Stamp(OwnArt):
    """A frame with a bar in it.

    Attributes:
        thickness: Of its lines, as a share of its side.
    """

    thickness: float
    kind: str = "stamp"

    def stencil(self, pixels: int) -> npt.NDArray[np.uint8]:
        """See the base class."""
        line = max(1, round(self.thickness * pixels))
        plane = np.full((pixels, pixels, 1), 255, np.uint8)
        plane[line:-line, line:-line] = 0
        plane[(pixels - line) // 2 : (pixels + line) // 2 + 1] = 255
        return plane


class StampSampler:
    """Draws stamps.

    Args:
        thickest: Share of a stamp's side that its lines have at most.
    """

    def __init__(self, thickest: float = 0.2) -> None:
        self.thickest = thickest

    def __call__(self, generator: np.random.Generator) -> Stamp:
        """Draws one."""
        return Stamp(float(generator.uniform(0.05, self.thickest)))
