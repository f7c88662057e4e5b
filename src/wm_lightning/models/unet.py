"""The heterogeneous U-Net of the ``watermarkcnn`` notebook."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from wm_lightning.models.attention import SelfAttention
from wm_lightning.models.base import RestorationNet
from wm_lightning.models.heads import Head, HeadName, build_head, start_from_identity
from wm_lightning.sizes import SizeRequirement
from wm_lightning.types import Prediction

WIDTHS = (48, 96, 144)
BOTTLENECK_WIDTH = 256


class DoubleConv(nn.Module):
    """Two 3x3 convolutions with two different activations (ReLU, then LeakyReLU): hence "heterogeneous"."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.LeakyReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Maps (B, in_channels, H, W) to (B, out_channels, H, W)."""
        out: Tensor = self.conv(features)
        return out


class HeterogeneousUNet(RestorationNet):
    """Three-level U-Net with attention gates on the skips; 3,647,878 parameters with the gate and ``head="direct"``.

    With ``attention="gate"`` and ``head="direct"`` the state-dict keys are the notebook's, so its plain checkpoints
    load with ``strict=True``. See ``docs/architecture.md`` for the layers.

    Args:
        attention: What follows the bottleneck's convolutions: ``gate``, the notebook's squared sigmoid map, or
            ``sdpa``, scaled dot-product self-attention over the bottleneck's positions.
        head: How the last maps become a picture, a name or a head of your own; ``direct`` is the notebook's, with its
            keys and parameters.
    """

    size: ClassVar[SizeRequirement] = SizeRequirement(multiple=8)
    activation_layers: ClassVar[tuple[str, ...]] = ("enc1", "enc2", "dec1", "dec2", "dec3")
    attention_layers: ClassVar[tuple[str, ...]] = ("attn_gate1", "attn_gate2", "attn_gate3")
    decoder_layer: ClassVar[str | None] = "dec3"
    first_layer: ClassVar[str | None] = "enc1.conv.0"

    def __init__(self, attention: Literal["gate", "sdpa"] = "gate", head: HeadName | Head = "decomposition") -> None:
        super().__init__()
        self.head = build_head(head)
        c1, c2, c3 = WIDTHS
        c4 = BOTTLENECK_WIDTH
        self.enc1 = DoubleConv(3, c1)
        self.enc2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(c1, c2))
        self.enc3 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(c2, c3))
        self.attention = attention
        # Flat in the Sequential, which keeps the notebook's keys (bottleneck.2.weight); restore() squares the gate.
        focus = (nn.Conv2d(c4, c4, 3, padding=1), nn.Sigmoid()) if attention == "gate" else (SelfAttention(c4),)
        self.bottleneck = nn.Sequential(nn.MaxPool2d(2), DoubleConv(c3, c4), *focus)
        self.up1, self.attn_gate1, self.dec1 = _up(c4, c3), _attention_gate(c3), DoubleConv(2 * c3, c3)
        self.up2, self.attn_gate2, self.dec2 = _up(c3, c2), _attention_gate(c2), DoubleConv(2 * c2, c2)
        self.up3, self.attn_gate3, self.dec3 = _up(c2, c1), _attention_gate(c1), DoubleConv(2 * c1, c1)
        self.final_conv = nn.Conv2d(c1, self.head.channels, 1)
        start_from_identity(self.head, self.final_conv)

    def restore(self, image: Tensor) -> Prediction:
        """See the base class; H and W multiples of 8."""
        skip1 = self.enc1(image)
        skip2 = self.enc2(skip1)
        skip3 = self.enc3(skip2)
        features = self.bottleneck(skip3)
        if self.attention == "gate":
            features = features.square()
        features = self.dec1(_gated(self.attn_gate1, self.up1(features), skip3))
        features = self.dec2(_gated(self.attn_gate2, self.up2(features), skip2))
        features = self.dec3(_gated(self.attn_gate3, self.up3(features), skip1))
        prediction: Prediction = self.head(self.final_conv(features), image)
        return prediction


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    """Doubles height and width."""
    return nn.Sequential(nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2), nn.ReLU(inplace=True))


def _attention_gate(channels: int) -> nn.Sequential:
    """Maps the 2c channels of (upsampled, skip) to one map in 0..1."""
    return nn.Sequential(
        nn.Conv2d(2 * channels, channels, 3, padding=1),
        nn.LeakyReLU(inplace=True),
        nn.Conv2d(channels, 1, 1),
        nn.Sigmoid(),
    )


def _gated(gate: nn.Module, upsampled: Tensor, skip: Tensor) -> Tensor:
    joined = torch.cat((upsampled, skip), dim=1)
    out: Tensor = gate(joined) * joined
    return out
