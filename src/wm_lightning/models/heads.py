"""Heads: how a network's last maps become a restored picture.

A head has no weights of its own. Every one computes in float32, so that what a mask leaves alone stays to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from wm_lightning.errors import ArgumentError
from wm_lightning.types import Prediction

HeadName = Literal["direct", "residual", "masked", "decomposition"]

MASK_FLOOR = 0.02  # probabilities below it count as 0
CLOSED = -4.0  # a logit below the floor's
LEAST_TRANSPARENCY = 0.1  # the blend is not divided by less
OVERSHOOT = 0.2  # how far beyond 0..1 an inverted blend may lie: room for gradients, none for explosions


class Head(nn.Module):
    """Turns maps into a prediction.

    Attributes:
        channels: How many maps it takes.
        identity: How many of the first maps decide whether the picture changes, and a value with which it does not;
            None where no value does that.
        knows_layers: Whether ``background`` is the input without the mark, ``(x - layer) / (1 - alpha)``, but for what
            ``gate`` replaces by ``inpainting``; then its corrections keep what shines through a mark and can be
            enlarged.
    """

    channels: ClassVar[int]
    identity: ClassVar[tuple[int, float] | None] = None
    knows_layers: ClassVar[bool] = False

    def forward(self, maps: Tensor, image: Tensor) -> Prediction:
        """Makes a prediction.

        Args:
            maps: (B, channels, H, W), unbounded.
            image: The network's input, (B, 3, H, W) in 0..1.
        """
        raise NotImplementedError


class DirectHead(Head):
    """Paints every pixel: ``activation(maps)``.

    Args:
        activation: Brings the maps near 0..1; the notebook has a sigmoid.
    """

    channels: ClassVar[int] = 3

    def __init__(self, activation: Callable[[Tensor], Tensor] = torch.sigmoid) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, maps: Tensor, image: Tensor) -> Prediction:
        """See :class:`Head`."""
        return Prediction(self.activation(maps))


class ResidualHead(Head):
    """Adds to the input: ``image + maps`` (Zhang et al., "Beyond a Gaussian Denoiser", 2017)."""

    channels: ClassVar[int] = 3
    identity: ClassVar[tuple[int, float] | None] = (3, 0.0)

    def forward(self, maps: Tensor, image: Tensor) -> Prediction:
        """See :class:`Head`."""
        return Prediction(image.float() + maps.float())


class MaskedHead(Head):
    """Finds the mark and paints there: ``m * background + (1 - m) * image`` (Cun and Pun, "Split then Refine", 2021).

    Maps: the mask's logit, and before a sigmoid what is painted.
    """

    channels: ClassVar[int] = 4
    identity: ClassVar[tuple[int, float] | None] = (1, CLOSED)

    def forward(self, maps: Tensor, image: Tensor) -> Prediction:
        """See :class:`Head`; pixels whose probability is below :data:`MASK_FLOOR` keep their value to the bit."""
        logits, background = torch.split(maps.float(), [1, 3], dim=1)
        return _composed(image, logits, background.sigmoid())


class DecompositionHead(Head):
    """Finds the mark, its opacity and colour, and takes it away: ``x = (1 - a) c + a w`` gives ``(x - a w) / (1 - a)``.

    Where too little of the photograph shines through, a gate falls back to inpainting as by
    :class:`MaskedHead` (Liu et al., "WDNet: Watermark-Decomposition Network", 2021, with a gate in place of their
    second network). Opacity is per channel, since a screened or multiplied mark takes more of one channel than of
    another. Maps: the mask's logit, then before a sigmoid opacity (3), colour (3), inpainting (3) and the gate.
    """

    channels: ClassVar[int] = 11
    identity: ClassVar[tuple[int, float] | None] = (1, CLOSED)
    knows_layers: ClassVar[bool] = True

    def forward(self, maps: Tensor, image: Tensor) -> Prediction:
        """See :class:`Head`; pixels whose probability is below :data:`MASK_FLOOR` keep their value to the bit."""
        # Channels-last would take every step below through all eleven maps: twice the time.
        maps, image = maps.contiguous(), image.contiguous()
        logits, opacity, colour, inpainting, gate = torch.split(maps.float(), [1, 3, 3, 3, 1], dim=1)
        # At the start: a light mark of little opacity, inverted and not repainted, which is what most marks are.
        alpha, colour, gate = (opacity - 1).sigmoid(), (colour + 1).sigmoid(), (gate - 1).sigmoid()
        inpainting = inpainting.sigmoid()
        layer = alpha * colour
        behind = (image.float() - layer) / _transparency(alpha)
        behind = behind.clamp(-OVERSHOOT, 1 + OVERSHOOT)
        background = torch.lerp(behind, inpainting, gate)
        return _composed(image, logits, background, inpainting=inpainting, alpha=alpha, layer=layer, gate=gate)


HEADS: dict[HeadName, type[Head]] = {
    "direct": DirectHead, "residual": ResidualHead, "masked": MaskedHead, "decomposition": DecompositionHead,
}  # fmt: skip


def build_head(head: HeadName | Head, activation: Callable[[Tensor], Tensor] = torch.sigmoid) -> Head:
    """Builds a head by its name.

    Args:
        head: One of the four names; a head that is built already is returned as it is.
        activation: What a network that paints every pixel ends with, where it is named ``direct``.

    Raises:
        ValueError: There is no such head.
    """
    if isinstance(head, Head):
        return head
    if not isinstance(head, str):
        raise ArgumentError("{head}={} must be a name or a wm_lightning.models.Head.", type(head).__name__)
    if head not in HEADS:
        raise ArgumentError("{head}={} must be one of {}.", head, ", ".join(get_args(HeadName)))
    return DirectHead(activation) if head == "direct" else HEADS[head]()


@torch.no_grad()
def start_from_identity(head: Head, last: nn.Conv2d) -> None:
    """Sets a network's last convolution so that the untrained network returns its input to the bit, if its head can.

    What an untrained network paints is harm that training would first have to undo; what it must learn is where to
    change anything at all.

    Args:
        head: The network's head.
        last: Puts out ``head.channels`` maps, or as many times more as positions are shuffled into pixels afterwards.
    """
    if head.identity is None:
        return
    maps, value = head.identity
    rows = maps * (last.out_channels // head.channels)
    last.weight[:rows] = 0
    if last.bias is not None:
        last.bias[:rows] = value


def correction_of(found: Prediction, image: Tensor, knows_layers: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Says how a prediction changes each pixel: ``image + gain * image + offset``.

    That is what the heads above compute, in a form that can be averaged, enlarged and chained; but for values of an
    inverted blend beyond :data:`OVERSHOOT`, which no gain and offset limit. They do not compute it this way: losses
    need the limited background itself, and results of training would change in their last bits.

    Args:
        found: What a network says.
        image: Its input, (B, 3, H, W) in 0..1.
        knows_layers: As its head says; then ``alpha`` and ``layer`` are there, and all or nothing of ``inpainting`` and
            ``gate``.

    Returns:
        Gain and offset, (B, 3, H, W), and the mask, (B, 1, H, W), which is 1 everywhere where none is predicted.

    Raises:
        ValueError: A part is missing that a prediction with a mask or with layers must have.
    """
    mask, background, alpha, layer = found.mask, found.background, found.alpha, found.layer
    if mask is None:
        change = found.image.float() - image
        return torch.zeros_like(change), change, torch.ones_like(change[:, :1])
    if not knows_layers:
        if background is None:
            raise ValueError("a head that predicts a mask must predict a background")
        return (-mask).expand_as(image), mask * background, mask
    if alpha is None or layer is None:
        raise ValueError("a head that knows layers must predict alpha and layer")
    if found.gate is None or found.inpainting is None:
        inverse = 1 / _transparency(alpha)
        return mask * (inverse - 1), -mask * inverse * layer, mask
    # The blend's inverse as far as the gate lets it through, and inpainting for the rest.
    inverse = (1 - found.gate) / _transparency(alpha)
    return mask * (inverse - 1), mask * (found.gate * found.inpainting - inverse * layer), mask


def _transparency(alpha: Tensor) -> Tensor:
    """Returns how much of the photograph shines through, as far as a blend is divided by it."""
    return (1 - alpha).clamp(min=LEAST_TRANSPARENCY)


def _composed(image: Tensor, logits: Tensor, background: Tensor, **others: Tensor) -> Prediction:
    """Puts a background where the mask is."""
    # A sigmoid never reaches 0, and a thousandth of a wrong colour would be rounded into the photograph.
    mask = ((logits.sigmoid() - MASK_FLOOR) / (1 - MASK_FLOOR)).clamp(min=0)
    return Prediction(torch.lerp(image.float(), background, mask), logits, mask, background, **others)
