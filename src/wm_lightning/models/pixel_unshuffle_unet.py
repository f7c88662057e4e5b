"""A U-Net that works below the picture's resolution and loses none of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wm_lightning.errors import ArgumentError
from wm_lightning.models.attention import SelfAttention
from wm_lightning.models.base import RestorationNet
from wm_lightning.models.heads import Head, HeadName, build_head, start_from_identity
from wm_lightning.models.recognition import Recognition
from wm_lightning.models.size import space_to_depth
from wm_lightning.sizes import SizeRequirement
from wm_lightning.types import Prediction

RECOGNISED_BY = slice(2, 4)  # levels of the encoder; with the last features, they tell marks from scenes best


class ConvBlock(nn.Sequential):
    """Twice a 3x3 convolution, BatchNorm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class PixelUnshuffleUNet(RestorationNet):
    """A U-Net between a space-to-depth and a depth-to-space (Shi et al., "Real-Time Single Image SR", CVPR 2016).

    ``shuffle`` x ``shuffle`` pixels become the channels of one position and back, so the costly upper level of a U-Net
    runs on a fraction of the positions. Self-attention at the bottom can compare all parts of a mark, which share one
    opacity and colour however far apart they are.

    Args:
        widths: Channels of each level, from the top.
        shuffle: Side in pixels of what becomes one position.
        attention: Layers of self-attention at the bottom.
        head: How the last maps become a picture, a name or a head of your own.

    Raises:
        ValueError: A number is out of range.
    """

    activation_layers: ClassVar[tuple[str, ...]] = ("encoder.0", "encoder.1", "bottom", "decoder.0")

    def __init__(
        self,
        widths: Sequence[int] = (48, 96, 128, 160),
        shuffle: int = 2,
        attention: int = 0,
        head: HeadName | Head = "decomposition",
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise ArgumentError("{widths}={} must be at least two numbers from 1 up.", list(widths))
        for key, value, least in (("shuffle", shuffle, 1), ("attention", attention, 0)):
            if value < least:
                raise ArgumentError("{" + key + "}={} must be at least {}.", value, least)
        self.head, self.shuffle = build_head(head), shuffle
        self.size = SizeRequirement(multiple=shuffle * 2 ** (len(widths) - 1))  # type: ignore[misc]  # by its levels
        inputs = (3 * shuffle**2, *widths)
        self.encoder = nn.ModuleList(map(ConvBlock, inputs[:-1], widths))
        self.bottom = nn.Sequential(*(SelfAttention(widths[-1]) for _ in range(attention)))
        upwards = list(reversed(widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(below, here, 2, stride=2) for below, here in pairwise(upwards))
        self.decoder = nn.ModuleList(ConvBlock(2 * width, width) for width in upwards[1:])
        self.last = nn.Conv2d(widths[0], self.head.channels * shuffle**2, 1)
        self.recognition = Recognition((*widths[RECOGNISED_BY], widths[0]))
        start_from_identity(self.head, self.last)

    def restore(self, image: Tensor) -> Prediction:
        """See the base class."""
        features = space_to_depth(image, self.shuffle)
        skips = []
        for level, block in enumerate(self.encoder):
            features = block(F.max_pool2d(features, 2) if level else features)
            skips.append(features)
        deep = skips[RECOGNISED_BY]
        features = self.bottom(skips.pop())
        for up, block in zip(self.up, self.decoder, strict=True):
            features = block(torch.cat((up(features), skips.pop()), dim=1))
        prediction: Prediction = self.head(F.pixel_shuffle(self.last(features), self.shuffle), image)
        if self.training:
            return prediction
        return prediction._replace(recognition=self.recognition((*deep, features), image.shape[-2:]))
