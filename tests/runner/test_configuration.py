import sys
import types

import hydra
import pytest
from omegaconf import OmegaConf

from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.runner.configuration import check_config, suggestion


class Base:
    def __init__(self, size: int, share: float = 0.5) -> None: ...


class Derived(Base):
    def __init__(self, root: str, **options: object) -> None: ...


@pytest.fixture
def parts(monkeypatch):
    """Makes the classes above importable as ``made_up.Derived``."""
    module = types.ModuleType("made_up")
    monkeypatch.setattr(module, "Derived", Derived, raising=False)
    monkeypatch.setitem(sys.modules, "made_up", module)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("size", "many", "part.size='many' does not fit"), ("shape", 1, "part.shape: there is no such option")],
)
def test_arguments_passed_on_are_those_of_the_base_class(parts, key, value, words):
    good = OmegaConf.create({"part": {"_target_": "made_up.Derived", "root": "x", "size": 3, "share": 0.1}})
    check_config(good)
    with pytest.raises(UserError, match=words):
        check_config(OmegaConf.merge(good, {"part": {key: value}}))


def test_nested_parts_and_lists_are_checked():
    transforms = [{"_target_": "albumentations.HorizontalFlip", "pp": 1}]
    with pytest.raises(UserError, match=r"a\.transforms\[0\]\.pp: there is no such option"):
        check_config(OmegaConf.create({"a": {"transforms": transforms}}))


def test_a_target_that_does_not_exist_is_named():
    with pytest.raises(UserError, match=r"model\._target_=no\.such\.Thing cannot be imported"):
        check_config(OmegaConf.create({"model": {"_target_": "no.such.Thing"}}))


def test_suggestion():
    assert suggestion("alfa", ["beta", "alpha"]) == " Did you mean alpha?"
    assert suggestion("xyz", ["beta", "alpha"]) == " It takes: alpha, beta."


@pytest.mark.parametrize("overrides", [[], ["augment=full"], ["augment=none", "logger=none"]])
def test_the_shipped_configurations_pass(overrides, tmp_path):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        settings = [f"paths.output_dir={tmp_path}", "trainer.precision=32-true"]
        shipped = hydra.compose("train", overrides=[*overrides, *settings])
    check_config(shipped)
