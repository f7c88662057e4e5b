import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from wm_lightning.errors import UserError
from wm_lightning.models import DnCNN
from wm_lightning.trained import load, load_state, read
from wm_lightning.trained.weights import mean_of, read_weights, write_weights

CONFIG = {
    "model": {"_target_": "wm_lightning.models.DnCNN", "depth": 3, "width": 4, "head": "residual"},
    "data": {
        "root": "/home/somebody/photos", "split_dir": "/tmp/run/split",
        "synthesis": {"logos": "/home/x/logos", "fonts": ["/tmp/mine.ttf", "dejavu"]},
    },
    "loss": {"terms": {"perceptual": {"weights": "/tmp/vgg16.pth"}, "other": {"weights": "random", "weight": 1}}},
    "seed": 3,
}  # fmt: skip


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = DnCNN(3, 4).eval()
    net.final_conv.reset_parameters()  # it begins as the identity
    return net


@pytest.fixture
def trained(net):
    state = {f"net.{key}": value for key, value in net.state_dict().items()}
    return {"state_dict": {**state, "loss.x": torch.zeros(1)}, "config": CONFIG, "epoch": 4}


def test_a_network_comes_back_with_what_it_was_trained_with(net, trained, tmp_path):
    path = tmp_path / "new" / "net.safetensors"
    write_weights(trained, path)
    assert list(path.parent.iterdir()) == [path]
    content = read(str(path))
    assert set(content["state_dict"]) == {f"net.{key}" for key in net.state_dict()}
    for key, value in net.state_dict().items():
        assert torch.equal(content["state_dict"][f"net.{key}"], value)
    assert content["config"]["model"] == CONFIG["model"]
    assert content["config"]["seed"] == 3
    assert content["epoch"] == 4
    other = DnCNN(3, 4).eval()
    load_state(other, str(path))
    image = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(other(image), net(image))
        assert not torch.equal(net(image), image)


def test_no_path_of_the_machine_gets_into_a_weight_file(trained, tmp_path):
    write_weights(trained, tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    assert b"somebody" not in content
    assert b"/tmp" not in content
    config = read_weights(tmp_path / "net.safetensors")["config"]
    marks = {"logos": "LOGOS", "fonts": ["FONTS", "dejavu"]}
    assert config["data"] == {"root": "PHOTOS", "split_dir": None, "synthesis": marks}
    assert config["loss"]["terms"] == {
        "perceptual": {"weights": "auto"}, "other": {"weights": "random", "weight": 1}
    }  # fmt: skip


def test_half_the_size_is_read_as_float32_again(trained, tmp_path):
    write_weights(trained, tmp_path / "whole.safetensors")
    write_weights(trained, tmp_path / "half.safetensors", half=True)
    with safe_open(tmp_path / "half.safetensors", "pt") as file:
        kinds = {key: file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118
    whole, half = (read_weights(tmp_path / f"{name}.safetensors")["state_dict"] for name in ("whole", "half"))
    for key, value in whole.items():
        kind = torch.float16 if value.ndim == 4 else value.dtype
        assert kinds[key.removeprefix("net.")] == kind
        assert half[key].dtype == value.dtype
        torch.testing.assert_close(half[key], value, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x10" + bytes(30)])
def test_a_damaged_file_is_one_sentence(content, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.safetensors cannot be read as weights; it is damaged"):
        read(str(path))


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_weights_of_another_project_are_refused(metadata, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata=metadata)
    with pytest.raises(UserError, match=r"other\.safetensors holds no weights of this project"):
        read(str(path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{no JSON", "is damaged: what it says of its network cannot be read"),
        ("[" * 100_000, "is damaged: what it says of its network cannot be read"),
        ('{"config": {}, "epoch": 1}', "holds no network: it does not say which one its weights are of"),
        ('{"config": {"model": null}, "epoch": 1}', "holds no network"),
        ('{"config": [], "epoch": 1}', "is damaged: its weights, its epoch or its configuration is missing"),
    ],
)
def test_a_file_that_says_nothing_of_its_network_is_one_sentence(text, sentence, tmp_path):
    path = tmp_path / "bad.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata={"wm_lightning": text})
    with pytest.raises(UserError, match=rf"bad\.safetensors {sentence}"):
        load(str(path))


def test_weights_of_another_network_are_refused(trained, tmp_path):
    write_weights(trained, tmp_path / "net.safetensors")
    with pytest.raises(
        UserError, match=r"net\.safetensors do not fit a DnCNN with its head; choose the model and the head that"
    ):
        load_state(DnCNN(4, 4), str(tmp_path / "net.safetensors"))


def test_the_configuration_is_plain_text_in_the_file(trained, tmp_path):
    write_weights(trained, tmp_path / "net.safetensors")
    with safe_open(tmp_path / "net.safetensors", "pt") as file:
        assert json.loads(file.metadata()["wm_lightning"])["config"]["model"]["depth"] == 3


def test_the_mean_of_two_networks(net, trained):
    other = {key: value + 2 if value.is_floating_point() else value + 6 for key, value in trained["state_dict"].items()}
    mean = mean_of([trained, {**trained, "state_dict": other, "epoch": 9}])
    assert mean["epoch"] == 4
    assert mean["config"] == CONFIG
    assert mean["state_dict"].keys() == {f"net.{key}" for key in net.state_dict()}
    for key, value in mean["state_dict"].items():
        before = trained["state_dict"][key]
        torch.testing.assert_close(value, before + 1 if before.is_floating_point() else before)
    assert torch.equal(
        mean_of([trained])["state_dict"]["net.first.0.weight"], trained["state_dict"]["net.first.0.weight"]
    )


def test_different_networks_have_no_mean(trained):
    wider = {f"net.{key}": value for key, value in DnCNN(3, 6).state_dict().items()}
    with pytest.raises(UserError, match="of different networks"):
        mean_of([trained, {**trained, "state_dict": wider}])
