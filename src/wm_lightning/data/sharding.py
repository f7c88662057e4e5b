"""Makes shards of photographs or pairs, in threads; what is there already is left as it is and added to."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from wm_lightning.data.paired_layouts import Found, LayoutName, PairFiles, check_sizes, find_pairs
from wm_lightning.data.shards import COLUMNS, STAGES, parts_of, read_tables, stage_of
from wm_lightning.data.sources import FRACTIONS, BrokenPictureError, decode_bytes, each_of
from wm_lightning.data.stores import S3, FolderStore, Store, open_store
from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.files import PHOTOGRAPHS

SHARD_BYTES = 64 * 2**20  # some seconds of a store's time, and small beside a cache
VALIDATED = 0.1  # validation's share of a train folder beside which there is a test folder


class Unit(NamedTuple):
    """What stays together: a photograph, or the pictures of a pair.

    Attributes:
        stage: Where it belongs.
        files: Names in the store that it is taken from, by those that a shard gives them.
        bytes: Of all together.
    """

    stage: str
    files: dict[str, str]
    bytes: int


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


def optimize(
    source: str, target: str, seed: int = 0, layout: LayoutName | None = None, shard_bytes: int = SHARD_BYTES
) -> Optimized:
    """Puts the photographs of a folder or store that are in no shard yet into shards, each checked before; or pairs.

    Files go in as they are, in an order that does not follow their names, so that neighbours in a shard are no series.

    Args:
        source: ``s3://BUCKET/PREFIX``, or a folder; of pairs a folder.
        target: Likewise; shards that are there stay.
        seed: Chooses the split, see :func:`~wm_lightning.data.shards.stage_of` and
            :func:`stages_of`.
        layout: How a folder of pairs is arranged, see :class:`~wm_lightning.data.paired.PairedDataModule`; None: it
            holds clean photographs.
        shard_bytes: Size at which a shard is full.

    Raises:
        UserError: There are no pictures, the shards that are there hold others or have another split, or a store cannot
            be used.
    """
    given = open_store(target)
    taken, units = _photographs(source, seed) if layout is None else _pairs(source, layout, seed)
    there = _there(target, given, units, seed, layout)
    left = {name: unit for name, unit in units.items() if name not in there}
    plan = dict(_planned(left, layout, shard_bytes))
    added, finished = dict.fromkeys(STAGES, 0), True
    broken: dict[str, str] = {}
    try:
        for shard, found in each_of(
            list(plan),
            lambda shard: _make(shard, {name: left[name].files for name in plan[shard]}, taken, given),
            "making shards",
        ):
            added[parts_of(shard)[0]] += len(plan[shard]) - len(found)
            broken |= found
    except KeyboardInterrupt:
        finished = False
    return Optimized(added, len(there), broken, finished)


def _photographs(source: str, seed: int) -> tuple[Store, dict[str, Unit]]:
    store = open_store(source)
    sizes = {name: size for name, size in store.names() if Path(name).suffix.lower() in PHOTOGRAPHS}
    if not sizes:
        raise ArgumentError("{root}={} holds no picture; give the folder or store of the clean photographs.", source)
    return store, {name: Unit(stage_of(name, seed, FRACTIONS), {name: name}, size) for name, size in sizes.items()}


def _pairs(source: str, layout: LayoutName, seed: int) -> tuple[Store, dict[str, Unit]]:
    if source.startswith(S3):
        raise ArgumentError("{layout}={} is of pairs in a folder; {} is a store.", layout, source)
    store = FolderStore(source)
    found = find_pairs(Path(store.root).absolute(), layout)
    files = {name: dict(_entries(name, files)) for pairs in found.values() for name, files in pairs.items()}
    return store, {
        name: Unit(stage, files[name], sum(store.path(path).stat().st_size for path in files[name].values()))
        for name, stage in stages_of(found, seed).items()
    }


def _entries(name: str, files: PairFiles) -> Iterator[tuple[str, str]]:
    """Yields what a shard calls each file of a pair, and the file: ``train/watermarked/1.png/clean.jpg``."""
    for part, path in files._asdict().items():
        if path is not None:
            yield f"{name}/{part}{path.suffix}", str(path)


def stages_of(found: Found, seed: int) -> dict[str, str]:
    """Returns the stage of each pair: those of its data set, and by a hash what these leave open.

    It is the hash of the clean photograph's stem, so that all pairs made from one share a stage, whatever else there
    is; the shares are those of :func:`~wm_lightning.data.paired_layouts.split_pairs`.

    Args:
        found: What :func:`~wm_lightning.data.paired_layouts.find_pairs` returns.
        seed: Chooses the split.
    """
    tested = next((stage for stage in ("test", "val") if stage in found), None)
    shares: dict[str, tuple[float, float, float]] = {}
    for stage in found:
        if stage == tested:
            shares[stage] = (0, 0, 1)
        elif stage == "val":
            shares[stage] = (0, 1, 0)
        elif tested is None:
            shares[stage] = FRACTIONS
        else:
            shares[stage] = (1, 0, 0) if tested == "test" and "val" in found else (1 - VALIDATED, VALIDATED, 0)
    return {
        name: stage_of(files.clean.stem, seed, shares[stage])
        for stage, pairs in found.items()
        for name, files in pairs.items()
    }


def _there(target: str, store: Store, units: Mapping[str, Unit], seed: int, layout: LayoutName | None) -> set[str]:
    """Returns the names of what is in shards already.

    Raises:
        UserError: The shards hold other things, or their split is another one.
    """
    shards: dict[str, str] = {}
    for entry, place in read_tables(store).items():
        shards[entry if layout is None else str(PurePosixPath(entry).parent)] = place.shard
    for name, shard in shards.items():
        stage, kind = parts_of(shard)
        if kind != (layout or ""):
            what = f"pairs (--layout {kind})" if kind else "clean photographs"
            raise UserError(f"{target} holds shards of {what}; name another place for these.")
        expected = units[name].stage if name in units else None if layout else stage_of(name, seed, FRACTIONS)
        if expected not in (None, stage):  # of pairs that are gone nobody knows where they belong
            raise UserError(f"{target}: its shards were made with another --seed than {seed}; give that one again.")
    return set(shards)


def _planned(units: Mapping[str, Unit], layout: LayoutName | None, shard_bytes: int) -> Iterator[tuple[str, list[str]]]:
    """Yields each shard's name without suffix, and the names that go into it."""
    waiting: dict[str, list[str]] = {}
    filled: dict[str, int] = {}
    for name in sorted(units, key=lambda name: _digest([name])):
        kind = "-".join(filter(None, (units[name].stage, layout)))
        waiting.setdefault(kind, []).append(name)
        filled[kind] = filled.get(kind, 0) + units[name].bytes
        if filled[kind] >= shard_bytes:
            yield f"{kind}-{_digest(waiting[kind])}", waiting.pop(kind)
            filled[kind] = 0
    for kind, names in waiting.items():
        yield f"{kind}-{_digest(names)}", names


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()[:12]


