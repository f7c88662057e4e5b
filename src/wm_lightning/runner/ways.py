"""Three ways to take one mark away, on the pictures of a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import numpy.typing as npt
import torch

from wm_lightning.engine import StepOutput, WatermarkRemoval
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.known import without_known
from wm_lightning.inference.torch_engine import TorchEngine
from wm_lightning.mark.known import Place, load_mark
from wm_lightning.metrics import PictureMean, measure
from wm_lightning.reports.record import write_record
from wm_lightning.reports.ways import print_ways
from wm_lightning.trained import load
from wm_lightning.types import Sample

Picture = npt.NDArray[np.uint8]
COLUMNS = ("psnr_in", "psnr_out", "psnr_marked", "psnr_unmarked")
UNTOUCHED = "untouched"


class ThreeWays(L.Callback):
    """Scores the network that was trained for a mark beside one that knows no mark, and beside the blend's inverse.

    Each does what ``predict.py`` does with it, on the first test pictures: networks ask for evidence, and the inverse
    is given the mark's file and seeks the mark all over the picture.

    Args:
        mark: The mark's file.
        weights: Of the network that does not know it, as of :class:`wm_lightning.Remover`.
        path: A JSON file for the scores; replaced at the end of a test.
        pictures: How many are looked at.
    """

    def __init__(self, mark: str, weights: str, path: str, pictures: int = 40) -> None:
        self.mark, self.weights, self.path, self.pictures = mark, weights, Path(path), pictures
        self._ways: dict[str, Callable[[Picture], Picture]] = {}
        self._means: dict[str, dict[str, PictureMean]] = {}
        self._left = 0

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Opens what takes marks away."""
        assert isinstance(pl_module, WatermarkRemoval)
        device, self._left = str(pl_module.device), self.pictures
        mark = replace(load_mark(self.mark), place=Place())
        blind, own = TorchEngine(load(self.weights).net, device), TorchEngine(pl_module.net, device)
        self._ways = {
            UNTOUCHED: lambda picture: picture,
            f"{self.weights}, which knows no mark": lambda picture: clean_pixels(blind, picture).pixels,
            "the blend's inverse": lambda picture: without_known(blind, picture, mark).pixels,
            "this network": lambda picture: clean_pixels(own, picture).pixels,
        }
        self._means = {way: {column: PictureMean() for column in COLUMNS} for way in self._ways}

    def on_test_batch_end(  # noqa: D102 - Lightning's hook
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: StepOutput,  # type: ignore[override]  # our module returns this, Lightning allows anything
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        count = min(len(batch.mask), self._left)
        self._left -= count
        if not count:
            return
        shown = (batch.watermarked[:count].float().cpu() * 255).round().byte().permute(0, 2, 3, 1).numpy()
        part = Sample(
            watermarked=batch.watermarked[:count].cpu(),
            reference=None,
            clean=batch.clean[:count].cpu(),
            mask=batch.mask[:count].cpu(),
            name=list(batch.name[:count]),
        )
        for way, clean in self._ways.items():
            restored = np.stack([clean(np.ascontiguousarray(picture)) for picture in shown])
            prediction = torch.from_numpy(restored).permute(0, 3, 1, 2).float() / 255
            for column, values in measure(prediction, part, COLUMNS).items():
                self._means[way][column].update(values)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Prints the table and writes the file; of several processes the first, of its own pictures."""
        scores = {
            way: {column: float(mean.compute()) for column, mean in means.items()} for way, means in self._means.items()
        }
        self._ways = {}
        if trainer.is_global_zero:
            write_record(self.path, {"mark": self.mark, "pictures": self.pictures - self._left, "ways": scores})
            print_ways(scores, self.pictures - self._left)
