"""Networks of weight files: this project's, with the weights that were saved, and no others."""

import pytest
import torch

from wm_lightning import files
from wm_lightning.errors import UserError
from wm_lightning.files import SHIPPED
from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.trained import load
from wm_lightning.trained.weights import write_weights


def save(path, target="wm_lightning.models.PixelUnshuffleUNet", **options):
    net = PixelUnshuffleUNet((8, 12), attention=0)
    net.last.reset_parameters()  # it begins as the identity
    state = {f"net.{key}": value for key, value in net.state_dict().items()}
    config = {"model": {"_target_": target, "widths": [8, 12], "attention": 0, **options}}
    write_weights({"state_dict": state, "config": config, "epoch": 0}, path)
    return net


def test_the_network_has_its_weights_and_is_ready(tmp_path):
    saved = save(tmp_path / "net.safetensors").eval()
    loaded = load(str(tmp_path / "net.safetensors")).net
    assert not loaded.training
    image = torch.rand(1, 3, 20, 30)
    with torch.no_grad():
        assert torch.equal(loaded(image), saved(image))
        assert not torch.equal(saved(image), image)


def test_a_checkpoint_of_training_does_too(checkpoint):
    net = load(str(checkpoint)).net
    content = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(value, content[f"net.{key}"]) for key, value in net.state_dict().items())


def test_shipped_weights_are_found_by_name_and_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    assert [path.stem for path in SHIPPED.glob("*.safetensors")] != []
    for path in SHIPPED.glob("*.safetensors"):
        assert isinstance(load(path.stem).net, PixelUnshuffleUNet)
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    save(tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    assert isinstance(load("mine").net, PixelUnshuffleUNet)
    (tmp_path / "mine").write_text("not weights")
    with pytest.raises(UserError, match=r"^mine cannot be read as a checkpoint"):
        load("mine")


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "wm_lightning.models.size", "wm_lightning.models.size.F.pad", ""]
)
def test_a_weight_file_builds_no_other_things(tmp_path, target):
    save(tmp_path / "net.safetensors", target)
    with pytest.raises(UserError, match=rf"net.safetensors asks for {target or 'a class'}.* nothing was built"):
        load(str(tmp_path / "net.safetensors"))


@pytest.mark.parametrize("target", ["wm_lightning.data.Augmentation", "wm_lightning.losses.Lab"])
def test_what_is_no_network_is_not_built(tmp_path, target):
    save(tmp_path / "net.safetensors", target)
    with pytest.raises(UserError, match=rf"asks for {target}, which is no network; it was not built"):
        load(str(tmp_path / "net.safetensors"))


def test_weights_of_another_version_are_one_sentence(tmp_path):
    for options in ({"widths": [8, 16]}, {"no_longer": 1}, {"shuffle": 0}):
        save(tmp_path / "net.safetensors", **options)
        with pytest.raises(
            UserError, match=r"does not fit wm_lightning.models.PixelUnshuffleUNet; it was written by another"
        ):
            load(str(tmp_path / "net.safetensors"))


def test_what_is_not_there_is_one_sentence():
    with pytest.raises(UserError, match="There is no checkpoint nowhere; give the path"):
        load("nowhere")
