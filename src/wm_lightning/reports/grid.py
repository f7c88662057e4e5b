"""Sample pictures side by side."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wm_lightning.types import Sample

GAP = 4
GRID_COLUMNS = ("watermarked", "reference", "prediction", "clean", "mask")


def grid_columns(sample: Sample) -> tuple[str, ...]:
    """Returns ``GRID_COLUMNS`` without those that a sample does not have."""
    return tuple(name for name in GRID_COLUMNS if name == "prediction" or getattr(sample, name) is not None)


def sample_grid(sample: Sample, prediction: Tensor, count: int = 4) -> Tensor:
    """Puts the first ``count`` pairs of a batch in rows: input, reference, prediction, clean photograph, mask.

    Args:
        sample: A batch; a reference of None leaves its column out.
        prediction: (B, 3, H, W) in 0..1.
        count: Largest number of rows.

    Returns:
        (3, rows, columns) float32 in 0..1, with white gaps of 4 pixels.
    """
    pictures = {**sample._asdict(), "prediction": prediction, "mask": sample.mask.expand_as(prediction)}
    columns = [pictures[name] for name in grid_columns(sample)]
    framed = [F.pad(column[:count].float().cpu(), (GAP,) * 4, value=1.0) for column in columns]
    rows = torch.cat(framed, dim=3)
    return torch.cat(list(rows), dim=1).clamp(0, 1)
