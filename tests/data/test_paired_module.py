import json
import logging
from pathlib import Path

import hydra
import pytest
from PIL import Image

from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.runner.configuration import check_config

STAGES = ("train", "val", "test")
TINY = (
    "data=paired", "data.size=32", "data.batch_size=4", "data.num_workers=0", "loss.alpha=0", "trainer.max_epochs=1",
    "trainer.precision=32-true", "trainer.accelerator=cpu",
    "trainer.enable_progress_bar=false", "synthesis.system_fonts=false",
)  # fmt: skip


def ready(module):
    module.setup()
    return module


def composed(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides=list(overrides))


def spoil(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("side", ["watermarked", "clean", "mask"])
def test_a_broken_file_of_any_side_leaves_the_pair_out_and_is_named(save_pairs, make_paired, caplog, side):
    root = save_pairs("plain", {".": 20}, shape=(64, 64))
    whole = ready(make_paired(root)).split
    victim = whole.train[2]
    path = root / side / Path(victim).with_suffix(".bmp" if side == "clean" else ".png").name
    spoil(path)
    module = make_paired(root, split_dir=str(root.parent / "split"))
    module.setup()
    module.save_split()
    assert list(module.broken) == [victim]
    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"skipped: {victim} cannot be used: {path}: ")
    assert module.split == whole
    assert victim not in [name for batch in module.train_dataloader() for name in batch.name]
    assert (root.parent / "split" / "broken.txt").read_text(encoding="utf-8") == f"{victim}\n"


def test_a_stage_whose_pairs_are_all_broken_is_named(save_pairs, make_paired):
    root = save_pairs("plain", {"train": 3, "test": 1}, shape=(64, 64))
    spoil(root / "test" / "watermarked" / "000.png")
    with pytest.raises(UserError, match=r"No readable photograph is left for test: 1 cannot be used"):
        ready(make_paired(root))


@pytest.mark.parametrize("side", ["clean", "mask"])
def test_pictures_of_different_sizes_are_named(save_pairs, make_paired, side):
    root = save_pairs("plain", {".": 3})
    path = next((root / side).iterdir())
    Image.new("RGB", (31, 38)).save(path)
    with pytest.raises(
        UserError, match=rf"^The pictures of a pair must have one size: .*{path.name} has 31x38"
    ) as info:
        ready(make_paired(root))
    assert f"{root / 'watermarked' / path.stem}.png has 31x37" in str(info.value)


def test_a_file_that_vanished_is_named(save_pairs, make_paired):
    root = save_pairs("plain", {".": 10})
    module = ready(make_paired(root))
    (root / "clean" / "004.bmp").unlink()
    pairs = next(module.pairs(stage) for stage in STAGES if "watermarked/004.png" in module.pairs(stage).names)
    with pytest.raises(UserError, match=r"can no longer be read .*004\.bmp"):
        pairs[0, pairs.names.index("watermarked/004.png")]


def test_a_folder_with_nothing_to_train_on_can_be_tested(save_pairs, make_paired):
    module = ready(make_paired(save_pairs("lvw", {"test": 5}), "lvw"))
    assert [len(batch.name) for batch in module.test_dataloader()] == [4, 1]
    with pytest.raises(UserError, match=r"^root holds no pairs for train; "):
        module.train_dataloader()


@pytest.mark.parametrize(("changed", "warned"), [(False, 0), (True, 1)])
def test_the_split_is_compared_with_that_of_the_checkpoint(save_pairs, make_paired, caplog, changed, warned):
    root = save_pairs("plain", {".": 10})
    state = ready(make_paired(root)).state_dict()
    module = ready(make_paired(root, seed=int(changed)))
    module.load_state_dict(state)
    assert ["SPLIT IS NOT" in message for message in warnings_of(caplog)] == [True] * warned


def test_a_second_view_is_refused(tmp_path, make_paired):
    with pytest.raises(UserError, match=r"^target=reference is a second watermarked view, .*; use clean\.$"):
        make_paired(tmp_path, target="reference")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mask_threshold", 1), ("mask_threshold", -0.1), ("mask_difference", -1), ("mask_difference", 765),
        ("val_fraction", 0), ("val_fraction", 1), ("size", 7), ("batch_size", 0),
    ],
)  # fmt: skip
def test_wrong_numbers_are_refused_by_name(tmp_path, make_paired, key, value):
    with pytest.raises(ValueError, match=rf"^{key}={value} must "):
        make_paired(tmp_path, **{key: value})


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.layout=lwv", r"data\.layout='lwv' does not fit: input should be 'clwd', 'lvw', 'logo' or 'plain'"),
        ("data.fit=stretch", r"data\.fit='stretch' does not fit: input should be 'crop' or 'resize'"),
        ("+data.synthesis=1", r"data\.synthesis: there is no such option of data"),
        ("+data.short_side=64", r"data\.short_side: there is no such option of data"),
    ],
)
def test_configuration_takes_what_pairs_do(tmp_path, override, words):
    settings = ("data=paired", f"data.root={tmp_path}", f"paths.output_dir={tmp_path}", "trainer.precision=32-true")
    check_config(composed(*settings))
    with pytest.raises(UserError, match=words):
        check_config(composed(*settings, override))


def test_training_and_evaluating_on_pairs(command, save_pairs):
    root = save_pairs("plain", {".": 10}, shape=(40, 48))
    outcome = command(
        "train", *TINY, f"data.root={root}", "data.layout=plain", "data.target=clean", "hydra.run.dir=run"
    )
    assert outcome.status == 0, outcome.err
    summary = json.loads(Path("run/summary.json").read_text())
    assert summary["photographs"] == {"train": 7, "val": 2, "test": 1}
    assert summary["test"]["psnr_in"] > 0
    outcome = command(
        "evaluate", "report=false", "ckpt=run/checkpoints/best.ckpt", "hydra.run.dir=scored", "trainer.accelerator=cpu"
    )
    assert outcome.status == 0, outcome.err
    scores = json.loads(Path("scored/metrics.json").read_text())["test"]
    assert {key: value for key, value in scores.items() if value is not None} == {
        key: value for key, value in summary["test"].items() if value is not None and value == value
    }


def test_pairs_of_different_sizes_are_one_sentence(command, save_pairs):
    root = save_pairs("lvw", {"train": 3, "test": 1})
    Image.new("RGB", (8, 8)).save(root / "test" / "background" / "000.png")
    outcome = command("train", *TINY, f"data.root={root}", "data.layout=lvw", "hydra.run.dir=run")
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith("error: The pictures of a pair must have one size: ")
    assert "Traceback" not in outcome.err


def test_training_on_a_test_folder_alone_is_one_sentence(command, save_pairs):
    root = save_pairs("lvw", {"test": 3})
    outcome = command("train", *TINY, f"data.root={root}", "data.layout=lvw", "hydra.run.dir=run")
    assert outcome.status == 1
    assert outcome.err.strip().splitlines()[-1].startswith("error: data.root holds no pairs for ")
