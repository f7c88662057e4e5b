"""Test pictures with known scores, and a network that is not worth looking at."""

import math

import pytest
import torch
from torch import nn

from wm_lightning.data.synthesis.traits import Traits
from wm_lightning.metrics import COLUMNS, PRESETS, measure
from wm_lightning.models import RestorationNet, SizeRequirement
from wm_lightning.reports.evaluation import Subject
from wm_lightning.reports.figures.confusion import Confusion, count_pixels
from wm_lightning.reports.figures.histogram import residual_counts
from wm_lightning.reports.groups import PictureScore
from wm_lightning.types import Prediction, Sample

MEASURED = tuple(dict.fromkeys(column for columns in (COLUMNS, *PRESETS.values()) for column in columns))


class Plain(RestorationNet):
    """Darkens or brightens; names no layers."""

    size = SizeRequirement()

    def __init__(self, factor):
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 1, bias=False)
        self.mix.weight.data = factor * torch.eye(3)[:, :, None, None]

    def restore(self, image):
        return Prediction(self.mix(image))


@pytest.fixture(scope="session")
def score():
    """Makes a picture's scores from its PSNR before and after."""

    def make(name, before, after, traits=None, inside=(10.0, 12.0)):
        scores = {
            "psnr": after, "psnr_input": before, "gain": after - before,
            "psnr_input_in": inside[0], "psnr_in": inside[1], "psnr_marked": after, "psnr_input_marked": before,
            "psnr_unmarked": math.nan,
        }  # fmt: skip
        return PictureScore(name, scores, traits or Traits(0.1))

    return make


@pytest.fixture(scope="session")
def make_pair():
    """A photograph of 40 x 48 pixels with a square that is darker by ``depth``; real pairs have no second view."""

    def make(index, depth=0.4, real=False):
        clean = 0.5 + 0.4 * torch.rand((3, 40, 48), generator=torch.Generator().manual_seed(index))
        mask = torch.zeros(1, 40, 48)
        mask[:, 4:16, 20:32] = 1
        watermarked = clean - depth * mask
        reference = None if real else clean - depth * mask.flip(2)
        return Sample(watermarked, reference, clean, mask, f"photo{index}.png")

    return make


@pytest.fixture(scope="session")
def make_subject(make_pair):
    """A model that multiplies with a factor, and its scores on a few pairs, too dark by 0.1, 0.2, 0.3, 0.4, 0.1, ..."""

    def make(factor=1.0, count=4, real=False, history=()):
        net = Plain(factor).eval()
        pairs = [make_pair(index, 0.1 * (index % 4 + 1), real) for index in range(count)]

        @torch.no_grad()
        def restore(picture):
            return net(picture).clamp(0, 1)

        pictures, residuals, confusion = [], torch.zeros(2, 2, 511, dtype=torch.int64), Confusion()
        for pair in pairs:
            views = (pair.watermarked, pair.reference, pair.clean, pair.mask)
            batch = Sample(*(None if view is None else view[None] for view in views), name=[pair.name])
            restored = restore(batch.watermarked)
            scores = {column: float(value) for column, value in measure(restored, batch, MEASURED).items()}
            pictures.append(PictureScore(pair.name, scores, Traits(float(pair.mask.mean()))))
            residuals += torch.stack(
                [
                    torch.stack([residual_counts(picture, batch.clean, region) for region in (None, batch.mask)])
                    for picture in (restored, batch.watermarked)
                ]
            )
            confusion += count_pixels(torch.zeros_like(batch.mask), batch.mask)
        costs = {"network": "Plain", "parameters": "9"}
        return Subject(net, restore, pairs.__getitem__, residuals, confusion, history, costs), pictures

    return make
