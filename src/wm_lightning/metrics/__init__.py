"""Scores of restored pictures."""

from wm_lightning.metrics.functional import psnr, rmse, ssim, ssim_uniform, ssim_zero_padded
from wm_lightning.metrics.masks import Overlap, change_mask, overlap
from wm_lightning.metrics.mean import PictureMean
from wm_lightning.metrics.suite import (
    COLUMNS,
    EXTRAS,
    PRESETS,
    TRAIN_COLUMNS,
    choose_columns,
    count_defined,
    measure,
    metric_collection,
)

__all__ = [
    "COLUMNS",
    "EXTRAS",
    "PRESETS",
    "TRAIN_COLUMNS",
    "Overlap",
    "PictureMean",
    "change_mask",
    "choose_columns",
    "count_defined",
    "measure",
    "metric_collection",
    "overlap",
    "psnr",
    "rmse",
    "ssim",
    "ssim_uniform",
    "ssim_zero_padded",
]
