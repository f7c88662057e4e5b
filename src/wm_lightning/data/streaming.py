"""Photographs from shards, in a folder or an S3-compatible store, watermarked on the fly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from wm_lightning.data.cache import user_folder
from wm_lightning.data.datamodule import WatermarkDataModule, short_side_of
from wm_lightning.data.pairs import EpochSampler, StagePairs
from wm_lightning.data.shards import ShardSource
from wm_lightning.data.sources import PhotographSource, Split
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


class StreamingDataModule(WatermarkDataModule):
    """Photographs from shards that ``wm-data optimize`` made; their split was made with them.

    Args:
        root: Where the shards are: a folder, or ``s3://BUCKET/PREFIX``.
        short_side: As for :class:`~wm_lightning.data.datamodule.FolderDataModule`.
        shards_at_once: How many shards are mixed: photographs of one shard are that far apart in an epoch.
        cache_gb: How much of a store's shards is kept in files, in gigabytes; nothing is kept of a folder's.
        cache_dir: Folder of these files; None takes the user's cache folder.
        **options: As for :class:`~wm_lightning.data.datamodule.WatermarkDataModule`, but ``fractions``.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        root: str,
        short_side: int | Literal["auto", "full"] = "auto",
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
        self.root, self.short_side = root, short_side_of(short_side, self.size)
        self.shards_at_once, self.cache_bytes = shards_at_once, round(cache_gb * GB)
        self.cache_dir = user_folder().with_name("shards") if cache_dir is None else Path(cache_dir).expanduser()

    def open_source(self) -> PhotographSource:
        """Returns the shards' photographs."""
        return ShardSource(open_store(self.root), self.cache_dir, self.cache_bytes, self.short_side)

    def find(self) -> Split:
        """Returns the split that the shards have."""
        source = self._source = self.open_source()
        assert isinstance(source, ShardSource)
        return source.split()

    def _sampler(self, pairs: StagePairs, rank: int, world_size: int) -> EpochSampler:
        if pairs.stage != "train":  # in the order of the shards, each brought once
            return super()._sampler(pairs, rank, world_size)
        assert isinstance(self._source, ShardSource)
        places = self._source.places
        _, shards = np.unique([places[name].shard for name in pairs.names], return_inverse=True)
        return ShardSampler(
            shards,
            self.shards_at_once,
            self.seed,
            fresh=self.fresh,
            repeats=self.repeats,
            rank=rank,
            world_size=world_size,
        )
