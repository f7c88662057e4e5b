"""Where under a mark the error that is left sits: at its rim or inside it, untouched or overdone.

A network that sees edges alone takes a wide mark's rim away and leaves its middle; one that misses marks leaves both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from wm_lightning.types import Sample

RIM = 4  # pixels from the mark's edge
PARTS = ("rim", "inner")
# How much of a mark's change is undone: below the first edge, up to the second, up to the third, above
DEGREES = ("untouched", "half", "right", "over")
EDGES = (0.2, 0.8, 1.2)


class Extent(NamedTuple):
    """Pixels under marks and the error left there, by part of the mark (:data:`PARTS`) and degree (:data:`DEGREES`).

    Attributes:
        pixels: (2, 4), int64.
        error: (2, 4), float64: squared error, the sum over pixels and channels.
        missed: Pictures whose mark was not found: more than half of its rim is untouched.
        marked: Pictures with a mark.
    """

    pixels: Tensor = torch.zeros(len(PARTS), len(DEGREES), dtype=torch.int64)
    error: Tensor = torch.zeros(len(PARTS), len(DEGREES), dtype=torch.float64)
    missed: int = 0
    marked: int = 0

    def plus(self, other: Extent) -> Extent:
        """Returns what both counted."""
        return Extent(
            self.pixels + other.pixels,
            self.error + other.error,
            self.missed + other.missed,
            self.marked + other.marked,
        )

    def shares(self) -> dict[str, dict[str, float]]:
        """Returns for each part its share of the mark's pixels and of the error left, and of its own pixels by degree.

        All are 0 where there is nothing to share.
        """
        pixels, error = max(int(self.pixels.sum()), 1), float(self.error.sum()) or 1.0
        return {
            part: {
                "pixels": int(row.sum()) / pixels,
                **{name: int(count) / max(int(row.sum()), 1) for name, count in zip(DEGREES, row, strict=True)},
                "error": float(left.sum()) / error,
                "error_untouched": float(left[0]) / error,
            }
            for part, row, left in zip(PARTS, self.pixels, self.error, strict=True)
        }


def measure_extent(restored: Tensor, sample: Sample) -> Extent:
    """Counts the pixels under the marks of a batch.

    Args:
        restored: (B, 3, H, W) in 0..1.
        sample: The batch it was made from.
    """
    mask = sample.mask > 0
    mark, undone = sample.watermarked - sample.clean, sample.watermarked - restored.float()
    share = (mark * undone).sum(dim=1, keepdim=True) / mark.square().sum(dim=1, keepdim=True).clamp(min=1e-12)
    degree = torch.bucketize(share, torch.tensor(EDGES, device=share.device), right=True)
    left = (restored.float() - sample.clean).square().sum(dim=1, keepdim=True)
    # What lies beyond the picture is no edge.
    rim = mask & (F.max_pool2d((~mask).float(), 2 * RIM + 1, stride=1, padding=RIM) > 0)
    cells = [part & (degree == number) for part in (rim, mask & ~rim) for number in range(len(DEGREES))]
    shape = (len(PARTS), len(DEGREES))
    untouched, whole = (part.sum(dim=(1, 2, 3)) for part in (cells[0], rim))
    return Extent(
        torch.stack([cell.sum() for cell in cells]).view(shape).cpu(),
        torch.stack([left[cell].cpu().double().sum() for cell in cells]).view(shape),  # not every device has doubles
        int((2 * untouched > whole).sum()),
        int(mask.flatten(1).any(dim=1).sum()),
    )
