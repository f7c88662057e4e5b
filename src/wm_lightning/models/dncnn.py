"""DnCNN, a plain stack of convolutions."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from wm_lightning.errors import ArgumentError
from wm_lightning.models.base import RestorationNet
from wm_lightning.models.heads import Head, HeadName, build_head, start_from_identity
from wm_lightning.sizes import SizeRequirement
from wm_lightning.types import Prediction

LEAST_DEPTH = 3


class DnCNN(RestorationNet):
    """Zhang et al., "Beyond a Gaussian Denoiser", IEEE TIP 2017; 558,403 parameters as the paper has it.

    Every layer keeps the picture's size, so a pixel sees ``depth`` pixels to each side, however large the mark is.

    Args:
        depth: Number of convolutions, at least 3.
        width: Number of channels between them.
        head: How the last maps become a picture, a name or a head of your own; the paper's is ``residual``.

    Raises:
        ValueError: There are too few layers or channels.
    """

    size: ClassVar[SizeRequirement] = SizeRequirement()
    activation_layers: ClassVar[tuple[str, ...]] = ("first", "middle.0", "middle")
    decoder_layer: ClassVar[str | None] = "middle"
    first_layer: ClassVar[str | None] = "first.0"

    def __init__(self, depth: int = 17, width: int = 64, head: HeadName | Head = "residual") -> None:
        super().__init__()
        if depth < LEAST_DEPTH:
            raise ArgumentError("{depth}={} must be at least {}.", depth, LEAST_DEPTH)
        if width < 1:
            raise ArgumentError("{width}={} must be at least 1.", width)
        self.head = build_head(head)
        self.first = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(inplace=True))
        self.middle = nn.Sequential(*(_block(width) for _ in range(depth - 2)))
        self.final_conv = nn.Conv2d(width, self.head.channels, 3, padding=1)
        start_from_identity(self.head, self.final_conv)

    def restore(self, image: Tensor) -> Prediction:
        """See the base class; any H and W."""
        prediction: Prediction = self.head(self.final_conv(self.middle(self.first(image))), image)
        return prediction


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),  # the normalisation has one
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
