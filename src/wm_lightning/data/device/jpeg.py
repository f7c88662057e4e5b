"""Baseline JPEG, compressed and read again, of a batch at once: what libjpeg's slow integer transform gives.

ITU-T T.81 (1992): the transform A.3.3, quantisation A.3.4, tables K.1 and K.2; colours as in JFIF (ITU-T T.871). What
a file would hold is not coded: Huffman codes lose nothing.

Kornia's codec rounds by a differentiable polynomial and has no 4:4:4. At 128x128 and qualities from 30 to 98 its
pictures are 44 dB from libjpeg's and 0.6 dB nearer to the original than these; the ones made here are 58 dB from them,
and as near.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wm_lightning.data.device.levels import MORE, as_levels, placed, whole

BLOCK = 8
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
    *(99,) * 38,
)  # fmt: skip
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
_TO_RGB = ((1, 0, 1.402), (1, -0.344136286, -0.714136286), (1, 1.772, 0))


def compressed(pictures: Tensor, qualities: Sequence[int], full_chroma: bool = False) -> Tensor:
    """Compresses pictures and reads them again.

    Args:
        pictures: (B, P, 3, H, W), whole grey levels 0..255 as float32, sRGB.
        qualities: From 1 to 100, of each of the B.
        full_chroma: Colours keep their resolution (4:4:4); otherwise it is halved (4:2:0).

    Returns:
        As ``pictures``.
    """
    height, width = pictures.shape[-2:]
    centre = placed((0.0, 128.0, 128.0), pictures.device).reshape(3, 1, 1)
    # Not MORE: libjpeg rounds a half of Cb and Cr down
    ycc = (_mixed(pictures, _TO_YCC) + centre + (0.5 - MORE)).floor_()
    luminance = _coded(ycc[:, :, :1], _steps(_LUMINANCE, qualities, pictures.device))
    chrominance = ycc[:, :, 1:] if full_chroma else _halved(ycc[:, :, 1:])
    chrominance = _coded(chrominance, _steps(_CHROMINANCE, qualities, pictures.device))
    if not full_chroma:
        chrominance = _doubled(chrominance)[..., :height, :width]
    decoded = torch.cat((luminance, chrominance), dim=2) - centre
    return as_levels(_mixed(decoded, _TO_RGB))


def _mixed(pictures: Tensor, matrix: Sequence[Sequence[float]]) -> Tensor:
    return torch.einsum("oc,bpchw->bpohw", placed(matrix, pictures.device), pictures)


def _steps(table: Sequence[int], qualities: Sequence[int], device: torch.device) -> Tensor:
    """Returns the steps of quantisation as libjpeg scales them, (B, 8, 8)."""
    quality = np.clip(np.asarray(qualities), 1, 100)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    steps = ((np.asarray(table) * scale[:, None] + 50) // 100).clip(1, 255)
    return placed(steps.astype(np.float32), device).reshape(-1, BLOCK, BLOCK)


def _halved(planes: Tensor) -> Tensor:
    """Means of two by two pixels; libjpeg rounds up and down by turns."""
    rows, columns = (-side % 2 for side in planes.shape[-2:])
    planes = _extended(planes, rows, columns)
    sums = F.avg_pool2d(planes.flatten(0, 1), 2)
    turns = 0.25 + 0.25 * (torch.arange(sums.shape[-1], device=planes.device) % 2)
    return _apart((sums + turns + MORE).floor_(), planes)


def _doubled(planes: Tensor) -> Tensor:
    """Enlarges as libjpeg does, three parts of the nearer pixel and one of the farther; rounded by turns."""
    large = F.interpolate(planes.flatten(0, 1), scale_factor=2, mode="bilinear", align_corners=False)
    turns = 0.5 - (torch.arange(large.shape[-1], device=planes.device) % 2) / 16
    return _apart((large + turns + MORE).floor_(), planes)


def _coded(planes: Tensor, steps: Tensor) -> Tensor:
    """Transforms blocks, rounds their coefficients to the steps, and transforms back; (B, P, C, h, w), 0..255."""
    height, width = planes.shape[-2:]
    planes = _extended(planes, -height % BLOCK, -width % BLOCK)
    basis = _basis(planes.device)
    rows, columns = (side // BLOCK for side in planes.shape[-2:])
    blocks = planes.reshape(*planes.shape[:-2], rows, BLOCK, columns, BLOCK).transpose(-2, -3)
    steps = steps[:, None, None, None, None]
    coefficients = whole(8 * (basis @ (blocks - 128) @ basis.T)) / 8  # as precise as libjpeg's
    kept = whole(coefficients / steps) * steps
    decoded = as_levels(basis.T @ kept @ basis + 128)
    return decoded.transpose(-2, -3).reshape(planes.shape)[..., :height, :width]


def _basis(device: torch.device) -> Tensor:
    """Returns the cosine transform of eight values, (frequency, place); orthonormal."""
    place = np.arange(BLOCK)
    rows = np.cos((2 * place + 1) * place[:, None] * np.pi / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    rows[0] /= np.sqrt(2)
    return placed(rows, device)


def _extended(planes: Tensor, rows: int, columns: int) -> Tensor:
    """Repeats the last row and column."""
    if not rows and not columns:
        return planes
    return _apart(F.pad(planes.flatten(0, 1), (0, columns, 0, rows), mode="replicate"), planes)


def _apart(planes: Tensor, like: Tensor) -> Tensor:
    """Takes (B * P, C, h, w) apart as others are, (B, P, ...)."""
    return planes.reshape(*like.shape[:2], *planes.shape[1:])
