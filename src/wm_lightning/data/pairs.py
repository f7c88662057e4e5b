"""The self-supervised data set: a clean photograph in, two independently watermarked views out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from wm_lightning.data.augment import Augmentation, crop
from wm_lightning.data.sources import Photograph, PhotographSource
from wm_lightning.data.synthesis import Synthesizer
from wm_lightning.errors import UserError
from wm_lightning.types import PackedSample

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = ("train", "val", "test")


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index), so that a data set needs no state of its own to know the epoch.

    Args:
        length: Number of photographs.
        seed: Chooses the shuffles, a new one each epoch.
        shuffle: Without it, the order is that of the data set and the epoch stays 0.
    """

    def __init__(self, length: int, seed: int, *, shuffle: bool) -> None:
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch, also the first after a resume."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch if self.shuffle else 0
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng([self.seed, epoch]).shuffle(order)
        return ((epoch, int(index)) for index in order)

    def __len__(self) -> int:
        return self.length


class WatermarkPairs(Dataset[PackedSample]):
    """Watermarked pairs made on the fly.

    A pair depends on the seed, the stage, the epoch and the photograph's name alone, so it is the same for any number
    of workers. Validation and test use the photograph's middle, no augmentation, and always epoch 0: the same pairs
    in every epoch and run.

    Args:
        source: Where photographs come from.
        names: The photographs of this stage.
        synthesizer: Draws watermarks.
        augmentation: Applied in training only.
        size: Side of the square crop in pixels.
        seed: The run's seed.
        stage: The stage.
    """

    def __init__(
        self,
        source: PhotographSource,
        names: list[str],
        synthesizer: Synthesizer,
        augmentation: Augmentation,
        size: int,
        seed: int,
        stage: Stage,
    ) -> None:
        self.source, self.names = source, names
        self.synthesizer, self.augmentation = synthesizer, augmentation
        self.size, self.seed, self.stage = size, seed, stage

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: tuple[int, int]) -> PackedSample:
        """Makes the pair of (epoch, index)."""
        epoch, index = key
        name = self.names[index]
        seeds = [self.seed, STAGES.index(self.stage), epoch, zlib.crc32(name.encode())]
        generator = np.random.default_rng(seeds)
        clean = self._photograph(name, generator)
        first, second = self.synthesizer.pair(clean, generator)
        return PackedSample(
            watermarked=torch.from_numpy(first.image),
            reference=torch.from_numpy(second.image),
            clean=torch.from_numpy(first.clean),
            mask=torch.from_numpy(first.mask[..., None] * np.uint8(255)),
            alpha=torch.from_numpy(first.alpha),
            layer=torch.from_numpy(first.layer),
            name=name,
        )

    def _photograph(self, name: str, generator: np.random.Generator) -> Photograph:
        try:
            photograph = self.source.load(name)
        except OSError as error:  # it could be read when the run began
            raise UserError(f"A photograph can no longer be read ({error}); restore it or start again.") from error
        if self.stage != "train":
            return crop(photograph, self.size)
        return self.augmentation(photograph, self.size, generator)
