"""What crosses the borders between data, models, losses, metrics and pictures."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Sample(NamedTuple):
    """One watermarked pair, or a batch of them (then every tensor has a leading batch dimension B).

    Attributes:
        watermarked: The network's input, (3, H, W) float32 in 0..1, sRGB.
        reference: A second, independently watermarked view of the same photograph, (3, H, W) in 0..1.
        clean: The photograph without a watermark, (3, H, W) in 0..1.
        mask: 1 where ``watermarked`` differs from ``clean``, else 0; (1, H, W) float32.
        name: The photograph's name, relative to its folder; in a batch, a list of them.
        alpha: How much of the photograph the marks of ``watermarked`` take away, (3, H, W) in 0..1; None where it is
            not known.
        layer: What they put in its place, already multiplied with alpha, (3, H, W) in 0..1; None where it is not known.
            Unless a capture came after the marks, ``watermarked = (1 - alpha) * clean + layer`` to one grey level.
    """

    watermarked: Tensor
    reference: Tensor
    clean: Tensor
    mask: Tensor
    name: str | list[str]
    alpha: Tensor | None = None
    layer: Tensor | None = None


class PackedSample(NamedTuple):
    """A :class:`Sample` as loaders carry it: a quarter of the bytes, and already channels last.

    Attributes:
        watermarked: (H, W, 3) uint8, like all pictures here; a batch has a leading dimension.
        reference: The second view.
        clean: The photograph.
        mask: (H, W, 1) uint8, 0 or 255.
        alpha: As in :class:`Sample`.
        layer: As in :class:`Sample`.
        name: The photograph's name; in a batch, a list of them.
    """

    watermarked: Tensor
    reference: Tensor
    clean: Tensor
    mask: Tensor
    alpha: Tensor
    layer: Tensor
    name: str | list[str]

    def unpack(self) -> Sample:
        """Returns float32 pictures in 0..1 with the channels in front, on the same device."""
        pictures = {name: _to_float(value) for name, value in self._asdict().items() if name != "name"}
        return Sample(**pictures, name=self.name)


def _to_float(picture: Tensor) -> Tensor:
    return picture.movedim(-1, -3).float().div_(255)
