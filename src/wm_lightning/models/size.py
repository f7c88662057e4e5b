"""Tensors brought to the sizes that a network takes, and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wm_lightning.sizes import SizeRequirement


def pad_to_requirement(image: Tensor, requirement: SizeRequirement) -> Tensor:
    """Pads at the right and the bottom up to an allowed size.

    The border is mirrored, and repeated where the picture is too small to mirror.

    Args:
        image: (B, C, H, W), any range.
        requirement: The allowed sizes.

    Returns:
        (B, C, H', W') with ``image`` in its top-left corner; ``image`` itself where its size is allowed already.
    """
    padding = requirement.padding(*image.shape[-2:])
    if padding is None:
        return image
    mode = "reflect" if padding.mirrored else "replicate"
    return F.pad(image, (0, padding.right, 0, padding.bottom), mode=mode)


def space_to_depth(image: Tensor, side: int) -> Tensor:
    """Makes the ``side`` x ``side`` pixels of each place channels of one position.

    Args:
        image: (B, C, H, W), H and W multiples of ``side``.
        side: In pixels.

    Returns:
        (B, C * side^2, H / side, W / side) in the picture's memory format, which PyTorch's own shuffle forgets.
    """
    features = F.pixel_unshuffle(image, side)
    if image.is_contiguous(memory_format=torch.channels_last):
        features = features.contiguous(memory_format=torch.channels_last)
    return features
