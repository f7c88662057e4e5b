import logging
from functools import partial

import cv2
import hydra
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image

from wm_lightning.data import Augmentation, DemoDataModule, FolderDataModule
from wm_lightning.data.indexing import index_folder
from wm_lightning.data.sources import FolderSource, decode, split_names
from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.runner.configuration import check_config

LOGGER = "wm_lightning.data.datamodule"


@pytest.fixture
def make_module(photographs, synthesizer):
    def make(**options):
        defaults = {"size": 24, "batch_size": 4, "num_workers": 0, "seed": 0}
        options = {"root": str(photographs), "augment": Augmentation(), **defaults, **options}
        return FolderDataModule(synthesis=synthesizer, **options)

    return make


def spoil(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def module_ready(module):
    module.setup()
    return module


def batches_of(module):
    """Two training epochs, validation and test."""
    module.setup()
    train, val, test = module.train_dataloader(), module.val_dataloader(), module.test_dataloader()
    batches = []
    for epoch, loader in [(0, train), (1, train), (0, val), (0, test)]:
        loader.sampler.set_epoch(epoch)
        batches += list(loader)
    return batches


def batches_equal(first, second):
    return all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for a, b in zip(first, second, strict=True)
        for x, y in zip(a, b, strict=True)
    )


def composed(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides=list(overrides))


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_stages_have_14_4_and_2_of_20_photographs(make_module):
    module = make_module()
    module.setup()
    assert [len(names) for names in module.split] == [14, 4, 2]
    assert [len(module.pairs(stage)) for stage in ("train", "val", "test")] == [14, 4, 2]
    assert module.broken == {}
    assert module.usable() == {"train": 14, "val": 4, "test": 2}


def test_counts_are_told(make_module, caplog):
    with caplog.at_level(logging.INFO, logger=LOGGER):
        make_module().setup()
    assert "photographs: 14 train, 4 val, 2 test" in caplog.text


def test_split_is_that_of_the_sorted_names_and_seed(make_module, photographs):
    module = make_module(seed=5)
    module.setup()
    assert module.split == split_names(FolderSource(photographs).names, 5)


def test_loaders_give_each_photograph_of_their_stage(make_module):
    module = make_module(batch_size=1)
    module.setup()
    for stage in ("train", "val", "test"):
        names = [batch.name[0] for batch in getattr(module, f"{stage}_dataloader")()]
        assert sorted(names) == sorted(getattr(module.split, stage))


def test_short_last_batch_is_dropped_in_training_only(make_module):
    module = make_module(batch_size=3)
    module.setup()
    assert [len(batch.name) for batch in module.train_dataloader()] == [3, 3, 3, 3]
    assert [len(batch.name) for batch in module.val_dataloader()] == [3, 1]
    assert [len(batch.name) for batch in module.test_dataloader()] == [2]


def test_small_training_set_keeps_its_only_batch(make_module):
    module = make_module(batch_size=64)
    module.setup()
    assert [len(batch.name) for batch in module.train_dataloader()] == [14]


def test_split_lists_are_saved(make_module, photographs, tmp_path):
    spoil(photographs / "photo07.png")
    module = make_module(split_dir=str(tmp_path / "out" / "split"))
    module.setup()
    assert not (tmp_path / "out").exists()  # it may be of a run that these photographs do not fit
    module.save_split()
    assert (tmp_path / "out" / "split" / "broken.txt").read_text(encoding="utf-8") == ""  # nobody has drawn it yet
    batches_of(module)
    module.save_split()
    for stage in ("train", "val", "test"):
        written = (tmp_path / "out" / "split" / f"{stage}.txt").read_text(encoding="utf-8")
        assert written.splitlines() == getattr(module.split, stage)
    assert (tmp_path / "out" / "split" / "broken.txt").read_text(encoding="utf-8") == "photo07.png\n"


