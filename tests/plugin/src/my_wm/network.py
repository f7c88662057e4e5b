"""A network, its head, and a term of its loss."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from wm_lightning import Head, Prediction, RestorationNet, Sample, SizeRequirement, Term


class Brighten(Head):
    """Darkens or brightens what it takes for a mark, and says where that is."""

    channels: ClassVar[int] = 2

    def forward(self, maps: Tensor, image: Tensor) -> Prediction:
        """Maps: the mask's logit, and by how much to change."""
        logits, change = maps[:, :1].float(), maps[:, 1:].float()
        mask, background = logits.sigmoid(), image + 0.1 * change.tanh()
        return Prediction(image + mask * (background - image), mask_logits=logits, mask=mask, background=background)


class Plain(RestorationNet):
    """Two convolutions.

    Args:
        head: How their maps become a picture.
        width: Channels between them.
    """

    size: ClassVar[SizeRequirement] = SizeRequirement(multiple=2)

    def __init__(self, head: Head, width: int = 8) -> None:
        super().__init__()
        self.head = head
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, head.channels, 3, padding=1)
        )

    def restore(self, image: Tensor) -> Prediction:
        """See the base class."""
        prediction: Prediction = self.head(self.layers(image), image)
        return prediction


class Edges(Term):
    """Compares how steep pictures are from left to right."""

    def forward(self, prediction: Prediction, target: Tensor, sample: Sample) -> Tensor:
        """See the base class."""
        return (prediction.image - target).diff(dim=-1).abs().mean()
