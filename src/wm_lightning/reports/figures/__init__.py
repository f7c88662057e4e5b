"""Every figure is one function from tensors or numbers to a matplotlib ``Figure``; none knows a file or a trainer."""

from wm_lightning.reports.figures.confusion import Confusion, confusion_matrix, count_pixels
from wm_lightning.reports.figures.curves import (
    Phase,
    find_phases,
    learning_rate,
    learning_rate_points,
    training_curves,
)
from wm_lightning.reports.figures.gradients import grad_cam_overlay, gradient_norms, saliency_overlay
from wm_lightning.reports.figures.histogram import residual_counts, residual_histogram
from wm_lightning.reports.figures.local import local_psnr, local_psnr_map, local_ssim, local_ssim_map
from wm_lightning.reports.figures.network import activation_maps, attention_maps, feature_grid, first_kernels
from wm_lightning.reports.figures.pictures import batch_view, residual_error, side_by_side, watermark_residual
from wm_lightning.reports.figures.scores import (
    Bar,
    Score,
    group_bars,
    opacity_curve,
    score_distribution,
    summary_card,
)

__all__ = [
    "Bar",
    "Confusion",
    "Phase",
    "Score",
    "activation_maps",
    "attention_maps",
    "batch_view",
    "confusion_matrix",
    "count_pixels",
    "feature_grid",
    "find_phases",
    "first_kernels",
    "grad_cam_overlay",
    "gradient_norms",
    "group_bars",
    "learning_rate",
    "learning_rate_points",
    "local_psnr",
    "local_psnr_map",
    "local_ssim",
    "local_ssim_map",
    "opacity_curve",
    "residual_counts",
    "residual_error",
    "residual_histogram",
    "saliency_overlay",
    "score_distribution",
    "side_by_side",
    "summary_card",
    "training_curves",
    "watermark_residual",
]  # fmt: skip
