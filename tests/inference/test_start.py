"""What each command imports: importing is most of the time that a small picture takes."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from wm_lightning.inference.export_command import main as export
from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.trained import TrainedNetwork, save

REPOSITORY = Path(__file__).parents[2]
TRAINING = {
    "albumentations", "gradio", "hydra", "kornia", "lightning", "matplotlib", "omegaconf", "pydantic", "skimage",
    "tensorboard", "torchmetrics",
}  # fmt: skip
# Runs a command as its file at the top does, and prints what it has imported last.
PROGRAM = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print("\\n", *(name for name in sys.modules if "." not in name))
"""


def imported(folder, command, *arguments):
    """Runs a command in a process of its own; returns the names of all packages it imported."""
    words = [sys.executable, "-c", PROGRAM, str(REPOSITORY / f"{command}.py"), *arguments]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = set(done.stdout.splitlines()[-1].split())
    assert "wm_lightning" in names
    return names


@pytest.fixture
def options(tmp_path):
    """Writes a picture with a mark and a small network; returns arguments of predict that leave no part of it out."""
    net = PixelUnshuffleUNet((8, 12), attention=0, head="decomposition")
    net.last.reset_parameters()  # it begins as the identity, which finds nothing
    config = {"model": {"_target_": "wm_lightning.models.PixelUnshuffleUNet", "widths": [8, 12], "attention": 0}}
    save(TrainedNetwork(net, config), tmp_path / "net.safetensors")
    for name in ("one", "two"):
        photograph = Image.new("RGB", (160, 120), (90, 120, 60))
        ImageDraw.Draw(photograph).text((20, 30), "PROOF", (250, 250, 250), font_size=40)
        photograph.save(tmp_path / f"{name}.jpg")
    return (
        "one.jpg", "two.jpg", "-o", "out", "--sensitivity", "1", "--compare", "--save-mask", "--report", "found.json",
        "--tta", "2", "--device", "cpu", "--weights",
    )  # fmt: skip


def test_pytorch_comes_without_what_trains(tmp_path, options):
    names = imported(tmp_path, "predict", *options, "net.safetensors")
    assert (tmp_path / "out" / "compare-1.png").is_file()
    assert "torch" in names
    assert not names & TRAINING


def test_onnx_runtime_comes_without_pytorch(tmp_path, options):
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package, reason=f"{package} is not installed, which writing or running ONNX needs")
    export([str(tmp_path / "net.safetensors"), "-o", str(tmp_path / "net.onnx")])
    names = imported(tmp_path, "predict", *options, "net.onnx", "--engine", "onnx")
    assert (tmp_path / "out" / "compare-1.png").is_file()
    assert "onnxruntime" in names
    assert not names & {"torch", "safetensors", *TRAINING}


@pytest.mark.parametrize("command", ["predict", "export", "app", "data"])
def test_help_imports_next_to_nothing(tmp_path, command):
    assert not imported(tmp_path, command, "--help") & {"torch", "onnxruntime", "cv2", "numpy", "PIL", *TRAINING}
