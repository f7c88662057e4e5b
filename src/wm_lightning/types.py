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
    """

    watermarked: Tensor
    reference: Tensor
    clean: Tensor
    mask: Tensor
    name: str | list[str]
