"""What scans, cameras and websites do to pictures, of a batch at once; each as in ``synthesis/degradation.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wm_lightning.data.device.jpeg import compressed
from wm_lightning.data.device.levels import as_levels, placed
from wm_lightning.data.synthesis.degradation import INTERPOLATIONS, SPREAD
from wm_lightning.data.synthesis.spec import DegradationSpec

Matrix = npt.NDArray[np.float32]  # (new side, old side)
Specs = Sequence[DegradationSpec]


class Step(NamedTuple):
    """One of the things that may happen to a picture.

    Attributes:
        happens: Says whether a specification has it.
        apply: Does it to pictures that have it, (N, P, 3, H, W), each with its own of N specifications.
    """

    happens: Callable[[DegradationSpec], bool]
    apply: Callable[[Tensor, Specs], Tensor]


def degraded(pictures: Tensor, specs: Sequence[DegradationSpec | None]) -> Tensor:
    """Applies degradations.

    Args:
        pictures: (B, P, 3, H, W), whole grey levels 0..255 as float32; the P of one pair go through the same.
        specs: Of each of the B; None for nothing. None may have WebP, which no device computes.

    Returns:
        As ``pictures``.
    """
    out = pictures.clone()
    for step in STEPS:
        chosen = [(place, spec) for place, spec in enumerate(specs) if spec is not None and step.happens(spec)]
        if chosen:
            places = placed([place for place, _ in chosen], out.device)
            out[places] = step.apply(out[places], [spec for _, spec in chosen])
    return out


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    """Returns a value for each of N, (N, 1, 1, 1, 1)."""
    return placed(values, like.device).reshape(-1, 1, 1, 1, 1)


def _toned(pictures: Tensor, specs: Specs) -> Tensor:
    contrast, brightness = (
        _column([getattr(spec, of) for spec in specs], pictures) for of in ("contrast", "brightness")
    )
    return as_levels((pictures - 127.5) * contrast + 127.5 + brightness)


def _striped(pictures: Tensor, specs: Specs) -> Tensor:
    height, width = pictures.shape[-2:]
    strength, period, angle = (
        _column(values, pictures) for values in zip(*(spec.moire for spec in specs), strict=True)
    )
    turn = torch.deg2rad(angle)
    across = torch.arange(width, device=pictures.device)
    down = torch.arange(height, device=pictures.device)[:, None]
    waves = torch.cos(2 * torch.pi / period * (turn.cos() * across + turn.sin() * down))
    return as_levels(pictures + strength * waves)


def _blurred(pictures: Tensor, specs: Specs) -> Tensor:
    rows, columns = ([_blur(side, spec.blur) for spec in specs] for side in pictures.shape[-2:])
    return _through(pictures, rows, columns)


def _resampled(pictures: Tensor, specs: Specs) -> Tensor:
    return _there_and_back(pictures, [(spec.resample, cv2.INTER_LINEAR, cv2.INTER_CUBIC) for spec in specs])


def _shown(pictures: Tensor, specs: Specs) -> Tensor:
    shown = [spec.screen for spec in specs if spec.screen is not None]
    return _there_and_back(pictures, [(scale, *2 * (INTERPOLATIONS[kernel],)) for scale, kernel in shown])


def _there_and_back(pictures: Tensor, ways: Sequence[tuple[float, int, int]]) -> Tensor:
    """Resizes each picture by its scale and back again; OpenCV's interpolation of each of the two."""
    sides = [(side, [max(1, round(side * scale)) for scale, *_ in ways]) for side in pictures.shape[-2:]]
    there = ([_resize(side, other, way[1]) for other, way in zip(others, ways, strict=True)] for side, others in sides)
    back = ([_resize(other, side, way[2]) for other, way in zip(others, ways, strict=True)] for side, others in sides)
    return _through(_through(pictures, *there), *back)


def _sharpened(pictures: Tensor, specs: Specs) -> Tensor:
    amounts, sigmas = zip(*(spec.sharpen for spec in specs if spec.sharpen is not None), strict=True)
    rows, columns = ([_blur(side, sigma) for sigma in sigmas] for side in pictures.shape[-2:])
    amount = _column(amounts, pictures)
    return as_levels((1 + amount) * pictures - amount * _through(pictures, rows, columns))


