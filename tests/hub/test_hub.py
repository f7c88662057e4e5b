"""Networks go to a stub of the Hub and come back from it; without the command, nothing goes online."""

import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.hub.stub import TOKEN, Hub
from wm_lightning.trained import load, read
from wm_lightning.trained.weights import write_weights

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: the extra hub")
from huggingface_hub.errors import LocalEntryNotFoundError

from wm_lightning.hub import repository
from wm_lightning.hub.command import main

NAME = "somebody/tiny"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from wm_lightning.models import PixelUnshuffleUNet

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = PixelUnshuffleUNet((8, 12), attention=0)
    model = {"_target_": "wm_lightning.models.PixelUnshuffleUNet", "widths": [8, 12], "attention": 0}
    content = {
        "state_dict": {f"net.{key}": value for key, value in net.state_dict().items()},
        "config": {"model": model, "data": {"root": "/home/somebody/photographs"}},
        "epoch": 3,
        "card": {"trained_on": "three | photographs", "licence": "Apache-2.0", "metrics": {"psnr": 37.84321}},
    }
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    write_weights(content, path)
    return path


@pytest.fixture
def hub(monkeypatch):
    server = Hub()
    for module in ("constants", "hf_api", "file_download", "utils._http"):
        monkeypatch.setattr(f"huggingface_hub.{module}.ENDPOINT", server.address, raising=False)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        server.address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    # Large files go by LFS: the stub does not speak the protocol of the Hub's own storage.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs the command in an empty folder; returns its status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["hub.py"])

    def run(*arguments):
        status = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_what_was_pushed_comes_back(hub, run, weights, tmp_path):
    status, out, err = run("push", weights, NAME)
    assert (status, hub.private[NAME]) == (0, True), err
    assert out.startswith(f"{hub.address}/{NAME}/commit/")
    files = hub.repositories[NAME]
    assert {"model.safetensors", "README.md"} <= set(files)
    assert b"/home/somebody" not in files["model.safetensors"]
    assert [path[:5] for method, path in hub.asked if method == "PUT"] == ["/lfs/"]

    status, out, err = run("pull", NAME)
    assert status == 0, err
    assert "use it: python predict.py photo.jpg -o cleaned --weights tiny.safetensors" in out
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]
    mine, theirs = load(str(weights)), load("tiny.safetensors")
    assert (theirs.epoch, theirs.card) == (3, mine.card)
    for one, other in zip(mine.net.state_dict().values(), theirs.net.state_dict().values(), strict=True):
        assert torch.equal(one, other)

    status, _, err = run("pull", NAME)
    assert (status, err) == (
        1,
        "error: tiny.safetensors is there already; choose another name with -o, or replace it with --overwrite.\n",
    )
    assert run("pull", NAME, "--overwrite")[0] == 0


def test_the_card_says_what_the_network_is(weights):
    text = repository.card_of(read(str(weights)), NAME)
    _, metadata, body = text.split("---\n", 2)
    assert yaml.safe_load(metadata) == {
        "license": "apache-2.0",
        "library_name": "wm-lightning",
        "pipeline_tag": "image-to-image",
        "tags": ["watermark-removal", "image-restoration"],
    }
    for row in (
        "| network | PixelUnshuffleUNet |",
        "| trained on | three \\| photographs |",
        "| metrics | psnr 37.84 |",
    ):
        assert row in body
    assert "wm-hub pull somebody/tiny\n" in body


def test_what_the_hub_refuses_is_one_sentence(hub, run, weights, monkeypatch, tmp_path):
    hub.repositories["somebody/else"], hub.private["somebody/else"] = {"README.md": b"nothing"}, False
    hub.repositories["somebody/other"], hub.private["somebody/other"] = {"model.safetensors": b"no weights"}, False
    for arguments, sentence in (
        (("pull", "somebody/nothing"), f"{hub.address} has no repository somebody/nothing, or does not show it to you"),
        (("pull", "somebody/else"), "somebody/else holds no model.safetensors; it is not of wm-hub push."),
        (("pull", "somebody/else", "--revision", "v9"), "somebody/else has no such revision; give a branch"),
        (("pull", "somebody/other"), "model.safetensors of somebody/other cannot be read"),
        (("pull", "a/b/c"), "a/b/c names no repository; give OWNER/NAME."),
        (("pull", NAME, "-o", "tiny.bin"), "-o tiny.bin must end in .safetensors."),
        (("push", "nowhere.ckpt", NAME), "There is no checkpoint nowhere.ckpt"),
    ):
        status, out, err = run(*arguments)
        assert (status, out) == (1, "")
        assert sentence in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    status, _, err = run("push", weights, NAME)
    assert status == 1
    assert err.startswith(f"error: {hub.address} ")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_one_sentence(hub, run, tmp_path):
    hub.shutdown()
    hub.server_close()
    status, _, err = run("pull", NAME)
    assert status == 1
    assert err.startswith(f"error: {hub.address} cannot be reached")
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_is_lost_in_the_middle_is_no_missing_file(hub, run, weights, monkeypatch, tmp_path):
    assert run("push", weights, NAME)[0] == 0

    def lost(*arguments, **options):
        raise LocalEntryNotFoundError("the connection is gone")

    monkeypatch.setattr(repository, "hf_hub_download", lost)
    status, _, err = run("pull", NAME)
    assert (status, err) == (1, f"error: {hub.address} cannot be reached; try again when it can.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(hub, run, weights, tmp_path):
    assert run("push", weights, NAME)[0] == 0
    (tmp_path / "file").write_bytes(b"")
    status, _, err = run("pull", NAME, "-o", "file/tiny.safetensors")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("error: file/tiny.safetensors cannot be written: ")


def test_nothing_else_of_this_project_goes_to_the_hub():
    sources = Path(repository.__file__).parents[1]
    named = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*.py")
        if "huggingface_hub" in path.read_text("utf-8")
    }
    assert named == {"extras.py", "hub/repository.py"}
