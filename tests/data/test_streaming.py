import logging
import sys

import numpy as np
import pytest
import torch

from wm_lightning.data import Augmentation, StreamingDataModule
from wm_lightning.data.sharding import optimize
from wm_lightning.data.shards import Place, ShardCache, read_tables
from wm_lightning.data.sources import decode
from wm_lightning.data.stores import open_store
from wm_lightning.data.streaming import ShardSampler
from wm_lightning.errors import UserError

from .conftest import save_photographs


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twenty-five photographs."""
    folder = tmp_path_factory.mktemp("photos")
    save_photographs(folder, 25)
    return folder


@pytest.fixture(scope="module")
def shards(photos, tmp_path_factory):
    """Their shards in a folder."""
    folder = tmp_path_factory.mktemp("shards")
    optimize(str(photos), str(folder), shard_bytes=12_000)
    return folder


@pytest.fixture(scope="module")
def store(server, shards):
    """The same in the server's bucket."""
    store = open_store("s3://bucket/shards")
    for path in shards.iterdir():
        store.put(path, path.name)
    return store


@pytest.fixture
def make(synthesizer, tmp_path):
    def build(root, **options):
        options = {"size": 16, "batch_size": 4, "num_workers": 0, "cache_dir": str(tmp_path / "cache"), **options}
        return StreamingDataModule(root=str(root), synthesis=synthesizer, augment=Augmentation(), **options)

    return build


def batches_of(module, stage="train"):
    module.setup()
    return list(getattr(module, f"{stage}_dataloader")())


def assert_same(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert first.name == second.name
        assert torch.equal(first.watermarked, second.watermarked)
        assert torch.equal(first.clean, second.clean)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_store_gives_the_pairs_of_a_folder_for_any_number_of_workers(store, shards, make, workers):
    for stage in ("train", "val", "test"):
        local = batches_of(make(shards), stage)
        assert sum(len(batch.name) for batch in local) > 0
        assert_same(local, batches_of(make(store.root, num_workers=workers), stage))


def test_photographs_of_a_store_are_sharded_into_a_store(server, tmp_path, photos):
    source, target = open_store("s3://bucket/photos"), open_store("s3://bucket/made")
    names = [f"photo{number:02d}.png" for number in range(5)]
    for name in names:
        source.put(photos / name, f"deep/{name}")
    made = optimize(source.root, target.root)
    places = read_tables(target)
    assert sum(made.added.values()) == len(places) == 5
    cache = ShardCache(target, tmp_path / "cache", 10**9)
    for name in names:
        assert cache.read(places[f"deep/{name}"]) == (photos / name).read_bytes()


def test_the_cache_keeps_no_more_than_its_limit_and_what_was_used_last(store, shards, tmp_path):
    sizes = {path.name: path.stat().st_size for path in shards.glob("*.tar")}
    first, second, *others = sorted(sizes)
    limit = 3 * max(sizes.values())
    cache = ShardCache(store, tmp_path / "cache", limit)
    for name in (first, second, *others):
        cache.read(Place(first, 0, 1))  # again and again
        cache.read(Place(name, 0, 1))
        kept = {path.name for path in cache.folder.glob("*.tar")}
        assert {first, name} <= kept
        assert sum(sizes[other] for other in kept) <= limit
    assert second not in kept


def test_a_shard_is_brought_once(store, shards, tmp_path, monkeypatch):
    cache, brought = ShardCache(store, tmp_path / "cache", 10**9), []
    fetch = store.fetch
    monkeypatch.setattr(store, "fetch", lambda name, path: (brought.append(name), fetch(name, path)))
    for place in read_tables(store).values():
        cache.read(place)
    assert sorted(brought) == sorted(path.name for path in shards.glob("*.tar"))


def test_boto3_does_not_tell_where_it_found_keys(server, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("botocore"), "level", logging.NOTSET)
    with caplog.at_level(logging.INFO):
        assert not open_store("s3://bucket/nothing").has("here")
    assert not [record for record in caplog.records if record.name.startswith("boto")]
    monkeypatch.setattr(logging.getLogger("botocore"), "level", logging.DEBUG)  # as a user may have set it
    assert not open_store("s3://bucket/nothing").has("here")
    assert logging.getLogger("botocore").level == logging.DEBUG


def test_a_store_that_refuses_or_is_not_there_is_one_sentence(server, make, monkeypatch):
    with pytest.raises(UserError, match=r"s3://nowhere/a cannot be used \(.*NoSuchBucket.*\); look at the address"):
        make("s3://nowhere/a").setup()
    with pytest.raises(UserError, match=r"s3://bucket/none holds no shards; make some: python data\.py optimize"):
        make("s3://bucket/none").setup()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(UserError, match=r"s3://bucket/none cannot be used \(Could not connect"):
        make("s3://bucket/none").setup()


def test_without_boto3_a_store_is_refused_and_a_folder_is_not(shards, make, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(
        UserError,
        match=r"s3://bucket/a: a store needs boto3, which is not installed: pip install '",
    ):
        make("s3://bucket/a").setup()
    assert batches_of(make(shards))


SHARDS = np.repeat(np.arange(30), 20)


def order_of(epoch=0, window=4, **options):
    sampler = ShardSampler(SHARDS, window, 3, **options)
    sampler.set_epoch(epoch)
    return [index for _, index in sampler]


def test_an_epoch_has_each_photograph_once_in_an_order_of_its_own():
    orders = [order_of(epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(600)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert order_of(1) == orders[1]


@pytest.mark.parametrize("window", [1, 4, 8])
def test_few_shards_are_open_at_once_and_photographs_mix(window):
    visited = SHARDS[order_of(window=window)]
    spans = [np.flatnonzero(visited == shard) for shard in range(30)]
    for place in range(0, 600, 10):
        assert sum(span[0] <= place <= span[-1] for span in spans) <= window + 1
    changes = np.count_nonzero(visited[1:] != visited[:-1])
    assert changes == 29 if window == 1 else changes > 400


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_each_process_has_shards_of_its_own(world_size):
    parts = [order_of(rank=rank, world_size=world_size) for rank in range(world_size)]
    assert {len(part) for part in parts} == {-(-600 // world_size)}
    assert set().union(*parts) == set(range(600))
    shared = [set(SHARDS[one]) & set(SHARDS[other]) for one in parts for other in parts if one is not other]
    assert all(len(both) <= 1 for both in shared)


def test_photographs_that_were_taken_are_passed_over_in_their_epoch_alone():
    whole = [order_of(epoch) for epoch in (2, 3)]
    sampler = ShardSampler(SHARDS, 4, 3)
    sampler.begin(2, 50)
    assert [index for _, index in sampler] == whole[0][50:]
    sampler.set_epoch(3)
    assert [index for _, index in sampler] == whole[1]


@pytest.mark.parametrize(
    ("options", "key"), [({"shards_at_once": 0}, "shards_at_once=0"), ({"cache_gb": 0}, "cache_gb=0")]
)
def test_numbers_out_of_range_are_named(make, shards, options, key):
    with pytest.raises(ValueError, match=key):
        make(shards, **options)


def test_photographs_are_those_that_were_sharded(shards, make, photos):
    module = make(shards, short_side="full")
    module.setup()
    name = module.split.train[0]
    assert np.array_equal(module.open_source().load(name), decode(photos / name))
