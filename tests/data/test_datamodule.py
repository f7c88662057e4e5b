import logging

import pytest

from wm_lightning.data import Augmentation, DemoDataModule, FolderDataModule
from wm_lightning.data.sources import FolderSource, split_names
from wm_lightning.errors import UserError

LOGGER = "wm_lightning.data.datamodule"


@pytest.fixture
def make_module(photographs, synthesizer):
    def make(**options):
        defaults = {"size": 24, "batch_size": 4, "num_workers": 0, "seed": 0}
        options = {"root": str(photographs), **defaults, **options}
        return FolderDataModule(synthesis=synthesizer, augment=Augmentation(), **options)

    return make


def spoil(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_stages_have_14_4_and_2_of_20_photographs(make_module):
    module = make_module()
    module.setup()
    assert [len(names) for names in module.split] == [14, 4, 2]
    assert [len(module.pairs(stage)) for stage in ("train", "val", "test")] == [14, 4, 2]
    assert module.broken == []


def test_counts_are_told(make_module, caplog):
    with caplog.at_level(logging.INFO, logger=LOGGER):
        make_module().setup()
    assert "photographs: 14 train, 4 val, 2 test, 0 broken" in caplog.text


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
    for stage in ("train", "val", "test"):
        written = (tmp_path / "out" / "split" / f"{stage}.txt").read_text(encoding="utf-8")
        assert written.splitlines() == getattr(module.split, stage)
    assert (tmp_path / "out" / "split" / "broken.txt").read_text(encoding="utf-8") == "photo07.png\n"


def test_broken_file_is_left_out_with_one_warning_that_names_it(make_module, photographs, caplog):
    whole = make_module()
    whole.setup()
    victim = whole.split.train[3]
    spoil(photographs / victim)
    module = make_module()
    with caplog.at_level(logging.WARNING):
        module.setup()
    assert module.broken == [victim]
    assert len(warnings_of(caplog)) == 1
    assert victim in warnings_of(caplog)[0]
    assert sum(len(list(loader)) for loader in (module.train_dataloader(), module.val_dataloader())) == 4


def test_broken_files_move_no_other_photograph_to_another_stage(make_module, photographs):
    whole = make_module()
    whole.setup()
    victims = {whole.split.train[0], whole.split.val[1], whole.split.test[0]}
    for victim in victims:
        spoil(photographs / victim)
    module = make_module()
    module.setup()
    for names, before in zip(module.split, whole.split, strict=True):
        assert names == [name for name in before if name not in victims]


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
    with pytest.raises(UserError, match=r"data\.root"):
        make_module(root=str(tmp_path / "nowhere")).setup()


@pytest.mark.parametrize(
    ("key", "value"), [("size", 7), ("size", -1), ("batch_size", 0), ("batch_size", -3), ("num_workers", -1)]
)
def test_wrong_numbers_are_refused_by_name(make_module, key, value):
    with pytest.raises(ValueError, match=rf"data\.{key}={value} "):
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
    assert module.state_dict() == {"split": None}
    module.load_state_dict({"split": None})
    with caplog.at_level(logging.WARNING):
        module.setup()
    assert warnings_of(caplog) == []


def test_demo_warns_that_it_is_no_training_set(synthesizer, caplog):
    module = DemoDataModule(synthesis=synthesizer, augment=Augmentation(), size=128, batch_size=2, num_workers=0)
    with caplog.at_level(logging.WARNING):
        module.setup()
    assert len(warnings_of(caplog)) == 1
    assert "data.root" in warnings_of(caplog)[0]
    sample = next(iter(module.val_dataloader()))
    assert sample.clean.shape == (2, 3, 128, 128)
    assert list(sample.name) == module.split.val[:2]
