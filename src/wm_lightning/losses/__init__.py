"""Losses: the mathematics, the perceptual extractor, and the weighted sum."""

from wm_lightning.losses.color_aware import ColorAwareLoss, LossTerms
from wm_lightning.losses.perceptual import PerceptualLoss

__all__ = ["ColorAwareLoss", "LossTerms", "PerceptualLoss"]