def spoiled(module, photographs, **places):
    """Cuts short the photographs at these places of the stages; returns their names."""
    module.setup()
    victims = {getattr(module.split, stage)[place] for stage, found in places.items() for place in found}
    for victim in victims:
        spoil(photographs / victim)
    return victims


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("indexed", [False, True])
def test_broken_files_give_the_same_batches_with_any_workers_and_are_named_once(
    make_module, photographs, caplog, workers, indexed
):
    victims = spoiled(make_module(), photographs, train=(3, 4, 9), val=(1,), test=(0,))
    expected = batches_of(make_module())
    if indexed:
        index_folder(photographs)
    caplog.clear()
    module = make_module(num_workers=workers)
    with caplog.at_level(logging.WARNING):
        assert batches_equal(batches_of(module), expected)
    assert set(module.broken) == victims
    assert module.usable() == {"train": 11, "val": 3, "test": 1}
    assert sorted(warnings_of(caplog)) == [
        f"skipped: {victim} cannot be used: {module.broken[victim]}" for victim in sorted(victims)
    ]
    assert all("truncated" in reason for reason in module.broken.values())


def test_the_next_photograph_of_the_order_stands_in_for_a_broken_one(make_module, photographs):
    module = make_module(batch_size=14)
    (whole,) = list(module_ready(module).train_dataloader())
    victims = {whole.name[place] for place in (2, 3, 13)}
    for victim in victims:
        spoil(photographs / victim)
    (batch,) = list(module_ready(make_module(batch_size=14)).train_dataloader())
    places = [0, 1, 4, 4, 4, *range(5, 13), 0]
    assert list(batch.name) == [whole.name[place] for place in places]
    assert torch.equal(batch.watermarked, whole.watermarked[places])


