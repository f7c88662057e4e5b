import shutil
import tarfile
from collections import Counter

import numpy as np
import pytest

from wm_lightning.data import sharding
from wm_lightning.data.command import main
from wm_lightning.data.sharding import optimize
from wm_lightning.data.shards import STAGES, Shards, ShardSource, read_tables, stage_of
from wm_lightning.data.sources import FRACTIONS, decode
from wm_lightning.data.stores import open_store
from wm_lightning.errors import UserError

from .conftest import save_photographs


@pytest.fixture
def shards(photographs, tmp_path):
    """Twenty photographs in small shards."""
    optimize(str(photographs), str(tmp_path / "shards"), shard_bytes=5000)
    return tmp_path / "shards"


def source_of(folder):
    return ShardSource(Shards(open_store(str(folder)), folder, 1))


def test_shards_hold_each_photograph_once_in_the_stage_of_its_name(photographs, shards):
    source = source_of(shards)
    split = source.split()
    assert sorted(name for names in split for name in names) == sorted(path.name for path in photographs.iterdir())
    assert len(list(shards.glob("train-*.tar"))) > 1
    for stage, names in split._asdict().items():
        assert names
        for name in names:
            assert stage_of(name, 0, FRACTIONS) == stage
            assert np.array_equal(source.load(name), decode(photographs / name))
    for path in shards.glob("*.tar"):
        with tarfile.open(path) as tar:
            for entry in tar:
                assert tar.extractfile(entry).read() == (photographs / entry.name).read_bytes()


def test_the_split_has_its_shares_and_the_seed_chooses_it():
    names = [f"{number}.jpg" for number in range(20_000)]
    counts = Counter(stage_of(name, 0, FRACTIONS) for name in names)
    # A share's standard deviation is below 0.0033
    for stage, share in zip(STAGES, FRACTIONS, strict=True):
        assert abs(counts[stage] / 20_000 - share) < 0.014
    assert any(stage_of(name, 0, FRACTIONS) != stage_of(name, 1, FRACTIONS) for name in names[:50])


def test_a_folder_that_grows_keeps_its_split_and_its_shards(photographs, shards):
    before, files = source_of(shards).split(), {path.name: path.read_bytes() for path in shards.iterdir()}
    save_photographs(photographs / "more", 15)
    made = optimize(str(photographs), str(shards), shard_bytes=5000)
    assert (made.before, sum(made.added.values())) == (20, 15)
    after = source_of(shards).split()
    for old, new in zip(before, after, strict=True):
        assert set(old) <= set(new)
        assert all(name.startswith("more/") for name in set(new) - set(old))
    assert all((shards / name).read_bytes() == content for name, content in files.items())


def test_what_was_interrupted_goes_on(photographs, shards, tmp_path, monkeypatch):
    def interrupted(names, check, doing):
        for name in names[:2]:
            yield name, check(name)
        raise KeyboardInterrupt

    out = tmp_path / "again"
    with monkeypatch.context() as patch:
        patch.setattr(sharding, "each_of", interrupted)
        made = optimize(str(photographs), str(out), shard_bytes=5000)
    assert not made.finished
    assert len(list(out.glob("*.csv"))) == 2
    rest = optimize(str(photographs), str(out), shard_bytes=5000)
    assert rest.before == sum(made.added.values())
    assert {name: stage for stage, names in source_of(out).split()._asdict().items() for name in names} == {
        name: stage for stage, names in source_of(shards).split()._asdict().items() for name in names
    }


def test_a_shard_without_its_table_is_made_again(photographs, shards):
    whole = read_tables(open_store(str(shards)))
    lost = next(iter(shards.glob("train-*.csv")))
    lost.unlink()
    assert len(read_tables(open_store(str(shards)))) < len(whole)
    optimize(str(photographs), str(shards), shard_bytes=5000)
    assert read_tables(open_store(str(shards))).keys() == whole.keys()


def test_broken_photographs_are_named_and_in_no_shard(photographs, tmp_path, capsys):
    (photographs / "photo03.png").write_text("no picture")
    with pytest.raises(SystemExit) as end:
        main(["optimize", str(photographs), str(tmp_path / "out")])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "broken, in no shard: photo03.png: it is no picture, or of a kind that cannot be read\n" in out
    assert "19 photographs added (" in out
    assert "; 0 were there" in out
    assert "photo03.png" not in source_of(tmp_path / "out").names


def test_another_seed_is_refused(photographs, shards, capsys):
    with pytest.raises(SystemExit) as end:
        main(["optimize", str(photographs), str(shards), "--seed", "1"])
    assert end.value.code == 1
    assert "its shards were made with another --seed than 1; give that one again." in capsys.readouterr().err


def test_what_holds_no_pictures_no_shards_or_a_damaged_table_is_one_sentence(tmp_path, shards):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty holds no picture; give the folder or store"):
        optimize(str(tmp_path / "empty"), str(tmp_path / "out"))
    with pytest.raises(UserError, match=r"empty holds no shards; make some: python data\.py optimize FOLDER "):
        source_of(tmp_path / "empty")
    table = next(iter(shards.glob("*.csv")))
    shutil.copy(table, tmp_path / "kept")
    table.write_text("damaged")
    with pytest.raises(UserError, match=rf"{table.name} is no table of a shard \(its columns are not name, offset"):
        source_of(shards)
