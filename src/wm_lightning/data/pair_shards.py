"""Real pairs in shards: each picture of a pair is a file of its own in the shard, all of them beside each other."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import cast

from wm_lightning.data.augment import Pair
from wm_lightning.data.paired import mask_of
from wm_lightning.data.paired_layouts import LayoutName, threshold_of
from wm_lightning.data.shards import Shards, split_of
from wm_lightning.data.sources import Photograph, Split, decode_bytes
from wm_lightning.errors import ArgumentError


class ShardPairSource:
    """Pairs of shards.

    Args:
        shards: The shards.
        mask_threshold: As for :class:`~wm_lightning.data.paired.RealPairsDataModule`.

    Raises:
        UserError: They hold clean photographs.
    """

    def __init__(self, shards: Shards, mask_threshold: float | None) -> None:
        layout = shards.layout()
        if not layout:
            raise ArgumentError(
                "{root}={} holds shards of clean photographs, which data=streaming takes.", shards.store.root
            )
        self.shards, self.mask_threshold = shards, threshold_of(cast(LayoutName, layout), mask_threshold)
        self._parts: dict[str, dict[str, str]] = {}
        for entry in shards.places:
            path = PurePosixPath(entry)
            self._parts.setdefault(str(path.parent), {})[path.stem] = entry

    def load(self, name: str) -> Pair:
        """Returns the pair of that name."""
        parts = {part: self._decode(entry) for part, entry in self._parts[name].items()}
        mask = mask_of(parts["mask"], self.mask_threshold) if "mask" in parts else None
        return Pair(parts["watermarked"], parts["clean"], mask)

    def split(self) -> Split:
        """Returns the names of each stage."""
        return split_of({name: self.shard_of(name) for name in self._parts})

    def shard_of(self, name: str) -> str:
        """Returns the shard that a pair is in."""
        return self.shards.places[self._parts[name]["watermarked"]].shard

    def _decode(self, entry: str) -> Photograph:
        return decode_bytes(self.shards.read(entry), self.shards.path(entry))