@pytest.mark.parametrize("stage", ["val", "test"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_broken_pictures_are_left_out_of_what_is_scored(make_module, photographs, stage, batch_size):
    module = make_module(fractions=[0.4, 0.3, 0.3], batch_size=batch_size)
    victims = spoiled(module, photographs, **{stage: (0, 1, 2, 5)})
    names = [name for name in getattr(module.split, stage) if name not in victims]
    module = module_ready(make_module(fractions=[0.4, 0.3, 0.3], batch_size=batch_size))
    loader = getattr(module, f"{stage}_dataloader")()
    assert [name for batch in loader for name in batch.name] == names
    assert all(len(batch.name) for batch in loader)
    assert module.usable()[stage] == 2


def test_a_folder_of_broken_photographs_ends_with_a_sentence(make_module, photographs):
    for path in photographs.iterdir():
        spoil(path)
    with pytest.raises(UserError, match=r"^No readable photograph is left for train: 14 cannot be used"):
        make_module().setup()


def test_a_training_whose_photographs_all_broke_ends_with_a_sentence(make_module, photographs):
    module = make_module()
    loader = module_ready(module).train_dataloader()
    for path in photographs.iterdir():
        spoil(path)
    with pytest.raises(UserError, match=r"^No readable photograph is left for train"):
        next(iter(loader))
    with pytest.raises(UserError, match=r"^No readable photograph is left for val"):
        list(module.val_dataloader())


def test_two_photographs_are_too_few(make_module, photographs):
    for path in sorted(photographs.iterdir())[2:]:
        path.unlink()
    with pytest.raises(UserError, match=r"^root has too few photographs to be split in three \(2\)"):
        make_module().setup()


def test_broken_files_and_an_index_leave_the_split_as_it_is(make_module, photographs):
    whole = module_ready(make_module()).split
    spoiled(make_module(), photographs, train=(0,), val=(1,), test=(0,))
    assert module_ready(make_module()).split == whole
    index_folder(photographs)
    assert module_ready(make_module()).split == whole


def test_what_the_index_names_is_not_opened(make_module, photographs, monkeypatch):
    (victim,) = spoiled(make_module(), photographs, train=(5,))
    index_folder(photographs)
    opened = []

    def noted(path, short_side):
        opened.append(path.name)
        return decode(path, short_side)

    monkeypatch.setattr("wm_lightning.data.sources.decode", noted)
    batches_of(make_module())
    assert victim not in opened
    assert len(set(opened)) == 19


def test_a_photograph_that_was_repaired_since_it_was_indexed_is_used(make_module, photographs):
    content = {path.name: path.read_bytes() for path in photographs.iterdir()}
    expected = batches_of(make_module())
    (victim,) = spoiled(make_module(), photographs, train=(5,))
    index_folder(photographs)
    assert list(module_ready(make_module()).broken) == [victim]
    (photographs / victim).write_bytes(content[victim])
    module = make_module()
    assert batches_equal(batches_of(module), expected)
    assert module.broken == {}


def test_stage_without_a_readable_photograph_is_named(make_module, photographs):
    whole = make_module()
    whole.setup()
    for victim in whole.split.test:
        spoil(photographs / victim)
    with pytest.raises(UserError, match="left for test"):
        make_module().setup()


def test_second_setup_finds_it_done(make_module, photographs):
    module = make_module()
    module.setup("fit")
    before = module.split
    (photographs / before.train[0]).unlink()
    module.setup("test")
    assert module.split is before


def test_missing_folder_is_named(make_module, tmp_path):
    with pytest.raises(UserError, match=r"^root=.*nowhere is not a folder"):
        make_module(root=str(tmp_path / "nowhere")).setup()


@pytest.mark.parametrize(
    ("key", "value"), [("size", 7), ("size", -1), ("batch_size", 0), ("batch_size", -3), ("num_workers", -1)]
)
def test_wrong_numbers_are_refused_by_name(make_module, key, value):
    with pytest.raises(ValueError, match=rf"^{key}={value} must "):
        make_module(**{key: value})


@pytest.mark.parametrize(("cores", "workers"), [(None, 1), (1, 1), (2, 1), (6, 3), (64, 8)])
def test_default_workers_are_half_the_cores(make_module, monkeypatch, cores, workers):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert make_module(num_workers=None).num_workers == workers


def test_no_workers_means_none(make_module):
    assert make_module(num_workers=0).num_workers == 0


@pytest.mark.parametrize("restored", ["before setup", "after setup"])
@pytest.mark.parametrize("change", ["seed", "photograph", "nothing"])
def test_split_is_compared_with_that_of_the_checkpoint(make_module, photographs, caplog, change, restored):
    first = make_module()
    first.setup()
    if change == "photograph":
        (photographs / "new.png").write_bytes((photographs / "photo00.png").read_bytes())
    second = make_module(seed=1 if change == "seed" else 0)
    with caplog.at_level(logging.WARNING):
        if restored == "before setup":
            second.load_state_dict(first.state_dict())
        second.setup()
        if restored == "after setup":
            second.load_state_dict(first.state_dict())
    assert len(warnings_of(caplog)) == (0 if change == "nothing" else 1)
    assert ("SPLIT IS NOT THE ONE" in caplog.text) == (change != "nothing")


def test_state_before_setup_knows_no_split(make_module, caplog):
    module = make_module()
    assert module.state_dict() == {"split": None, "epoch": 0, "batches": 0}
    module.load_state_dict({"split": None, "epoch": 0})
    with caplog.at_level(logging.WARNING):
        module.setup()
    assert warnings_of(caplog) == []


def test_demo_says_what_it_is_and_how_to_take_ones_own(synthesizer, caplog):
    module = DemoDataModule(synthesis=synthesizer, augment=Augmentation(), size=128, batch_size=2, num_workers=0)
    with caplog.at_level(logging.INFO):
        module.setup()
    assert [text for text in caplog.messages if "data=demo" in text and "data=folder data.root=PATH" in text]
    assert warnings_of(caplog) == []
    sample = next(iter(module.val_dataloader())).unpack()
    assert sample.clean.shape == (2, 3, 128, 128)
    assert list(sample.name) == module.split.val[:2]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (48, 72)),
        ({"short_side": 30}, (30, 45)),
        ({"short_side": 24}, (24, 36)),
        ({"short_side": "full"}, (60, 90)),
    ],
)
def test_photographs_are_reduced_to_twice_the_crop_or_as_told(make_module, photographs, options, shape):
    path = photographs / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(path)
    loaded = make_module(**options).open_source().load("large.png")
    assert loaded.shape == (*shape, 3)
    np.testing.assert_array_equal(loaded, decode(path, shape[0]))


@pytest.mark.parametrize("short_side", [23, 0, -1])
def test_short_side_below_the_crop_is_refused(make_module, short_side):
    with pytest.raises(ValueError, match=rf"^short_side={short_side} must be auto, full, or at least size=24\.$"):
        make_module(short_side=short_side)


