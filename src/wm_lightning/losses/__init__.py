"""Losses: the mathematics, the perceptual extractor, the terms, and their weighted sum."""

from wm_lightning.losses.composite import LETTERS, CompositeLoss, LossTerms
from wm_lightning.losses.perceptual import PerceptualLoss
from wm_lightning.losses.terms import (
    ContentL1,
    Lab,
    Laplacian,
    LayerL1,
    MaskBce,
    MaskedL1,
    MaskIou,
    NegativePsnr,
    OpacityL1,
    OutsideL1,
    Perceptual,
    ProposalL1,
    Ssim,
    Term,
)

__all__ = [
    "LETTERS",
    "CompositeLoss",
    "ContentL1",
    "Lab",
    "Laplacian",
    "LayerL1",
    "LossTerms",
    "MaskBce",
    "MaskIou",
    "MaskedL1",
    "NegativePsnr",
    "OpacityL1",
    "OutsideL1",
    "Perceptual",
    "PerceptualLoss",
    "ProposalL1",
    "Ssim",
    "Term",
]