def _make(shard: str, units: Mapping[str, dict[str, str]], taken: Store, given: Store) -> dict[str, str]:
    """Makes a shard and its table, the latter last; returns what is broken, with the reason of each."""
    broken = {}
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        archive, listed = Path(folder, f"{shard}.tar"), Path(folder, f"{shard}.csv")
        with archive.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            for name, files in units.items():
                try:
                    contents = _intact(taken, files)
                except BrokenPictureError as error:
                    broken[name] = error.reason
                    continue
                for entry, data in contents.items():
                    rows.writerow((entry, _add(tar, entry, data), len(data)))
        if len(broken) < len(units):
            listed.write_text(table.getvalue(), encoding="utf-8", errors="surrogateescape", newline="")
            given.put(archive, archive.name)
            given.put(listed, listed.name)
    return broken


def _add(tar: tarfile.TarFile, entry: str, data: bytes) -> int:
    """Adds a file to an archive; returns where its content begins."""
    header = tarfile.TarInfo(entry)
    header.size = len(data)
    tar.addfile(header, io.BytesIO(data))
    # The content is filled up to whole blocks, and ends there.
    return tar.offset - -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _intact(store: Store, files: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the content of a photograph's file, or of a pair's files.

    Raises:
        BrokenPictureError: One is no complete picture, or cannot be read.
        UserError: The pictures of a pair differ in size.
    """
    contents, sizes = {}, {}
    for entry, name in files.items():
        path = Path(store.root, name)
        try:
            contents[entry] = store.read(name)
        except OSError as error:
            raise BrokenPictureError(path, error.strerror or str(error)) from error
        # Of a photograph that is a JPEG an eighth, which reads all of it; only of a pair its size matters.
        height, width = decode_bytes(contents[entry], path, short_side=8 if len(files) == 1 else None).shape[:2]
        sizes[path] = f"{width}x{height}"
    check_sizes(sizes)
    return contents