@pytest.mark.parametrize("cache", ["ram", "disk"])
@pytest.mark.parametrize("augment", ["none", "light", "full"])
def test_cached_photographs_give_the_same_pairs_for_any_number_of_workers(make_module, tmp_path, cache, augment):
    augmentation = instantiate(composed(f"augment={augment}", "data.size=24").augment)
    make = partial(make_module, augment=augmentation, short_side=32, cache_dir=str(tmp_path / "cache"))
    plain = batches_of(make(cache="none"))
    assert len(plain) == 2 * 3 + 1 + 1
    for workers in (0, 2):
        assert batches_equal(batches_of(make(cache=cache, num_workers=workers)), plain)


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_decoded_after_setup_where_memory_keeps_it(make_module, photographs, workers):
    module = make_module(cache="ram", num_workers=workers)
    module.setup()
    for path in photographs.iterdir():
        path.unlink()
    assert len(batches_of(module)) == 2 * 3 + 1 + 1


def test_what_memory_keeps_is_told(make_module, photographs, caplog):
    with caplog.at_level(logging.INFO):
        module = make_module(cache="ram", short_side=24)
        module.setup()
    source = FolderSource(photographs, short_side=24)
    mebibytes = sum(source.load(name).nbytes for name in source.names) / 2**20
    assert caplog.text.count("cache: ") == 1
    assert f"cache: 20 photographs, {mebibytes:.1f} MiB, in memory" in caplog.text


def test_disk_keeps_photographs_for_later_runs(make_module, photographs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    first = batches_of(make_module(cache="disk"))
    assert len(list((tmp_path / "xdg" / "wm_lightning" / "photographs").iterdir())) == 20
    monkeypatch.setattr("wm_lightning.data.sources.decode", None)
    assert batches_equal(batches_of(make_module(cache="disk")), first)


def test_broken_file_is_left_out_with_a_cache_too(make_module, photographs, tmp_path):
    spoil(photographs / "photo07.png")
    for cache in ("ram", "disk"):
        module = make_module(cache=cache, cache_dir=str(tmp_path / "cache"))
        batches_of(module)
        assert list(module.broken) == ["photo07.png"]
    assert len(list((tmp_path / "cache").iterdir())) == 19


def test_cache_folder_that_cannot_be_written_to_is_named_at_setup(make_module, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"^cache_dir=.*taken cannot be written to .* set cache=none\.$"):
        make_module(cache="disk", cache_dir=str(tmp_path / "taken")).setup()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.short_side=small", r"data\.short_side='small' does not fit: .*'auto' or 'full'"),
        ("data.short_side=null", r"data\.short_side=None does not fit"),
        ("data.cache=memory", r"data\.cache='memory' does not fit: input should be 'none', 'ram' or 'disk'"),
    ],
)
def test_configuration_takes_what_the_folder_does(tmp_path, override, words):
    settings = ("data=folder", f"data.root={tmp_path}", f"paths.output_dir={tmp_path}", "trainer.precision=32-true")
    check_config(composed(*settings))
    check_config(composed(*settings, "data.short_side=300", "data.cache=disk", "data.cache_dir=folder"))
    with pytest.raises(UserError, match=words):
        check_config(composed(*settings, override))


@pytest.mark.parametrize("key", ["short_side", "cache", "cache_dir"])
def test_the_demo_has_no_such_options(tmp_path, key):
    config = composed(f"+data.{key}=x", f"paths.output_dir={tmp_path}", "trainer.precision=32-true")
    with pytest.raises(UserError, match=rf"data\.{key}: there is no such option of data"):
        check_config(config)


@pytest.fixture
def _three_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("_three_threads")
def test_opencv_has_one_thread_between_setup_and_teardown(make_module):
    module = make_module()
    assert cv2.getNumThreads() == 3
    for stage in ("fit", "test"):  # of the second the photographs are found already
        module.setup(stage)
        assert cv2.getNumThreads() == 1
        module.setup(stage)
        module.teardown(stage)
        assert cv2.getNumThreads() == 3
    cv2.setNumThreads(2)
    module.teardown("test")  # there is nothing to give back
    assert cv2.getNumThreads() == 2


@pytest.mark.usefixtures("_three_threads")
def test_loader_processes_work_after_opencv_did(make_module):
    module = make_module(num_workers=1, size=24)
    for stage in ("fit", "test"):
        cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (500, 500), interpolation=cv2.INTER_AREA)  # starts its threads
        module.setup(stage)
        loader = module.val_dataloader()
        loader.timeout = 60  # in place of waiting for ever
        assert next(iter(loader)).clean.shape == (4, 24, 24, 3)
        module.teardown(stage)
