"""The self-supervised data set: a clean photograph in, two independently watermarked views out.

Also what it shares with other data sets of pairs: the order of an epoch, the seed of a pair.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from wm_lightning.data.augment import Augmentation, crop
from wm_lightning.data.sources import Photograph, PhotographSource
from wm_lightning.data.synthesis import Synthesizer, View
from wm_lightning.errors import UserError
from wm_lightning.types import PackedSample

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = ("train", "val", "test")

Loaded = TypeVar("Loaded")


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index), so that a data set needs no state of its own to know the epoch.

    Where several processes train together, each takes every n-th photograph. In training the shuffled order is begun
    again until all have equally many, since they step together; otherwise no photograph is repeated or left out, and
    some processes have one less.

    Args:
        length: Number of photographs.
        seed: Chooses the shuffles.
        shuffle: Without it, the order is that of the data set and the epoch stays 0.
        fresh: Shuffles anew in each epoch; without it, every epoch is epoch 0.
        repeats: How often an epoch goes through the photographs in training, each time for other pairs of them.
        rank: Number of this process.
        world_size: Number of processes.
    """

    def __init__(
        self,
        length: int,
        seed: int,
        *,
        shuffle: bool,
        fresh: bool = True,
        repeats: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.length, self.seed, self.shuffle, self.fresh = length, seed, shuffle, fresh
        self.repeats = repeats if shuffle else 1
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch, also the first after a resume."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch if self.shuffle and self.fresh else 0
        rounds = range(epoch * self.repeats, (epoch + 1) * self.repeats)
        order = np.concatenate([self._round(number) for number in rounds])
        if self.shuffle:
            order = np.resize(order, (len(self) * self.world_size, 2))
        return ((int(number), int(index)) for number, index in order[self.rank :: self.world_size])

    def _round(self, number: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """Returns (number, index) of each photograph once, (length, 2)."""
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng([self.seed, number]).shuffle(order)
        return np.stack([np.full_like(order, number), order], axis=1)

    def __len__(self) -> int:
        whole, rest = divmod(self.length * self.repeats, self.world_size)
        return whole + (rest > 0 if self.shuffle else rest > self.rank)


class StagePairs(Dataset[PackedSample]):
    """The pairs of one stage, each known by a name.

    A pair depends on the seed, the stage, the epoch and the name alone, so it is the same for any number of workers.
    Validation and test are always epoch 0: the same pairs in every epoch and run.

    Args:
        names: The pairs of this stage.
        size: Side of the square pictures in pixels.
        seed: The run's seed.
        stage: The stage.
    """

    def __init__(self, names: list[str], size: int, seed: int, stage: Stage) -> None:
        self.names, self.size, self.seed, self.stage = names, size, seed, stage

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, key: tuple[int, int]) -> PackedSample:
        """Makes the pair of (epoch, index)."""

    def generator(self, epoch: int, name: str) -> np.random.Generator:
        """Returns the generator that a pair is drawn from."""
        return np.random.default_rng([self.seed, STAGES.index(self.stage), epoch, zlib.crc32(name.encode())])


def load_again(load: Callable[[str], Loaded], name: str) -> Loaded:
    """Loads what could be read when the run began.

    Raises:
        UserError: It no longer can.
    """
    try:
        return load(name)
    except OSError as error:
        raise UserError(f"A photograph can no longer be read ({error}); restore it or start again.") from error


class WatermarkPairs(StagePairs):
    """Watermarked pairs made on the fly; validation and test use the photograph's middle and no augmentation.

    Args:
        source: Where photographs come from.
        names: The photographs of this stage.
        synthesizer: Draws watermarks.
        augmentation: Applied in training only.
        size: Side of the square crop in pixels.
        seed: The run's seed.
        stage: The stage.
        second_view: Draws the second view too; it costs about as much as the first.
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
        second_view: bool = True,
    ) -> None:
        super().__init__(names, size, seed, stage)
        self.source, self.synthesizer, self.augmentation = source, synthesizer, augmentation
        self.second_view = second_view

    def __getitem__(self, key: tuple[int, int]) -> PackedSample:
        """Makes the pair of (epoch, index)."""
        first, second = self.views(key)
        return PackedSample(
            watermarked=torch.from_numpy(first.image),
            reference=None if second is None else torch.from_numpy(second.image),
            clean=torch.from_numpy(first.clean),
            mask=torch.from_numpy(first.mask[..., None] * np.uint8(255)),
            alpha=torch.from_numpy(first.alpha),
            layer=torch.from_numpy(first.layer),
            name=self.names[key[1]],
        )

    def views(self, key: tuple[int, int]) -> tuple[View, View | None]:
        """Makes the pair of (epoch, index) with all that is known of it, the specifications of its marks too."""
        epoch, index = key
        name = self.names[index]
        generator = self.generator(epoch, name)
        return self.synthesizer.pair(self._photograph(name, generator), generator, self.second_view)

    def _photograph(self, name: str, generator: np.random.Generator) -> Photograph:
        photograph = load_again(self.source.load, name)
        if self.stage != "train":
            return crop(photograph, self.size)
        return self.augmentation(photograph, self.size, generator)
