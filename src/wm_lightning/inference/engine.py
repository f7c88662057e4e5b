"""What a remover needs of whatever runs its network."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from wm_lightning.inference.correction import Correction


class Engine(Protocol):
    """Runs a network on one picture.

    Attributes:
        knows_layers: Whether its corrections keep what shines through a mark, so that they can be enlarged.
    """

    knows_layers: bool

    def correct(self, picture: npt.NDArray[np.float32]) -> Correction:
        """Says how to change a picture, (H, W, 3) sRGB in 0..1, of any size from 1x1."""


def pad(picture: npt.NDArray[np.float32], multiple: int, minimum: int) -> npt.NDArray[np.float32]:
    """Pads a picture, (H, W, 3), at the right and the bottom to a size that a network takes.

    The border is mirrored, and repeated where the picture is too small to mirror.
    """
    height, width = picture.shape[:2]
    bottom, right = (-(-max(side, minimum) // multiple) * multiple - side for side in (height, width))
    mode: Literal["reflect", "edge"] = "reflect" if bottom < height and right < width else "edge"
    return np.pad(picture, ((0, bottom), (0, right), (0, 0)), mode) if bottom or right else picture
