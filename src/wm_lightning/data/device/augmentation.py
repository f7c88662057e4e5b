"""Light augmentation of a batch at once. Albumentations draws, in the loader processes, and the device computes.

Values are rounded as OpenCV and Albumentations do with bytes, so that the pictures are those of the loader processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import albumentations as A
import torch
from kornia.color import hsv_to_rgb, rgb_to_hsv
from torch import Tensor

from wm_lightning.data.device.levels import as_levels, placed, whole

Drawn = Mapping[str, Any]  # what one transform has drawn for a picture; empty: it leaves it as it is


def computed_on_device(transform: Any) -> bool:  # noqa: ANN401 - whatever a list of transforms holds
    """Tells whether the device computes a transform of Albumentations."""
    if type(transform) is A.RandomBrightnessContrast:  # whose other options look at the picture
        return bool(transform.brightness_by_max and not transform.ensure_safe_range)
    return type(transform) in OPERATIONS


def augmented(pictures: Tensor, transforms: Sequence[A.BasicTransform], drawn: Sequence[Sequence[Drawn]]) -> Tensor:
    """Applies transforms.

    Args:
        pictures: (B, 3, H, W), whole grey levels 0..255 as float32.
        transforms: In their order; each one that :func:`computed_on_device` knows.
        drawn: What each has drawn, for each of the B.

    Returns:
        As ``pictures``.
    """
    out = pictures.clone()
    for number, transform in enumerate(transforms):
        places = [place for place, of_all in enumerate(drawn) if of_all[number]]
        if places:
            index = placed(places, out.device)
            out[index] = OPERATIONS[type(transform)](out[index], [drawn[place][number] for place in places])
    return out


def _column(drawn: Sequence[Drawn], name: str, like: Tensor) -> Tensor:
    return placed([one[name] for one in drawn], like.device).reshape(-1, 1, 1)


def _mirrored(pictures: Tensor, drawn: Sequence[Drawn]) -> Tensor:
    return pictures.flip(-1)


def _brighter(pictures: Tensor, drawn: Sequence[Drawn]) -> Tensor:
    alpha, beta = (_column(drawn, name, pictures)[..., None] for name in ("alpha", "beta"))
    return (pictures * alpha + beta).floor_().clamp_(0, 255)


def _recoloured(pictures: Tensor, drawn: Sequence[Drawn]) -> Tensor:
    """Shifts hue, saturation and value: of 180 hues and 256 of the others, as OpenCV has them of bytes.

    What is grey stays grey.
    """
    hue, saturation, value = rgb_to_hsv(pictures / 255).unbind(1)
    hue_shift, saturation_shift, value_shift = (
        _column(drawn, f"{name}_shift", pictures) for name in ("hue", "sat", "val")
    )
    hue = ((whole(hue * (90 / torch.pi)) % 180 + hue_shift) % 180).floor()
    coloured = as_levels(255 * saturation)
    saturation = torch.where(coloured > 0, (coloured + saturation_shift.trunc()).clamp(0, 255), coloured)
    value = (as_levels(255 * value) + value_shift.trunc()).clamp(0, 255)
    shifted = torch.stack((hue * (torch.pi / 90), saturation / 255, value / 255), dim=1)
    return as_levels(255 * hsv_to_rgb(shifted))


OPERATIONS: dict[type, Callable[[Tensor, Sequence[Drawn]], Tensor]] = {
    A.HorizontalFlip: _mirrored,
    A.RandomBrightnessContrast: _brighter,
    A.HueSaturationValue: _recoloured,
}
