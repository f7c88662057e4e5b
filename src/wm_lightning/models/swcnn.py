"""The network of SWCNN, "HN"."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wm_lightning.models.base import RestorationNet
from wm_lightning.models.heads import Head, HeadName, build_head, start_from_identity
from wm_lightning.sizes import SizeRequirement
from wm_lightning.types import Prediction

DOWN = 48
UP = 96
LAST = (64, 32)


class SWCNN(RestorationNet):
    """Five-level U-Net whose levels share weights (arXiv 2403.05807); 700,611 parameters with ``head="direct"``.

    One block serves encoder levels 2 to 5 and one serves decoder levels 2 to 4. Descriptions of it leave a few things
    open. Settled as in the network it descends from (Lehtinen et al., "Noise2Noise", 2018): level 1 has two
    convolutions, decoder levels have two each, and what is handed across is taken after pooling. Settled here: the
    3x3 transposed convolutions have no activation, and weights start as in He et al., "Delving Deep into Rectifiers",
    2015; without normalisation PyTorch's own start gives the lowest level a billionth of the last one's gradient.

    Args:
        head: How the last maps become a picture, a name or a head of your own; ``direct``, with a LeakyReLU at
            the end, is the paper's.
    """

    size: ClassVar[SizeRequirement] = SizeRequirement(multiple=32)
    # Without the shared blocks: they run several times in a pass, and one run is all that a report would see.
    activation_layers: ClassVar[tuple[str, ...]] = ("enc1", "bottleneck", "dec1", "dec5")
    decoder_layer: ClassVar[str | None] = "dec5"
    first_layer: ClassVar[str | None] = "enc1.0"

    def __init__(self, head: HeadName | Head = "decomposition") -> None:
        super().__init__()
        self.head = build_head(head, activation=partial(F.leaky_relu, negative_slope=0.1))
        self.enc1 = nn.Sequential(*_conv(3, DOWN), *_conv(DOWN, DOWN), nn.MaxPool2d(2))
        self.enc_shared = nn.Sequential(*_conv(DOWN, DOWN), nn.MaxPool2d(2))
        self.bottleneck = nn.Sequential(*_conv(DOWN, DOWN), _up(DOWN))
        self.dec1 = nn.Sequential(*_conv(DOWN + DOWN, UP), *_conv(UP, UP), _up(UP))
        self.dec_shared = nn.Sequential(*_conv(UP + DOWN, UP), *_conv(UP, UP), _up(UP))
        self.dec5 = nn.Sequential(*_conv(UP + 3, LAST[0]), *_conv(LAST[0], LAST[1]))
        self.final_conv = nn.Conv2d(LAST[1], self.head.channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        start_from_identity(self.head, self.final_conv)

    def restore(self, image: Tensor) -> Prediction:
        """See the base class; H and W multiples of 32."""
        skips = [image, self.enc1(image)]
        for _ in range(3):
            skips.append(self.enc_shared(skips[-1]))
        features = self.bottleneck(self.enc_shared(skips[-1]))
        features = self.dec1(_joined(features, skips.pop()))
        for _ in range(3):
            features = self.dec_shared(_joined(features, skips.pop()))
        features = self.dec5(_joined(features, skips.pop()))
        prediction: Prediction = self.head(self.final_conv(features), image)
        return prediction


def _conv(in_channels: int, out_channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(inplace=True)


def _up(channels: int) -> nn.ConvTranspose2d:
    """Doubles height and width."""
    return nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1)


def _joined(features: Tensor, skip: Tensor) -> Tensor:
    return torch.cat((features, skip), dim=1)
