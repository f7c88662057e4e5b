"""Losses: the mathematics, the perceptual extractor, the terms, and their weighted sum."""

from wm_lightning.losses.composite import LETTERS, CompositeLoss, LossTerms
from wm_lightning.losses.perceptual import PerceptualLoss
from wm_lightning.losses.terms import (
    BackgroundL1,
    InpaintingL1,
    Lab,
    Laplacian,
    LayerL1,
    MaskBce,
    MaskedL1,
    MaskIou,
    NegativePsnr,
    OpacityL1,
    Perceptual,
    Ssim,
    Term,
    UnmaskedL1,
)

__all__ = [
    "LETTERS",
    "BackgroundL1",
    "CompositeLoss",
    "InpaintingL1",
    "Lab",
    "Laplacian",
    "LayerL1",
    "LossTerms",
    "MaskBce",
    "MaskIou",
    "MaskedL1",
    "NegativePsnr",
    "OpacityL1",
    "Perceptual",
    "PerceptualLoss",
    "Ssim",
    "Term",
    "UnmaskedL1",
]
