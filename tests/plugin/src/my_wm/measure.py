"""A metric and a figure."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning import Sample


class Sharpness:
    """How steep a picture is beside the clean one: 0 where equally, below it where it is blurred."""

    def __call__(self, prediction: Tensor, sample: Sample) -> Tensor:
        """Scores (B, 3, H, W) in 0..1: (B,)."""
        mean, clean = (picture.diff(dim=-1).abs().mean(dim=(1, 2, 3)) for picture in (prediction, sample.clean))
        return mean - clean


class Difference:
    """Shows what a model changed."""

    caption = "What the model changed."

    def __call__(self, watermarked: Tensor, predicted: Tensor, clean: Tensor) -> Figure:
        """Draws (3, H, W) pictures."""
        figure = Figure()
        figure.subplots().imshow((predicted - watermarked).abs().sum(dim=0).numpy())
        return figure
