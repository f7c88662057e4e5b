"""Masks that people give, as files or as arrays: where pixels may change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.errors import ArgumentError, UserError, named
from wm_lightning.inference.pictures import Picture

if TYPE_CHECKING:
    from wm_lightning.inference.codecs import Codecs

TRANSPARENT = "is transparent in part; give one of black, white and grey alone."


def opened_mask(codecs: Codecs, path: str) -> npt.NDArray[Any]:
    """Reads a mask: (H, W), of the file's depth.

    Raises:
        UserError: It cannot be read.
    """
    if not Path(path).is_file():
        raise UserError(f"--mask {path} is no file; give a picture, white where pixels may change, or auto.")
    try:
        return mask_values(codecs.read(Path(path)))
    except UserError as error:
        raise named("--mask", error) from error


def allowed_by(mask: npt.NDArray[Any] | None, size: tuple[int, int], path: str) -> npt.NDArray[np.float32] | None:
    """Does what :func:`as_allowed` does with the mask of a file.

    Raises:
        UserError: As there; it names the file.
    """
    try:
        return as_allowed(mask, size)
    except UserError as error:
        raise UserError(f"--mask {path}: {error}") from error


def mask_values(picture: Picture) -> npt.NDArray[Any]:
    """Returns the values of a picture that is a mask, (H, W), of the file's depth.

    Raises:
        UserError: It is transparent in part.
    """
    stored, alpha = picture.pixels if picture.of_inks else picture.stored, picture.alpha
    if alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        raise UserError(f"{picture.path} {TRANSPARENT}")
    values: npt.NDArray[Any] = np.rint(stored.mean(axis=-1)).astype(stored.dtype)
    # A mask of integers up to 1 would be one of booleans.
    return values / np.iinfo(values.dtype).max if values.max() <= 1 else values


def as_allowed(mask: Any, size: tuple[int, int]) -> npt.NDArray[np.float32] | None:  # noqa: ANN401 - of any kind
    """Brings where pixels may change to (H, W) float32 in 0..1.

    Raises:
        UserError: It has another size than the picture, values that are no share, or is transparent in part.
    """
    if mask is None:
        return None
    if isinstance(mask, Image.Image):
        mask = _of_pillow(mask)
    elif "torch" in sys.modules and isinstance(mask, sys.modules["torch"].Tensor):
        mask = mask.detach().cpu()
        mask = (mask.float() if mask.is_floating_point() else mask).numpy()  # NumPy has no bfloat16
    array = np.asarray(mask)
    if array.dtype.kind not in "biuf":
        raise ArgumentError("{mask} holds {}; give booleans, bytes, or numbers in 0..1.", array.dtype)
    array = array.reshape(array.shape[-2:]) if array.ndim == 3 and array.shape[0] == 1 else array
    array = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    if array.shape != tuple(size):
        raise UserError(f"The mask is {_size(array.shape)}, the picture {_size(size)} pixels; they must be equal.")
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if np.issubdtype(array.dtype, np.integer) and high > 1:  # those up to 1 are booleans in another type
        # Wide integers mostly hold bytes.
        top = np.iinfo(array.dtype).max if array.dtype in (np.uint8, np.uint16) else 255 if high <= 255 else 65535
        array, low, high = array / top, low / top, high / top
    if not (low >= 0 and high <= 1):  # as where one is no number
        raise ArgumentError(
            "{mask} holds values from {} to {}; give booleans, bytes, or numbers in 0..1.", f"{low:g}", f"{high:g}"
        )
    return array.astype(np.float32)


def _of_pillow(mask: Image.Image) -> npt.NDArray[Any]:
    """Returns the values of a Pillow picture, (H, W); Pillow would cut those that are no bytes off.

    Raises:
        UserError: It is transparent in part.
    """
    if mask.has_transparency_data and np.asarray(mask.convert("RGBA"))[..., 3].min() < 255:
        raise UserError(f"The mask {TRANSPARENT}")
    return np.asarray(mask if mask.mode == "F" or mask.mode.startswith("I") else mask.convert("L"))


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape[1::-1])) if len(shape) == 2 else f"of shape {shape}"
