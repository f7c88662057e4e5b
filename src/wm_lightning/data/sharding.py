"""Makes shards of photographs, in threads; what is there already is left as it is and added to."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wm_lightning.data.shards import COLUMNS, STAGES, read_tables, stage_of
from wm_lightning.data.sources import FRACTIONS, BrokenPictureError, decode_bytes, each_of
from wm_lightning.data.stores import Store, open_store
from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import PHOTOGRAPHS

SHARD_BYTES = 64 * 2**20  # some seconds of a store's time, and small beside a cache


class Optimized(NamedTuple):
    """What making shards came to.

    Attributes:
        added: Photographs that were put into shards, of each stage.
        before: How many were in shards already.
        broken: Names of what cannot be used and is in no shard, with the reason of each.
        finished: False where it was interrupted.
    """

    added: dict[str, int]
    before: int
    broken: dict[str, str]
    finished: bool


def optimize(source: str, target: str, seed: int = 0, shard_bytes: int = SHARD_BYTES) -> Optimized:
    """Puts the photographs of a folder or store that are in no shard yet into shards, each checked before.

    Files go in as they are, in an order that does not follow their names, so that neighbours in a shard are no series.

    Args:
        source: ``s3://BUCKET/PREFIX``, or a folder.
        target: Likewise; shards that are there stay.
        seed: Chooses the split, see :func:`~wm_lightning.data.shards.stage_of`.
        shard_bytes: Size at which a shard is full.

    Raises:
        UserError: There are no photographs, the shards that are there have another split, or a store cannot be used.
    """
    taken, given = open_store(source), open_store(target)
    sizes = {name: size for name, size in taken.names() if Path(name).suffix.lower() in PHOTOGRAPHS}
    if not sizes:
        raise ArgumentError("{root}={} holds no picture; give the folder or store of the clean photographs.", source)
    there = read_tables(given)
    for name, place in there.items():
        if place.shard.partition("-")[0] != stage_of(name, seed, FRACTIONS):
            raise UserError(f"{target}: its shards were made with another --seed than {seed}; give that one again.")
    plan = dict(_planned({name: size for name, size in sizes.items() if name not in there}, seed, shard_bytes))
    added, finished = dict.fromkeys(STAGES, 0), True
    broken: dict[str, str] = {}
    try:
        for shard, found in each_of(list(plan), lambda shard: _make(shard, plan[shard], taken, given), "making shards"):
            added[shard.partition("-")[0]] += len(plan[shard]) - len(found)
            broken |= found
    except KeyboardInterrupt:
        finished = False
    return Optimized(added, len(there), broken, finished)


def _planned(sizes: dict[str, int], seed: int, shard_bytes: int) -> Iterator[tuple[str, list[str]]]:
    """Yields each shard's name without suffix, and the photographs that go into it."""
    waiting: dict[str, list[str]] = {}
    filled: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: _digest([name])):
        stage = stage_of(name, seed, FRACTIONS)
        waiting.setdefault(stage, []).append(name)
        filled[stage] = filled.get(stage, 0) + sizes[name]
        if filled[stage] >= shard_bytes:
            yield f"{stage}-{_digest(waiting[stage])}", waiting.pop(stage)
            filled[stage] = 0
    for stage, names in waiting.items():
        yield f"{stage}-{_digest(names)}", names


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()[:12]


def _make(shard: str, names: Sequence[str], taken: Store, given: Store) -> dict[str, str]:
    """Makes a shard and its table, the latter last; returns what is broken, with the reason of each."""
    broken = {}
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        archive, listed = Path(folder, f"{shard}.tar"), Path(folder, f"{shard}.csv")
        with archive.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            for name in names:
                try:
                    data = _intact(taken, name)
                except BrokenPictureError as error:
                    broken[name] = error.reason
                    continue
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
                # The content is filled up to whole blocks, and ends there.
                blocks = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                rows.writerow((name, tar.offset - blocks, len(data)))
        if len(broken) < len(names):
            listed.write_text(table.getvalue(), encoding="utf-8", errors="surrogateescape", newline="")
            given.put(archive, archive.name)
            given.put(listed, listed.name)
    return broken


def _intact(store: Store, name: str) -> bytes:
    """Returns a photograph's file.

    Raises:
        BrokenPictureError: It is no complete picture, or cannot be read.
    """
    path = Path(store.root, name)
    try:
        data = store.read(name)
    except OSError as error:
        raise BrokenPictureError(path, error.strerror or str(error)) from error
    decode_bytes(data, path, short_side=8)  # of a JPEG an eighth, which reads all of it
    return data
