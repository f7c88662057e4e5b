"""What crosses the borders between data, models, losses, metrics and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from torch import Tensor
from torch.utils.data import default_collate


class Sample(NamedTuple):
    """One watermarked pair, or a batch of them (then every tensor has a leading batch dimension B).

    Attributes:
        watermarked: The network's input, (3, H, W) float32 in 0..1, sRGB.
        reference: A second, independently watermarked view of the same photograph, (3, H, W) in 0..1; None where
            there is but one.
        clean: The photograph without a watermark, (3, H, W) in 0..1.
        mask: 1 where ``watermarked`` differs from ``clean``, or where a data set of real pairs says so, else 0;
            (1, H, W) float32.
        name: The photograph's name, relative to its folder; in a batch, a list of them.
        alpha: How much of the photograph the marks of ``watermarked`` take away, (3, H, W) in 0..1; None where it is
            not known.
        layer: What they put in its place, already multiplied with alpha, (3, H, W) in 0..1; None where it is not known.
            Unless a degradation came after the marks, ``watermarked = (1 - alpha) * clean + layer`` to one grey level.
    """

    watermarked: Tensor
    reference: Tensor | None
    clean: Tensor
    mask: Tensor
    name: str | list[str]
    alpha: Tensor | None = None
    layer: Tensor | None = None


class Prediction(NamedTuple):
    """What a network says about a picture, or a batch of them; float32 unless a network paints in less.

    Attributes:
        image: The picture restored, (B, 3, H, W) in 0..1, which a network may pass by a little.
        mask_logits: Logits of a pixel being marked, (B, 1, H, W); None from a network that predicts no mask.
        mask: How much of ``background`` is taken, (B, 1, H, W) in 0..1; where it is 0, ``image`` is the input
            to the bit.
        background: What is put where the mask is, (B, 3, H, W).
        inpainting: The photograph behind the mark as painted without the blend's inverse, (B, 3, H, W) in 0..1; None
            from a network that knows no layer.
        alpha: As in :class:`Sample`, predicted.
        layer: As in :class:`Sample`, predicted.
        gate: How much of ``inpainting`` is in ``background``, the rest being the blend's inverse, (B, 1, H, W) in 0..1.
        recognition: How much the features of a pixel speak for a mark, (B, 1, H, W), in log-odds; 0 where this was
            never fitted, None from a network in training and from one that has no such thing.
    """

    image: Tensor
    mask_logits: Tensor | None = None
    mask: Tensor | None = None
    background: Tensor | None = None
    inpainting: Tensor | None = None
    alpha: Tensor | None = None
    layer: Tensor | None = None
    gate: Tensor | None = None
    recognition: Tensor | None = None

    def cropped(self, height: int, width: int) -> Prediction:
        """Returns the top-left ``height`` x ``width`` pixels of everything."""
        return Prediction._make(None if value is None else value[..., :height, :width] for value in self)


class PackedSample(NamedTuple):
    """A :class:`Sample` as loaders carry it: a quarter of the bytes, and already channels last.

    Attributes:
        watermarked: (H, W, 3) uint8, like all pictures here; a batch has a leading dimension.
        reference: The second view; None as in :class:`Sample`.
        clean: The photograph.
        mask: (H, W, 1) uint8, 0 or 255.
        alpha: As in :class:`Sample`.
        layer: As in :class:`Sample`.
        name: The photograph's name; in a batch, a list of them.
    """

    watermarked: Tensor
    reference: Tensor | None
    clean: Tensor
    mask: Tensor
    alpha: Tensor | None
    layer: Tensor | None
    name: str | list[str]

    def unpack(self) -> Sample:
        """Returns float32 pictures in 0..1 with the channels in front, on the same device."""
        return Sample(
            watermarked=_to_float(self.watermarked),
            reference=None if self.reference is None else _to_float(self.reference),
            clean=_to_float(self.clean),
            mask=_to_float(self.mask),
            name=self.name,
            alpha=None if self.alpha is None else _to_float(self.alpha),
            layer=None if self.layer is None else _to_float(self.layer),
        )


Packed = TypeVar("Packed", bound=NamedTuple)


def collate(samples: Sequence[Packed]) -> Packed:
    """Puts samples together in a batch: tensors in one, others in a list; what is None in all of them is None there.

    Raises:
        TypeError: Something is None in some of them only.
    """
    columns = (list(column) for column in zip(*samples, strict=True))
    return type(samples[0])._make(map(_together, columns))


def _together(column: list[Any]) -> Any:  # noqa: ANN401 - whatever samples hold
    if any(isinstance(value, Tensor) for value in column):
        return default_collate(column)
    return None if all(value is None for value in column) else column


def _to_float(picture: Tensor) -> Tensor:
    return picture.movedim(-1, -3).float().div_(255)
