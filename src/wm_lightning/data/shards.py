"""Shards: photographs in tar files of one stage each, beside each a table that says where in it they lie.

``train-1f0c9a2b7d3e.tar`` with ``train-1f0c9a2b7d3e.csv``, called by what is in them; of pairs the layout of their
folder stands between, ``train-clwd-1f0c9a2b7d3e.tar``. A shard is complete when it
has its table, so shards can be made by several processes, left half made, and added to, and nobody keeps count.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from wm_lightning.commands import program, shell
from wm_lightning.data.sources import Photograph, Split, decode_bytes
from wm_lightning.data.stores import FolderStore, S3Store, Store
from wm_lightning.errors import ArgumentError, UserError

STAGES = Split._fields
COLUMNS = ("name", "offset", "bytes")
TABLES_AT_ONCE = 32  # small files, whose reading is waiting for the store


class Place(NamedTuple):
    """Where a photograph lies.

    Attributes:
        shard: The tar file's name.
        offset: Of its first byte there.
        bytes: How many there are.
    """

    shard: str
    offset: int
    bytes: int


def stage_of(name: str, seed: int, fractions: Sequence[float]) -> str:
    """Returns the stage of a photograph, by a hash of its name: what else there is does not change it.

    Args:
        name: The photograph's.
        seed: Chooses the split.
        fractions: Shares of train, val and test; their sum is 1.
    """
    drawn = (
        int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode(errors="surrogateescape")).digest()[:8], "big") / 2**64
    )
    return next((stage for stage, until in zip(STAGES, _sums(fractions), strict=True) if drawn < until), STAGES[-1])


def _sums(shares: Sequence[float]) -> Iterator[float]:
    total = 0.0
    for share in shares:
        total += share
        yield total


def parts_of(shard: str) -> tuple[str, str]:
    """Returns the stage and the layout of a shard, by its name; no layout of clean photographs."""
    stage, *layout, _ = shard.split("-")
    return stage, "".join(layout)


def read_tables(store: Store) -> dict[str, Place]:
    """Returns where each photograph of a store's complete shards lies, in the order of shards and within them.

    Raises:
        UserError: The store cannot be used, or a table is damaged.
    """
    tables = sorted(name for name, _ in store.names() if name.endswith(".csv"))
    with ThreadPoolExecutor(TABLES_AT_ONCE) as pool:
        contents = pool.map(store.read, tables)
        return {name: place for table, data in zip(tables, contents, strict=True) for name, place in _rows(table, data)}


def _rows(table: str, data: bytes) -> Iterator[tuple[str, Place]]:
    shard = table.removesuffix(".csv") + ".tar"
    rows = csv.reader(io.StringIO(data.decode(errors="surrogateescape"), newline=""))
    try:
        if tuple(next(rows, ())) != COLUMNS:
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        for name, offset, size in rows:
            yield name, Place(shard, int(offset), int(size))
    except ValueError as error:
        raise UserError(
            f"{table} is no table of a shard ({error}); remove it with its tar, and optimize again."
        ) from error


class ShardCache:
    """Keeps shards of a store in a folder, the least recently used ones only until there is no more room.

    Processes may share it: each shard is brought once. Removing one that is being read harms nobody, since its content
    stays until it is closed.

    Args:
        store: Where shards come from.
        folder: Where they are kept.
        limit: Bytes, more than which are there only while a shard is brought.
    """

    def __init__(self, store: S3Store, folder: Path, limit: int) -> None:
        # Shards are called by their content, but those of two stores may be of two splits.
        self.folder = folder / hashlib.sha256(store.root.encode()).hexdigest()[:12]
        self.store, self.limit = store, limit

    def read(self, place: Place) -> bytes:
        """Returns a photograph's file."""
        path = self.folder / place.shard
        while True:
            try:
                data = read_part(path, place)
            except FileNotFoundError:
                self._bring(path)
            else:
                return data

    def _bring(self, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                self.store.fetch(path.name, path)
        self._make_room(path)

    def _make_room(self, newest: Path) -> None:
        found = []
        for path in self.folder.glob("*.tar"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process has made room
                continue
            found.append((status.st_atime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.limit:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size


def read_part(path: Path, place: Place) -> bytes:
    """Reads a photograph's file out of its shard, and notes that the shard was used."""
    with path.open("rb") as file:
        os.utime(file.fileno())  # not all systems note it by themselves
        file.seek(place.offset)
        return file.read(place.bytes)


class Shards:
    """All shards of a place, to read from.

    Args:
        store: Where they are.
        cache_dir: Folder for shards of an S3-compatible store.
        cache_bytes: How much is kept there.

    Attributes:
        places: Where each file lies that is in them, shard after shard.

    Raises:
        UserError: There are none.
    """

    def __init__(self, store: Store, cache_dir: Path, cache_bytes: int) -> None:
        self.store = store
        self.places: Mapping[str, Place] = read_tables(store)
        if not self.places:
            made = shell(*program("data"), "optimize", "FOLDER", store.root)
            raise ArgumentError("{root}={} holds no shards; make some: {}", store.root, made)
        self._cache = ShardCache(store, cache_dir, cache_bytes) if isinstance(store, S3Store) else None

    def read(self, name: str) -> bytes:
        """Returns a file's content."""
        place = self.places[name]
        if self._cache is not None:
            return self._cache.read(place)
        assert isinstance(self.store, FolderStore)
        return read_part(self.store.path(place.shard), place)

    def path(self, name: str) -> Path:
        """Returns what a sentence calls a file by."""
        return Path(self.store.root, self.places[name].shard, name)

    def layout(self) -> str:
        """Returns how the folder of pairs was arranged that they were made of; nothing of clean photographs."""
        _, layout = parts_of(next(iter(self.places.values())).shard)
        return layout


def split_of(shards: Mapping[str, str]) -> Split:
    """Returns the names of each stage, which their shards are called by.

    Args:
        shards: The shard of each name.
    """
    stages: dict[str, list[str]] = {stage: [] for stage in STAGES}
    for name, shard in shards.items():
        stages[parts_of(shard)[0]].append(name)
    return Split(**stages)


class ShardSource:
    """Photographs of shards.

    Args:
        shards: The shards.
        short_side: As for :class:`~wm_lightning.data.sources.FolderSource`.

    Attributes:
        names: All of them, shard after shard.

    Raises:
        UserError: They hold pairs.
    """

    def __init__(self, shards: Shards, short_side: int | None = None) -> None:
        if layout := shards.layout():
            raise ArgumentError(
                "{root}={} holds shards of pairs (--layout {}), which data=streaming_pairs takes.",
                shards.store.root,
                layout,
            )
        self.shards, self.short_side = shards, short_side
        self.names = list(shards.places)

    def load(self, name: str) -> Photograph:
        """Returns the photograph of that name: (H, W, 3) uint8, sRGB."""
        return decode_bytes(self.shards.read(name), self.shards.path(name), self.short_side)

    def check(self) -> dict[str, str]:
        """Returns nothing: what is broken has no place in a shard."""
        return {}

    def split(self) -> Split:
        """Returns the names of each stage."""
        return split_of({name: place.shard for name, place in self.shards.places.items()})
