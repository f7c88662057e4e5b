"""Self-attention over the positions of a feature map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention over the positions of a feature map, with a residual.

    ``softmax(Q K^T / sqrt(d)) V`` (Vaswani et al., "Attention Is All You Need", 2017). Memory grows with the number
    of positions, not with its square, where PyTorch has a fused kernel.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(1, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, C, H, W)."""
        batch, channels, height, width = features.shape
        qkv = self.qkv(self.norm(features)).reshape(batch, 3, self.heads, channels // self.heads, height * width)
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        attended = F.scaled_dot_product_attention(query, key, value)
        attended = attended.transpose(-1, -2).reshape(batch, channels, height, width)
        out: Tensor = features + self.project(attended)
        return out
