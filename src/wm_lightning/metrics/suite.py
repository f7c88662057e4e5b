"""The columns this project reports: the prediction's and, beside each, those of the identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from wm_lightning.errors import UserError
from wm_lightning.metrics.functional import decibels, grey_levels, mse, psnr, ssim, ssim_uniform, ssim_zero_padded
from wm_lightning.metrics.masks import Overlap, found_mask, overlap
from wm_lightning.metrics.mean import PictureMean
from wm_lightning.metrics.perceptual import lpips, niqe, require
from wm_lightning.types import Sample

PairScore = Callable[[Tensor, Tensor], Tensor]
OwnMetric = Callable[[Tensor, Sample], Tensor]
"""Scores pictures (B, 3, H, W) in 0..1 made from a batch: (B,), higher being better; NaN where it is not defined."""


class Measurement:
    """The scores of one batch by column, ``measurement[column]``; what several columns share is computed once.

    Args:
        prediction: (B, 3, H, W).
        sample: The batch it was made from.
        predicted_mask: As for :func:`measure`.
    """

    def __init__(self, prediction: Tensor, sample: Sample, predicted_mask: Tensor | None = None) -> None:
        self.raw, self.sample, self.predicted_mask = prediction.float(), sample, predicted_mask
        self.input, self.clean = sample.watermarked, sample.clean
        self._columns: dict[str, Tensor] = {}
        self._errors: dict[tuple[str, str], Tensor] = {}

    def __getitem__(self, column: str) -> Tensor:
        if column not in self._columns:
            self._columns[column] = _SCORES[column](self)
        return self._columns[column]

    @cached_property
    def restored(self) -> Tensor:
        """The prediction in 0..1, (B, 3, H, W)."""
        return self.raw.clamp(0, 1)

    @cached_property
    def overlap(self) -> Overlap:
        """What the predicted and the true mask have in common."""
        return overlap(found_mask(self.restored, self.input, self.predicted_mask), self.sample.mask)

    def mse(self, picture: str, region: str = "whole") -> Tensor:
        """Squared error against the clean photograph, (B,).

        Args:
            picture: The name of an attribute: ``restored``, ``raw`` or ``input``.
            region: ``whole``, or ``in`` or ``out`` of the watermark's mask.
        """
        if (picture, region) not in self._errors:
            mask = {"whole": None, "in": self.sample.mask, "out": 1 - self.sample.mask}[region]
            self._errors[picture, region] = mse(getattr(self, picture), self.clean, mask)
        return self._errors[picture, region]

    @cached_property
    def marked(self) -> Tensor:
        """Which pictures have a mark, (B,)."""
        return self.sample.mask.flatten(1).any(dim=1)

    def of_marked(self, column: str) -> Tensor:
        """A column of the marked pictures alone, (B,): the identity scores 100 dB of any other."""
        return self[column].masked_fill(~self.marked, torch.nan)

    def against_reference(self, score: PairScore, picture: Tensor) -> Tensor:
        """Scores a picture against the second watermarked view, (B,); NaN for data that has none."""
        if self.sample.reference is None:
            return torch.full_like(picture[:, 0, 0, 0], torch.nan)
        return score(picture, self.sample.reference)


# Each returns (B,). A name is SCORE[_input][_VARIANT][_REGION], with `_input` for the untouched input. Outside the mask
# the input is exact by construction, hence no column for that; it is never out of 0..1, hence none for its clamping.
_SCORES: dict[str, Callable[[Measurement], Tensor]] = {
    "psnr": lambda m: decibels(m.mse("restored")),
    "psnr_in": lambda m: decibels(m.mse("restored", "in")),
    "psnr_out": lambda m: decibels(m.mse("restored", "out")),
    "psnr_ref": lambda m: m.against_reference(psnr, m.restored),
    "psnr_slbr": lambda m: decibels(m.mse("raw")),
    "psnr_input": lambda m: decibels(m.mse("input")),
    "psnr_input_in": lambda m: decibels(m.mse("input", "in")),
    "psnr_input_ref": lambda m: m.against_reference(psnr, m.input),
    "psnr_marked": lambda m: m.of_marked("psnr"),
    "psnr_unmarked": lambda m: m["psnr"].masked_fill(m.marked, torch.nan),
    "psnr_input_marked": lambda m: m.of_marked("psnr_input"),
    "gain": lambda m: m.of_marked("psnr") - m["psnr_input"],
    "gain_in": lambda m: m["psnr_in"] - m["psnr_input_in"],
    "ssim": lambda m: ssim(m.restored, m.clean),
    "ssim_ref": lambda m: m.against_reference(ssim, m.restored),
    "ssim_uniform": lambda m: ssim_uniform(m.restored, m.clean),
    "ssim_slbr": lambda m: ssim_zero_padded(m.raw, m.clean),
    "ssim_input": lambda m: ssim(m.input, m.clean),
    "ssim_input_ref": lambda m: m.against_reference(ssim, m.input),
    "ssim_input_uniform": lambda m: ssim_uniform(m.input, m.clean),
    "ssim_input_slbr": lambda m: ssim_zero_padded(m.input, m.clean),
    "rmse": lambda m: grey_levels(m.mse("restored")),
    "rmse_w": lambda m: grey_levels(m.mse("restored", "in")),
    "rmse_slbr": lambda m: grey_levels(m.mse("raw")),
    "rmse_slbr_w": lambda m: grey_levels(m.mse("raw", "in")),
    "rmse_input": lambda m: grey_levels(m.mse("input")),
    "rmse_input_w": lambda m: grey_levels(m.mse("input", "in")),
    "iou": lambda m: m.overlap.iou(),
    "f1": lambda m: m.overlap.f1(),
    "precision": lambda m: m.overlap.precision(),
    "recall": lambda m: m.overlap.recall(),
    "lpips": lambda m: lpips(m.restored, m.clean),
    "lpips_input": lambda m: lpips(m.input, m.clean),
    "niqe": lambda m: niqe(m.restored),
    "niqe_input": lambda m: niqe(m.input),
}

KNOWN_COLUMNS = frozenset(_SCORES)

# What others report, to the definition; `full` is what this project does.
PRESETS: dict[str, tuple[str, ...]] = {
    "full": (
        "psnr", "ssim", "psnr_in", "psnr_out", "psnr_ref", "ssim_ref", "rmse", "rmse_w", "iou", "f1", "precision",
        "recall", "gain", "gain_in", "psnr_input", "ssim_input", "psnr_input_in", "psnr_input_ref", "ssim_input_ref",
        "rmse_input", "rmse_input_w", "psnr_marked", "psnr_unmarked", "psnr_input_marked",
    ),
    "swcnn": (
        "psnr", "ssim_uniform", "psnr_in", "psnr_out", "gain", "psnr_input", "ssim_input_uniform", "psnr_input_in",
    ),
    "slbr": (
        "psnr_slbr", "ssim_slbr", "psnr_in", "psnr_out", "rmse_slbr", "rmse_slbr_w", "iou", "f1", "psnr_input",
        "ssim_input_slbr", "psnr_input_in", "rmse_input", "rmse_input_w",
    ),
    "watermarkcnn": ("psnr_ref", "ssim_ref", "psnr_input_ref", "ssim_input_ref"),
}  # fmt: skip
# Measured beside a preset when asked for; see metrics/perceptual.py for what they need.
EXTRAS: dict[str, tuple[str, ...]] = {"lpips": ("lpips", "lpips_input"), "niqe": ("niqe", "niqe_input")}

COLUMNS = PRESETS["full"]
# In training only what can be read off a curve: each SSIM costs a good percent of a step.
TRAIN_COLUMNS = ("psnr", "ssim", "psnr_in", "psnr_out", "psnr_ref", "ssim_ref", "psnr_input")


def choose_columns(preset: str = "full", extras: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns the columns of a preset and of what is to be measured beside it.

    Args:
        preset: A key of :data:`PRESETS`.
        extras: Keys of :data:`EXTRAS`.

    Raises:
        UserError: One of them is unknown, or an extra's package or weights are missing.
    """
    for name, known in ((preset, PRESETS), *((extra, EXTRAS) for extra in extras)):
        if name not in known:
            raise UserError(f"There are no metrics {name}; choose from: {', '.join(known)}.")
    for extra in extras:
        require(extra)
    return (*PRESETS[preset], *(column for extra in extras for column in EXTRAS[extra]))


