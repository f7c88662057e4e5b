from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.runner.build import absolute_paths, ask_for_terms, prepare


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [("32", "32-true"), ("16", "16-mixed"), ("bf16", "bf16-mixed"), ("32-true", "32-true"), ("16-mixed", "16-mixed"),
     ("bf16-mixed", "bf16-mixed")],
)  # fmt: skip
def test_precisions_have_a_short_name(tmp_path, asked, wanted):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", [f"trainer.precision={asked}", f"paths.output_dir={tmp_path}/run"])
    prepare(config)
    assert config.trainer.precision == wanted
    assert Path(tmp_path, "run").is_dir()


@pytest.mark.parametrize("asked", ["16-true", "bf16-true", "64-true", "64", "transformer-engine", "null"])
def test_another_precision_is_refused_before_anything_is_made(tmp_path, asked):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", [f"trainer.precision={asked}", f"paths.output_dir={tmp_path}/run"])
    with pytest.raises(UserError, match=r"trainer\.precision=.* is not one of auto, 32-true, 16-mixed, bf16-mixed"):
        prepare(config)
    assert not Path(tmp_path, "run").exists()


def loss_of(**terms):
    return OmegaConf.create({"loss": {"terms": terms}})


@pytest.mark.parametrize(
    ("override", "required"),
    [
        ("loss.terms.mask.weight=1", ["mask"]), ("loss.terms.mask={weight: 1}", ["mask"]),
        ("+loss.terms.mask.more=1", ["mask"]), ("loss.terms.l1.weight=2", []), ("~loss.terms.gone", []),
        ("loss.alpha=0", []), ("model.head=direct", []), ("loss=composite", []), ("other.terms.mask.weight=1", []),
    ],
)  # fmt: skip
def test_a_term_named_on_the_command_line_is_required(override, required):
    config = loss_of(l1={"weight": 1}, mask={"weight": 2, "optional": True}, iou={"weight": 2, "optional": True})
    ask_for_terms(config, ["data.size=32", override, "seed=1"])
    terms = config.loss.terms
    assert [name for name in ("mask", "iou") if not terms[name].optional] == required
    assert "optional" not in terms.l1


@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        (["loss.terms.perceptual.weights=random"], "give loss.alpha too"),
        (["+loss.terms.iou.power=2"], "give loss.terms.iou.weight too"),
        (["loss.terms.iou.weight=0"], None),
        (["loss.terms.mask.reach=3"], None),
        (["loss.terms.unknown.reach=3"], None),
    ],
)
def test_what_is_set_of_a_term_without_weight_is_told_to_change_nothing(caplog, overrides, advice):
    config = loss_of(mask={"weight": 2}, iou={"weight": 0}, perceptual={"weights": "auto"})
    config.loss.alpha = 0
    ask_for_terms(config, overrides)
    assert (advice in caplog.text) if advice else not caplog.text


@pytest.mark.parametrize(("key", "word"), [("weights", "imagenet"), ("weights", "auto"), ("fonts", ["dejavu"])])
def test_a_word_is_no_path_also_where_a_folder_has_its_name(tmp_path, monkeypatch, key, word):
    monkeypatch.chdir(tmp_path)
    for name in ("imagenet", "auto", "dejavu", "own"):
        Path(name).mkdir()
    assert absolute_paths({key: word}) == {key: word}
    assert absolute_paths({key: "own"}) == {key: str(tmp_path / "own")}


def test_folders_are_made_absolute_wherever_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    node = {
        "root": "photos", "cache_dir": None, "size": 32, "layout": "plain", "synthesis": {"logos": "~/logos"},
        "several": [{"root": "../up"}, "root", 3], "out": "relative",
    }  # fmt: skip
    assert absolute_paths(node) == {
        "root": str(tmp_path / "photos"), "cache_dir": None, "size": 32, "layout": "plain",
        "synthesis": {"logos": str(tmp_path / "home" / "logos")},
        "several": [{"root": str(tmp_path / ".." / "up")}, "root", 3], "out": "relative",
    }  # fmt: skip
    assert node["root"] == "photos"
    absolute = {"root": str(tmp_path / "photos")}
    assert absolute_paths(absolute) == absolute
