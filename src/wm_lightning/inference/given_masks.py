"""Masks that people give as pictures: where pixels may change."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wm_lightning.errors import UserError
from wm_lightning.inference.pictures import Picture


def mask_values(picture: Picture) -> npt.NDArray[Any]:
    """Returns the values of a picture that is a mask, (H, W), of the file's depth.

    Raises:
        UserError: It is transparent in part.
    """
    stored, alpha = picture.pixels if picture.of_inks else picture.stored, picture.alpha
    if alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        raise UserError(f"{picture.path} is transparent in part; give one of black, white and grey alone.")
    values: npt.NDArray[Any] = np.rint(stored.mean(axis=-1)).astype(stored.dtype)
    # A mask of integers up to 1 would be one of booleans.
    return values / np.iinfo(values.dtype).max if values.max() <= 1 else values
