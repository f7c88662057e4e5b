"""Pictures through a network, as a test has them; a sheet of them to look at."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor

from wm_lightning.data.pairs import StagePairs
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.metrics.masks import found_mask
from wm_lightning.reports.contact_sheet import contact_sheet
from wm_lightning.reports.evaluation import as_bytes
from wm_lightning.types import Prediction

NAME = "examples.jpg"


def predict(module: WatermarkRemoval, trainer: L.Trainer, picture: Tensor) -> Prediction:
    """Runs a network on (B, 3, H, W) in a trainer's precision and on its device."""
    module.to(trainer.strategy.root_device).eval()
    with torch.no_grad(), trainer.precision_plugin.forward_context():
        return module.predict(picture.to(module.device))


def restore(module: WatermarkRemoval, trainer: L.Trainer, picture: Tensor) -> Tensor:
    """Restores (B, 3, H, W) as :func:`predict` does; returns float32 in 0..1 on the CPU."""
    return predict(module, trainer, picture).image.float().clamp(0, 1).cpu()


def write_examples(module: WatermarkRemoval, trainer: L.Trainer, pairs: StagePairs, count: int, folder: Path) -> Path:
    """Writes a sheet of pairs that their seed chose: input, output, clean, mask found and true; returns its path."""
    intact = pairs.intact()  # after the test that read them all
    chosen = np.random.default_rng(pairs.seed).choice(intact, min(count, len(intact)), replace=False)
    rows = []
    for index in sorted(chosen):
        sample = pairs[0, int(index)].unpack()
        prediction = predict(module, trainer, sample.watermarked[None])
        image = prediction.image.float().clamp(0, 1).cpu()
        mask = None if prediction.mask is None else prediction.mask.cpu()
        found = found_mask(image, sample.watermarked[None], mask)
        columns = (sample.watermarked, image[0], sample.clean, found[0], sample.mask)
        rows.append([as_bytes(column).squeeze() for column in columns])
    sheet = folder / NAME
    contact_sheet(("input", "output", "clean", "mask found", "mask"), rows).save(sheet, quality=92)
    return sheet
