"""Scores of restored pictures."""

from wm_lightning.metrics.functional import psnr, ssim
from wm_lightning.metrics.suite import COLUMNS, measure, metric_collection

__all__ = ["COLUMNS", "measure", "metric_collection", "psnr", "ssim"]
