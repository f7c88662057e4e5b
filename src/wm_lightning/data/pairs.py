"""The self-supervised data set: a clean photograph in, two independently watermarked views out.

Also what it shares with other data sets of pairs: the order of an epoch, the seed of a pair.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from wm_lightning.data.augment import Augmentation, crop
from wm_lightning.data.loader import Drawn, none_left, note_broken
from wm_lightning.data.sources import BrokenPictureError, Photograph, PhotographSource, load_again
from wm_lightning.data.synthesis import Synthesizer, View
from wm_lightning.types import PackedSample

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = ("train", "val", "test")


def shuffled(length: int, seed: int, number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Returns the order in which training goes through its photographs for the ``number``-th time, (length,)."""
    order = np.arange(length)
    np.random.default_rng([seed, number]).shuffle(order)
    return order


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
        self._begun: tuple[int, int] | None = None

    def begin(self, epoch: int, taken: int = 0) -> None:
        """Goes on with an epoch of which a run that was stopped has taken some photographs in this process."""
        self.epoch, self._begun = epoch, (epoch, taken)

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch, also the first after a resume."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch if self.shuffle and self.fresh else 0
        rounds = range(epoch * self.repeats, (epoch + 1) * self.repeats)
        order = np.concatenate([self._round(number) for number in rounds])
        if self.shuffle:
            order = np.resize(order, (len(self) * self.world_size, 2))
        taken = self._begun[1] if self._begun is not None and self._begun[0] == self.epoch else 0
        self._begun = None  # the epoch's loader is asked for its order once
        return ((int(number), int(index)) for number, index in self._mine(order, epoch)[taken:])

    def _mine(
        self, order: np.ndarray[tuple[int, int], np.dtype[np.int64]], epoch: int
    ) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """Returns this process's part of an epoch's (number, index)."""
        return order[self.rank :: self.world_size]

    def _round(self, number: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """Returns (number, index) of each photograph once, (length, 2)."""
        order = shuffled(self.length, self.seed, number) if self.shuffle else np.arange(self.length)
        return np.stack([np.full_like(order, number), order], axis=1)

    def __len__(self) -> int:
        whole, rest = divmod(self.length * self.repeats, self.world_size)
        return whole + (rest > 0 if self.shuffle else rest > self.rank)


class StagePairs(Dataset[PackedSample]):
    """The pairs of one stage, each known by a name.

    A pair depends on the seed, the stage, the epoch and the name alone, so it is the same for any number of workers.
    Validation and test are always epoch 0: the same pairs in every epoch and run.

    Pictures are checked when they are drawn. In training the next pair of the epoch's order stands in for a broken one;
    of validation and test it is left out, so that no picture counts twice.

    Args:
        names: The pairs of this stage, broken ones among them: what turns out to be broken changes no order.
        size: Side of the square pictures in pixels.
        seed: The run's seed.
        stage: The stage.
        broken: Names that are known to be broken, with the reason of each; what is found is added.
    """

    def __init__(
        self, names: list[str], size: int, seed: int, stage: Stage, broken: dict[str, str] | None = None
    ) -> None:
        self.names, self.size, self.seed, self.stage = names, size, seed, stage
        self.broken = {} if broken is None else broken

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, key: tuple[int, int]) -> PackedSample:
        """Makes the pair of (epoch, index).

        Raises:
            BrokenPictureError: It cannot be used.
            UserError: It is no longer there.
        """

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Drawn:
        """PyTorch's hook for a whole batch."""
        return self.draw(keys)

    def draw(self, keys: Sequence[tuple[int, int]]) -> Drawn:
        """Makes the pairs of (epoch, index) without the broken ones: in training others stand in for these.

        Raises:
            UserError: No pair of the training can be used, or a picture is no longer there.
        """
        samples: list[PackedSample] = []
        broken: dict[str, str] = {}
        for key in keys:
            for candidate in self._from(key):
                sample = self._intact(candidate)
                if sample is not None:
                    samples.append(sample)
                    break
                name = self.names[candidate[1]]
                broken[name] = self.broken[name]
            else:
                if self.stage == "train":
                    raise none_left(self.stage, len(self))
        return Drawn(samples, broken)

    def intact(self) -> list[int]:
        """Returns the indices of pairs that are not known to be broken."""
        return [index for index, name in enumerate(self.names) if name not in self.broken]

    def _from(self, key: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Yields a key and in training those after it in its epoch's order, which begins again at its end."""
        yield key
        if self.stage == "train":
            epoch, index = key
            order = shuffled(len(self), self.seed, epoch)
            place = int(np.flatnonzero(order == index)[0])
            yield from ((epoch, int(other)) for other in np.roll(order, -place)[1:])

    def _intact(self, key: tuple[int, int]) -> PackedSample | None:
        name = self.names[key[1]]
        if name in self.broken:
            return None
        try:
            return self[key]
        except BrokenPictureError as error:
            note_broken(self.broken, name, error.reason)
            return None

    def generator(self, epoch: int, name: str) -> np.random.Generator:
        """Returns the generator that a pair is drawn from."""
        return np.random.default_rng([self.seed, STAGES.index(self.stage), epoch, zlib.crc32(name.encode())])


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
        broken: As for :class:`StagePairs`.
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
        broken: dict[str, str] | None = None,
    ) -> None:
        super().__init__(names, size, seed, stage, broken)
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