def measure(
    prediction: Tensor,
    sample: Sample,
    columns: Sequence[str] = COLUMNS,
    predicted_mask: Tensor | None = None,
    own: Mapping[str, OwnMetric] | None = None,
) -> dict[str, Tensor]:
    """Scores a batch of predictions.

    Args:
        prediction: (B, 3, H, W), as the model made it; clamped to 0..1 for all but the ``*_slbr*`` columns.
        sample: The batch it was made from.
        columns: Which to compute: those of a preset in :data:`PRESETS`, or any of their names.
        predicted_mask: Where the model saw a watermark, (B, 1, H, W), probabilities; None for a model that does not
            say, which is then judged by :func:`~wm_lightning.metrics.masks.change_mask`.
        own: Other metrics by name; each makes two columns, see :func:`own_columns`.

    Returns:
        For each column a (B,) tensor, NaN for a picture it is not defined on. ``psnr`` (dB) and ``ssim`` are against
        the clean photograph, ``psnr_in`` and ``psnr_out`` inside and outside the watermark's mask, ``psnr_ref`` and
        ``ssim_ref`` against the second watermarked view; ``rmse`` and ``rmse_w``, inside the mask, are in grey levels;
        ``iou``, ``f1``, ``precision`` and ``recall`` are of the predicted mask; ``*_uniform`` is the SWCNN benchmark's
        definition and ``*_slbr`` SLBR's; ``*_input*`` is the same for the untouched input; ``gain`` and ``gain_in`` are
        the PSNR above it, over the picture and inside the mask; ``gain``, ``psnr_marked`` and ``psnr_input_marked`` are
        of pictures with a mark, ``psnr_unmarked`` of those without.
    """
    measurement = Measurement(prediction, sample, predicted_mask)
    scores = {column: measurement[column] for column in columns}
    for name, score in (own or {}).items():
        for column, picture in ((name, measurement.restored), (f"{name}_input", sample.watermarked)):
            scores[column] = _of_each(score(picture, sample), name, len(picture))
    return scores


