"""NAFNet: "Simple Baselines for Image Restoration" (Chen et al., ECCV 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wm_lightning.errors import ArgumentError
from wm_lightning.models.base import RestorationNet
from wm_lightning.models.heads import Head, HeadName, build_head, start_from_identity
from wm_lightning.models.size import space_to_depth
from wm_lightning.sizes import SizeRequirement
from wm_lightning.types import Prediction


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of each position over its channels."""

    def forward(self, features: Tensor) -> Tensor:
        """Maps (B, C, H, W) to the same shape."""
        return super().forward(features.movedim(1, -1)).movedim(-1, 1)


def simple_gate(features: Tensor) -> Tensor:
    """Halves the channels: one half times the other, the paper's equation 4."""
    first, second = features.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """A block without activations: figure 3d of the paper, with its names for the two residual scales."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(channels, eps=1e-6), ChannelNorm(channels, eps=1e-6)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.attention = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.feed = nn.Conv2d(channels, 2 * channels, 1)
        self.forth = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Maps (B, C, H, W) to the same shape."""
        gated = simple_gate(self.depthwise(self.widen(self.norm1(features))))
        gated = gated * self.attention(gated.mean(dim=(2, 3), keepdim=True))
        features = features + self.beta * self.project(gated)
        out: Tensor = features + self.gamma * self.forth(simple_gate(self.feed(self.norm2(features))))
        return out


class NAFNet(RestorationNet):
    """The paper's U-shaped network, optionally below a space-to-depth that makes it affordable on a CPU.

    Args:
        width: Channels of the upper level; each level below has twice as many.
        encoder: Blocks of each level, from the top.
        middle: Blocks at the bottom.
        decoder: Blocks of each level on the way up, from the bottom.
        shuffle: Side in pixels of what becomes one position; 1 is the paper's.
        head: How the last maps become a picture, a name or a head of your own; the paper's is ``residual``.

    Raises:
        ValueError: A number is out of range, or encoder and decoder have not as many levels.
    """

    activation_layers: ClassVar[tuple[str, ...]] = ("encoder.0", "middle", "decoder.0")
    first_layer: ClassVar[str | None] = None

    def __init__(
        self,
        width: int = 32,
        encoder: Sequence[int] = (1, 1, 1),
        middle: int = 2,
        decoder: Sequence[int] = (1, 1, 1),
        shuffle: int = 2,
        head: HeadName | Head = "decomposition",
    ) -> None:
        super().__init__()
        if len(encoder) != len(decoder) or not encoder:
            raise ArgumentError(
                "{encoder}={}, {decoder}={} must have as many levels, at least one.", list(encoder), list(decoder)
            )
        if min(width, middle, shuffle, *encoder, *decoder) < 1:
            raise ArgumentError("{width}, {encoder}, {middle}, {decoder} and {shuffle} must be numbers from 1 up.")
        self.head, self.shuffle = build_head(head), shuffle
        self.size = SizeRequirement(multiple=shuffle * 2 ** len(encoder))  # type: ignore[misc]  # by its levels
        widths = [width * 2**level for level in range(len(encoder) + 1)]
        self.first = nn.Conv2d(3 * shuffle**2, width, 3, padding=1)
        self.encoder = nn.ModuleList(map(_blocks, widths, encoder))
        self.down = nn.ModuleList(nn.Conv2d(channels, 2 * channels, 2, stride=2) for channels in widths[:-1])
        self.middle = _blocks(widths[-1], middle)
        upwards = list(reversed(widths))
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2))
            for channels in upwards[:-1]
        )
        self.decoder = nn.ModuleList(map(_blocks, upwards[1:], decoder))
        self.last = nn.Conv2d(width, self.head.channels * shuffle**2, 3, padding=1)
        start_from_identity(self.head, self.last)

    def restore(self, image: Tensor) -> Prediction:
        """See the base class."""
        features = self.first(space_to_depth(image, self.shuffle))
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            skips.append(blocks(features))
            features = down(skips[-1])
        features = self.middle(features)
        for up, blocks in zip(self.up, self.decoder, strict=True):
            features = blocks(up(features) + skips.pop())
        prediction: Prediction = self.head(F.pixel_shuffle(self.last(features), self.shuffle), image)
        return prediction


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(count)))
