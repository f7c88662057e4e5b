"""The picture sizes a network takes, and how any other size is brought to them and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


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


def pad_to_requirement(image: Tensor, requirement: SizeRequirement) -> Tensor:
    """Pads at the right and the bottom up to an allowed size.

    The border is mirrored, and repeated where the picture is too small to mirror.

    Args:
        image: (B, C, H, W), any range.
        requirement: The allowed sizes.

    Returns:
        (B, C, H', W') with ``image`` in its top-left corner; ``image`` itself where its size is allowed already.
    """
    height, width = image.shape[-2:]
    bottom, right = requirement.padded(height) - height, requirement.padded(width) - width
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


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