def _of_each(values: Tensor, name: str, pictures: int) -> Tensor:
    """Returns somebody's scores, one of each picture.

    Raises:
        UserError: They are none.
    """
    shape = tuple(getattr(values, "shape", ()))
    if shape != (pictures,):
        raise UserError(f"own_metrics.{name} must return a score of each picture, ({pictures},); it returned {shape}.")
    return values


def own_columns(own: Iterable[str]) -> tuple[str, ...]:
    """Returns the columns of metrics that are not of this project: each and, beside it, that of the identity.

    Raises:
        UserError: A name is that of a column that there is.
    """
    columns = [column for name in own for column in (name, f"{name}_input")]
    for column in columns:
        if column in _SCORES or columns.count(column) > 1 or column == "loss" or column.startswith("loss_"):
            raise UserError(f"own_metrics: {column} has a figure already; give your metric another name.")
    return tuple(columns)


def metric_collection(stage: str, columns: Sequence[str]) -> MetricCollection:
    """Returns a mean over pictures for each column of a stage, named ``stage/column``; NaN is left out of the mean."""
    means: dict[str, Metric | MetricCollection] = {column: PictureMean() for column in columns}
    return MetricCollection(means, prefix=f"{stage}/", compute_groups=False)


def count_defined(rows: Iterable[Mapping[str, float]]) -> dict[str, int]:
    """Returns for each column on how many pictures it is defined: what its mean was taken over.

    Args:
        rows: The columns of each picture; NaN where one is not defined.
    """
    counts: dict[str, int] = {}
    for row in rows:
        for column, value in row.items():
            counts[column] = counts.get(column, 0) + (value == value)  # NaN alone is not equal to itself
    return counts
