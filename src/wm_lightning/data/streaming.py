"""Photographs and pairs from shards, in a folder or an S3-compatible store."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from wm_lightning.data.cache import user_folder
from wm_lightning.data.datamodule import BaseDataModule, WatermarkDataModule, short_side_of
from wm_lightning.data.pair_shards import ShardPairSource
from wm_lightning.data.paired import RealPairsDataModule
from wm_lightning.data.pairs import EpochSampler, StagePairs
from wm_lightning.data.shards import Shards, ShardSource
from wm_lightning.data.sources import Split
from wm_lightning.data.stores import open_store
from wm_lightning.errors import ArgumentError

GB = 10**9
Keys = np.ndarray[tuple[int, int], np.dtype[np.int64]]


class ShardSampler(EpochSampler):
    """The order of a training on shards: shards in a new order each epoch, photographs of neighbouring ones mixed.

    Where several processes train together, each goes through shards of its own; two share one where the shards do not
    divide evenly. All have equally many photographs, as with :class:`~wm_lightning.data.pairs.EpochSampler`.

    Args:
        shards: Number of each photograph's shard, (length,).
        window: How many shards are mixed at once.
        seed: Chooses the order.
        **options: As for :class:`~wm_lightning.data.pairs.EpochSampler`.
    """

    def __init__(self, shards: npt.NDArray[np.int64], window: int, seed: int, **options: Any) -> None:  # noqa: ANN401
        super().__init__(len(shards), seed, shuffle=True, **options)
        self.shards, self.window = shards, window

    def _round(self, number: int) -> Keys:
        """Returns (number, index) of each photograph once, shard after shard, (length, 2)."""
        places = np.random.default_rng([self.seed, number]).permutation(self.shards.max() + 1)
        order = np.argsort(places[self.shards], kind="stable")
        return np.stack([np.full_like(order, number), order], axis=1)

    def _mine(self, order: Keys, epoch: int) -> Keys:
        """Returns this process's part of an epoch's (number, index).

        A photograph moves back by up to ``window`` shards: shards come one by one, and as many are open at a time.
        """
        mine = np.split(order, self.world_size)[self.rank]
        shards = self.shards[mine[:, 1]]
        shard = np.concatenate([[0], np.cumsum(shards[1:] != shards[:-1])])
        moved = self.window * np.random.default_rng([self.seed, epoch, self.rank]).random(len(mine))
        return np.asarray(mine[np.argsort(shard + moved, kind="stable")])


class SharedOfShards(BaseDataModule):
    """What data modules share that read shards: where these are, how many are kept, and the order of training.

    Args:
        root: Where the shards are: a folder, or ``s3://BUCKET/PREFIX``.
        shards_at_once: How many shards are mixed: what is in one shard is that far apart in an epoch.
        cache_gb: How much of a store's shards is kept in files, in gigabytes; nothing is kept of a folder's.
        cache_dir: Folder of these files; None takes the user's cache folder.
        **options: As for the data module that comes next.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        root: str,
        shards_at_once: int = 8,
        cache_gb: float = 20,
        cache_dir: str | None = None,
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(**options)
        if shards_at_once < 1:
            raise ArgumentError("{shards_at_once}={} must be at least 1.", shards_at_once)
        if cache_gb <= 0:
            raise ArgumentError("{cache_gb}={} must be above 0.", cache_gb)
        self.root, self.shards_at_once, self.cache_bytes = root, shards_at_once, round(cache_gb * GB)
        self.cache_dir = user_folder().with_name("shards") if cache_dir is None else Path(cache_dir).expanduser()

    @abstractmethod
    def shard_of(self, name: str) -> str:
        """Returns the shard that a name is in."""

    def open_shards(self) -> Shards:
        """Returns the shards.

        Raises:
            UserError: There are none.
        """
        return Shards(open_store(self.root), self.cache_dir, self.cache_bytes)

    def check(self) -> dict[str, str]:
        """Returns nothing: what is broken has no place in a shard."""
        return {}

    def _sampler(self, pairs: StagePairs, rank: int, world_size: int) -> EpochSampler:
        if pairs.stage != "train":  # in the order of the shards, each brought once
            return super()._sampler(pairs, rank, world_size)
        _, shards = np.unique([self.shard_of(name) for name in pairs.names], return_inverse=True)
        return ShardSampler(
            shards,
            self.shards_at_once,
            self.seed,
            fresh=self.fresh,
            repeats=self.repeats,
            rank=rank,
            world_size=world_size,
        )


class StreamingDataModule(SharedOfShards, WatermarkDataModule):
    """Photographs from shards that ``wm-data optimize`` made; their split was made with them.

    Args:
        short_side: As for :class:`~wm_lightning.data.datamodule.FolderDataModule`.
        **options: As for :class:`SharedOfShards` and :class:`~wm_lightning.data.datamodule.WatermarkDataModule`, but
            ``fractions``.
    """

    def __init__(
        self,
        short_side: int | Literal["auto", "full"] = "auto",
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(**options)
        self.short_side = short_side_of(short_side, self.size)

    def open_source(self) -> ShardSource:
        """Returns the shards' photographs."""
        return ShardSource(self.open_shards(), self.short_side)

    def find(self) -> Split:
        """Returns the split that the shards have."""
        source = self._source = self.open_source()
        return source.split()

    def shard_of(self, name: str) -> str:
        """Returns the shard that a photograph is in."""
        assert isinstance(self._source, ShardSource)
        return self._source.shards.places[name].shard


class StreamingPairsDataModule(SharedOfShards, RealPairsDataModule):
    """Real pairs from shards that ``wm-data optimize --layout`` made; their split was made with them.

    Args:
        **options: As for :class:`SharedOfShards` and :class:`~wm_lightning.data.paired.RealPairsDataModule`.
    """

    def find(self) -> Split:
        """Returns the split that the shards have."""
        self._source = ShardPairSource(self.open_shards(), self.mask_threshold)
        self.tell_what_is_left_out()
        return self._source.split()

    def shard_of(self, name: str) -> str:
        """Returns the shard that a pair is in."""
        assert isinstance(self._source, ShardPairSource)
        return self._source.shard_of(name)
