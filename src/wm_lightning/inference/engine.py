"""What a remover needs of whatever runs its network."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wm_lightning.errors import UserError
from wm_lightning.inference.correction import Correction
from wm_lightning.sizes import SizeRequirement


class Engine(Protocol):
    """Runs a network on one picture.

    Attributes:
        knows_layers: Whether its corrections keep what shines through a mark, so that they can be enlarged.
    """

    knows_layers: bool

    def correct(self, picture: npt.NDArray[np.float32]) -> Correction:
        """Says how to change a picture, (H, W, 3) sRGB in 0..1, of any size from 1x1."""


def check_not_forked(process: int, what: str) -> None:
    """Sees that this is the process in which an engine was opened.

    Args:
        process: That process's number.
        what: Does not work in a process that was forked from it, and would wait there for ever.

    Raises:
        UserError: It is another.
    """
    if os.getpid() != process:
        raise UserError(f"{what} cannot be used in a process forked since; open a Remover of its own in each process.")


def pad(picture: npt.NDArray[np.float32], requirement: SizeRequirement) -> npt.NDArray[np.float32]:
    """Pads a picture, (H, W, 3), at the right and the bottom to a size that a network takes.

    The border is mirrored, and repeated where the picture is too small to mirror.
    """
    padding = requirement.padding(*picture.shape[:2])
    if padding is None:
        return picture
    return np.pad(picture, ((0, padding.bottom), (0, padding.right), (0, 0)), "reflect" if padding.mirrored else "edge")
