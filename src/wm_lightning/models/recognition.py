"""What a network's features say of marks: a linear function of them, fitted once the network is trained.

A mask says where a mark is; whether it is one at all, and no label, sign or drawing, is known better by the deeper
features, of what lies there and around it. This is a linear probe (Alain and Bengio, "Understanding intermediate layers
using linear classifier probes", 2016): the mean over a mark's pixels is one of the traits that it is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Recognition(nn.Module):
    """Says how much each pixel's features speak for a mark, in log-odds.

    ``scripts/fit_evidence.py`` fits its weights, so training leaves them alone; until then they are 0.

    Args:
        widths: Channels of each of the features.
    """

    weight: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.register_buffer("weight", torch.zeros(sum(self.widths)))

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Adds up what all features say.

        Args:
            features: (B, C, h, w) each, with as many channels as ``widths`` says.
            size: Height and width of the picture, multiples of each h and w.

        Returns:
            (B, 1, H, W), float32.
        """
        parts = torch.split(self.weight, list(self.widths))
        # No matrix product, which autocast would do in half precision
        said = [(one.float() * part[:, None, None]).sum(1, True) for one, part in zip(features, parts, strict=True)]
        return torch.stack([F.interpolate(one, size) for one in said]).sum(dim=0)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:  # noqa: ANN401
        # Files of earlier versions have no such weights
        super()._load_from_state_dict({f"{prefix}weight": self.weight, **state_dict}, prefix, *others)