def _through(pictures: Tensor, rows: Sequence[Matrix], columns: Sequence[Matrix]) -> Tensor:
    """Applies to rows and columns what is linear: OpenCV's own kernels, each as a matrix of its own for each of N.

    Pictures of one batch may become of different sizes: all get the largest, filled up with zeros.
    """
    left, right = (placed(_filled(matrices), pictures.device)[:, None, None] for matrices in (rows, columns))
    return as_levels(left @ pictures @ right.transpose(-1, -2))


def _filled(matrices: Sequence[Matrix]) -> npt.NDArray[np.float32]:
    """Puts matrices together, (N, most rows, most columns)."""
    out = np.zeros((len(matrices), *np.max([one.shape for one in matrices], axis=0)), dtype=np.float32)
    for place, one in enumerate(matrices):
        out[place, : one.shape[0], : one.shape[1]] = one
    return out


@lru_cache(maxsize=128)  # of 1 MB each at 512x512
def _resize(old: int, new: int, interpolation: int) -> Matrix:
    identity = np.eye(old, dtype=np.float32)
    return np.asarray(cv2.resize(identity, (old, new), interpolation=interpolation), dtype=np.float32)


def _blur(side: int, sigma: float) -> Matrix:
    # As many taps as OpenCV takes for bytes; it would take more for an identity in float32.
    taps = cv2.getGaussianKernel(round(6 * sigma + 1) | 1, sigma, cv2.CV_32F)
    identity = np.eye(side, dtype=np.float32)
    return np.asarray(cv2.sepFilter2D(identity, -1, np.ones(1, dtype=np.float32), taps), dtype=np.float32)


def _noisy(pictures: Tensor, specs: Specs) -> Tensor:
    sigmas, seeds = zip(*(spec.noise for spec in specs if spec.noise is not None), strict=True)
    shape = pictures.shape[-3:]
    numbers = torch.arange(shape.numel(), device=pictures.device)
    bits = _mixed(_mixed(placed(seeds, pictures.device))[:, None] ^ numbers)
    # The sum of two uniform bytes is the noise of the loader processes too
    sums = (bits & 255) + (bits >> 8 & 255) - 255
    noise = sums.reshape(-1, 1, *shape) * (_column(sigmas, pictures) / SPREAD)
    return as_levels(pictures + noise)


def _mixed(numbers: Tensor) -> Tensor:
    """Hashes 32 bits to 32: the same numbers on every device, whatever else is computed beside them.

    The constants are those of Ellis, ``lowbias32`` (2018), found by search: a changed bit of the input changes each of
    the output with a probability near one half.
    """
    low = 0xFFFFFFFF
    numbers = numbers ^ (numbers >> 16)
    numbers = (numbers * 0x7FEB352D) & low
    numbers = numbers ^ (numbers >> 15)
    numbers = (numbers * 0x846CA68B) & low
    return numbers ^ (numbers >> 16)


def _first_compressed(pictures: Tensor, specs: Specs) -> Tensor:
    return compressed(pictures, [spec.first_jpeg or 0 for spec in specs])


def _compressed(pictures: Tensor, specs: Specs) -> Tensor:
    return compressed(pictures, [spec.jpeg or 0 for spec in specs], specs[0].full_chroma)


STEPS = (
    Step(lambda spec: spec.contrast != 1 or spec.brightness != 0, _toned),
    Step(lambda spec: spec.moire is not None, _striped),
    Step(lambda spec: spec.blur != 0, _blurred),
    Step(lambda spec: spec.resample != 1, _resampled),
    Step(lambda spec: spec.screen is not None, _shown),
    Step(lambda spec: spec.sharpen is not None, _sharpened),
    Step(lambda spec: spec.noise is not None, _noisy),
    Step(lambda spec: spec.first_jpeg is not None, _first_compressed),
    Step(lambda spec: spec.jpeg is not None and spec.full_chroma, _compressed),
    Step(lambda spec: spec.jpeg is not None and not spec.full_chroma, _compressed),
)
