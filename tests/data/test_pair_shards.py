import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY
from wm_lightning.data import StreamingDataModule, StreamingPairsDataModule
from wm_lightning.data.command import main
from wm_lightning.data.paired_layouts import PairFiles
from wm_lightning.data.sharding import optimize, stages_of
from wm_lightning.data.shards import STAGES
from wm_lightning.errors import UserError

from .conftest import FLIPS


@pytest.fixture
def make(tmp_path):
    """Builds a data module of pairs in shards."""

    def build(root, **options):
        options = {"size": 16, "batch_size": 4, "num_workers": 0, "cache_dir": str(tmp_path / "cache"), **options}
        module = StreamingPairsDataModule(root=str(root), augment=FLIPS, **options)
        module.setup()
        return module

    return build


@pytest.mark.parametrize("layout", ["clwd", "lvw", "logo", "plain"])
def test_pairs_of_shards_are_those_of_their_folder(save_pairs, make_paired, make, tmp_path, layout):
    stages = {"train": 9, "val": 2} if layout == "logo" else {"train": 9, "test": 2}
    root = save_pairs(layout, stages)
    made = optimize(str(root), str(tmp_path / "shards"), layout=layout, shard_bytes=5000)
    folder, shards = make_paired(root, layout), make(tmp_path / "shards")
    folder.setup()
    assert made.added == {stage: len(names) for stage, names in shards.split._asdict().items()}
    assert sorted(shards.split.test) == folder.split.test
    assert sorted(shards.split.train + shards.split.val) == sorted(folder.split.train + folder.split.val)
    assert shards.split.val
    assert len(list((tmp_path / "shards").glob(f"train-{layout}-*.tar"))) > 1
    for index, name in enumerate(folder.split.test):
        one, other = folder.pairs("test")[0, index], shards.pairs("test")[0, shards.split.test.index(name)]
        for part in ("watermarked", "clean", "mask"):
            assert np.array_equal(getattr(one, part), getattr(other, part)), part


def test_training_goes_through_each_pair_once(save_pairs, make, tmp_path):
    optimize(str(save_pairs("plain", {".": 30})), str(tmp_path / "shards"), layout="plain", shard_bytes=5000)
    module = make(tmp_path / "shards", shards_at_once=2)
    drawn = [index for _, index in module._sampler(module.pairs("train"), 0, 1)]
    assert sorted(drawn) == list(range(len(module.split.train)))


def pairs_named(stage, *stems):
    return {f"{stage}/{stem}-1.png": PairFiles(None, Path(f"clean/{stem}.png"), None) for stem in stems}


def test_what_the_data_set_does_not_divide_keeps_its_stage_as_the_folder_grows():
    stems = [f"photo{number}" for number in range(200)]
    few, many = (stages_of({".": pairs_named(".", *names)}, 0) for names in (stems[:50], stems))
    assert set(few.values()) == set(many.values()) == set(STAGES)
    assert all(many[name] == stage for name, stage in few.items())
    divided = {"train": pairs_named("train", *stems), "val": pairs_named("val", "a"), "test": pairs_named("test", "b")}
    assert set(stages_of({"train": divided["train"], "test": divided["test"]}, 0).values()) == set(STAGES)
    assert set(stages_of(divided, 0).items()) >= {("val/a-1.png", "val"), ("test/b-1.png", "test")}
    assert [*stages_of(divided, 0).values()].count("train") == len(stems)


def test_the_command_adds_pairs_once_and_says_what_is_broken(save_pairs, make, tmp_path, capsys):
    root, out = save_pairs("plain", {".": 20}, shape=(64, 64)), str(tmp_path / "shards")
    victim = root / "clean" / "003.bmp"
    victim.write_bytes(victim.read_bytes()[:500])
    for expected in ("19 pairs added", "0 pairs added"):
        with pytest.raises(SystemExit) as end:
            main(["optimize", str(root), out, "--layout", "plain"])
        assert end.value.code == 0
        told = capsys.readouterr().out
        assert "broken, in no shard: watermarked/003.png: " in told
        assert expected in told
    assert sum(map(len, make(out).split)) == 19


def test_pairs_and_photographs_are_not_mistaken_for_each_other(save_pairs, make, synthesizer, photographs, tmp_path):
    root, pairs, photos = str(save_pairs("plain", {".": 20})), str(tmp_path / "pairs_out"), str(tmp_path / "photos_out")
    optimize(root, pairs, layout="plain")
    optimize(str(photographs), photos)
    with pytest.raises(UserError, match=r"photos_out holds shards of clean photographs, which data=streaming takes"):
        make(photos)
    with pytest.raises(UserError, match=r"holds shards of pairs \(--layout plain\), which data=streaming_pairs takes"):
        StreamingDataModule(root=pairs, synthesis=synthesizer, augment=FLIPS).setup()
    with pytest.raises(UserError, match=r"holds shards of pairs \(--layout plain\); name another place for these"):
        optimize(str(photographs), pairs)
    with pytest.raises(UserError, match="holds shards of clean photographs; name another place for these"):
        optimize(root, photos, layout="plain")
    with pytest.raises(UserError, match="its shards were made with another --seed than 1"):
        optimize(root, pairs, 1, layout="plain")
    with pytest.raises(UserError, match=r"layout=plain is of pairs in a folder; s3://bucket/pairs is a store"):
        optimize("s3://bucket/pairs", pairs, layout="plain")


def test_pictures_of_a_pair_that_differ_in_size_are_named(save_pairs, tmp_path):
    root = save_pairs("plain", {".": 3})
    Image.new("RGB", (31, 38)).save(root / "clean" / "001.bmp")
    with pytest.raises(UserError, match=r"^The pictures of a pair must have one size: .*001.bmp has 31x38"):
        optimize(str(root), str(tmp_path / "shards"), layout="plain")


def test_a_network_is_trained_on_them_and_scored(save_pairs, command):
    optimize(str(save_pairs("clwd", {"train": 9, "test": 2})), "shards", layout="clwd")
    synthetic = ("data=", "synthesis")
    options = [option for option in TINY if not option.startswith(synthetic)]
    outcome = command("train", *options, "data=streaming_pairs", "data.root=shards", "hydra.run.dir=run")
    assert outcome.status == 0, outcome.err
    alone = ("report=false", "hydra.run.dir=scored", "trainer.accelerator=cpu")
    outcome = command("evaluate", "ckpt=run/checkpoints/best.ckpt", *alone)
    assert outcome.status == 0, outcome.err
    tested = json.loads(Path("run/summary.json").read_text())["test"]
    assert json.loads(Path("scored/metrics.json").read_text())["test"] == tested
