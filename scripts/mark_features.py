"""The means of a network's features over the marks that it found in a picture, for scripts/fit_evidence.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from wm_lightning.inference.marks import Marks
from wm_lightning.inference.search import Search
from wm_lightning.inference.tiles import ALIGN, grid
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.inference.traits import Tile


class MarkFeatures:
    """Measures the features that a network recognises marks by.

    Args:
        engine: Runs a network with :class:`~wm_lightning.models.recognition.Recognition`, fitted or not.
    """

    def __init__(self, engine: TorchEngine) -> None:
        self.engine = engine
        recognition: Any = engine.net.net.recognition
        self.count = sum(recognition.widths)
        self.last: tuple[Tensor, ...] = ()
        recognition.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, arguments: tuple[Sequence[Tensor], tuple[int, int]]) -> None:
        features, (height, _) = arguments
        self.last, self.strides = tuple(features), [height // one.shape[-2] for one in features]

    def measure(self, tile: Tile, marks: Marks, search: Search) -> npt.NDArray[np.float64]:
        """Returns the mean of each feature over the pixels of each mark, (N, C); 0 where a mark has none."""
        sums, pixels = np.zeros((len(marks.areas), self.count)), np.zeros((len(marks.areas), 1))
        for rows, columns in grid(marks.sure.shape[0], marks.sure.shape[1], search.tile, search.overlap, ALIGN):
            numbers = marks.labels[rows, columns] * marks.sure[rows, columns]
            if not numbers.any():
                continue
            self.engine.correct(np.ascontiguousarray(tile(rows, columns)))
            sums += np.concatenate([self._added(level, numbers, len(sums)) for level in range(len(self.last))], axis=1)
            pixels[:, 0] += np.bincount(numbers.ravel(), minlength=len(pixels))
        pixels[0] = 0
        return np.asarray(sums / np.maximum(pixels, 1) * (pixels > 0))

    def _added(self, level: int, numbers: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.float64]:
        """Adds the features of a level up over the pixels of each mark, (count, C), as if they were enlarged first."""
        features, stride = self.last[level][0].float().cpu().numpy(), self.strides[level]
        down, across = np.nonzero(numbers)
        width = features.shape[2]
        cells = features.shape[1] * width
        places = numbers[down, across].astype(np.int64) * cells + down // stride * width + across // stride
        there, times = np.unique(places, return_counts=True)
        added = np.zeros((count, len(features)))
        np.add.at(added, there // cells, features.reshape(len(features), -1)[:, there % cells].T * times[:, None])
        return added
