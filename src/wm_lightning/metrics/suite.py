"""The columns this project reports: the prediction's and, beside each, those of doing nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection

from wm_lightning.metrics.functional import psnr, ssim
from wm_lightning.types import Sample

Score = Callable[[Tensor, Sample], Tensor]

# What a picture is scored by; each returns (B,).
_SCORES: dict[str, Score] = {
    "psnr": lambda picture, sample: psnr(picture, sample.clean),
    "ssim": lambda picture, sample: ssim(picture, sample.clean),
    "psnr_in": lambda picture, sample: psnr(picture, sample.clean, sample.mask),
    "psnr_out": lambda picture, sample: psnr(picture, sample.clean, 1 - sample.mask),
    "psnr_ref": lambda picture, sample: psnr(picture, sample.reference),
    "ssim_ref": lambda picture, sample: ssim(picture, sample.reference),
}
# The same scores of the untouched input. Outside the mask it is exact by construction, hence no column for that.
_INPUT_SCORES = {
    "psnr_input": "psnr",
    "ssim_input": "ssim",
    "psnr_input_in": "psnr_in",
    "psnr_input_ref": "psnr_ref",
    "ssim_input_ref": "ssim_ref",
}
COLUMNS = (*_SCORES, *_INPUT_SCORES)
# In training only what can be read off a curve: each SSIM costs a good percent of a step.
TRAIN_COLUMNS = (*_SCORES, "psnr_input")


def measure(prediction: Tensor, sample: Sample, columns: Sequence[str] = COLUMNS) -> dict[str, Tensor]:
    """Scores a batch of predictions, clamped to 0..1.

    Args:
        prediction: (B, 3, H, W).
        sample: The batch it was made from.
        columns: Which of ``COLUMNS`` to compute.

    Returns:
        For each column a (B,) tensor: ``psnr`` (dB) and ``ssim`` against the clean photograph; ``psnr_in`` and
        ``psnr_out`` inside and outside the watermark mask; ``psnr_ref`` and ``ssim_ref`` against the second
        watermarked view; ``*_input*`` the same for the untouched input. NaN where a region is empty.
    """
    restored = prediction.float().clamp(0, 1)
    return {
        column: _SCORES[_INPUT_SCORES[column]](sample.watermarked, sample)
        if column in _INPUT_SCORES
        else _SCORES[column](restored, sample)
        for column in columns
    }


def metric_collection(stage: str) -> MetricCollection:
    """Returns a mean over pictures for each column of a stage, named ``stage/column``; NaN is left out of the mean."""
    columns = TRAIN_COLUMNS if stage == "train" else COLUMNS
    means: dict[str, Metric | MetricCollection] = {column: MeanMetric(nan_strategy="ignore") for column in columns}
    return MetricCollection(means, prefix=f"{stage}/", compute_groups=False)
