"""Scores of restored pictures."""

from wm_lightning.metrics.extent import Extent, measure_extent
from wm_lightning.metrics.functional import psnr, rmse, ssim, ssim_uniform, ssim_zero_padded
from wm_lightning.metrics.masks import Overlap, change_mask, overlap
from wm_lightning.metrics.mean import PictureMean
from wm_lightning.metrics.suite import (
    COLUMNS,
    EXTRAS,
    KNOWN_COLUMNS,
    PRESETS,
    TRAIN_COLUMNS,
    OwnMetric,
    choose_columns,
    count_defined,
    measure,
    metric_collection,
    own_columns,
)

__all__ = [
    "COLUMNS",
    "EXTRAS",
    "KNOWN_COLUMNS",
    "PRESETS",
    "TRAIN_COLUMNS",
    "Extent",
    "Overlap",
    "OwnMetric",
    "PictureMean",
    "change_mask",
    "choose_columns",
    "count_defined",
    "measure",
    "measure_extent",
    "metric_collection",
    "overlap",
    "own_columns",
    "psnr",
    "rmse",
    "ssim",
    "ssim_uniform",
    "ssim_zero_padded",
]
