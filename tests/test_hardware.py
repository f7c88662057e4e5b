import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir

from wm_lightning import hardware
from wm_lightning.errors import UserError
from wm_lightning.files import CONF
from wm_lightning.runner.build import build_data, build_module, prepare


@pytest.mark.parametrize(
    ("accelerator", "cuda", "cuda_bf16", "cpu_bf16", "expected"),
    [
        ("auto", True, True, False, "bf16-mixed"),
        ("auto", True, False, True, "16-mixed"),
        ("gpu", True, False, False, "16-mixed"),
        ("cuda", True, True, False, "bf16-mixed"),
        ("cpu", True, True, False, "32-true"),
        ("cpu", True, True, True, "bf16-mixed"),
        ("auto", False, False, True, "bf16-mixed"),
        ("auto", False, False, False, "32-true"),
        ("mps", False, False, True, "32-true"),
    ],
)
def test_precision_follows_the_hardware(monkeypatch, accelerator, cuda, cuda_bf16, cpu_bf16, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: cuda_bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(hardware, "cpu_has_bf16", lambda: cpu_bf16)
    assert hardware.choose_precision(accelerator) == expected


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16"])
@pytest.mark.parametrize("present", [True, False])
def test_the_cpu_is_asked_for_bfloat16(monkeypatch, name, present):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: present, "avx2": True}, raising=False)
    assert hardware.cpu_has_bf16() is present


def test_a_pytorch_that_cannot_tell_means_no_bfloat16(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert hardware.cpu_has_bf16() is False


@pytest.mark.parametrize(
    ("accelerator", "cuda", "mps", "there"),
    [
        ("gpu", False, False, False), ("gpu", True, False, True), ("gpu", False, True, True),
        ("cuda", False, True, False), ("cuda", True, False, True), ("auto", False, False, True),
        ("cpu", False, False, True),
    ],
)  # fmt: skip
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, accelerator, cuda, mps, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    if there:
        hardware.check_accelerator(accelerator)
        return
    with pytest.raises(UserError, match=f"^accelerator={accelerator}: PyTorch finds no GPU here; use accelerator=cpu"):
        hardware.check_accelerator(accelerator)


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_peak_memory_is_in_bytes_whatever_the_system_counts_in(monkeypatch, system, unit):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=3000))
    monkeypatch.setattr(sys, "platform", system)
    assert hardware.peak_memory(torch.device("cpu")) == 3000 * unit


def test_a_system_that_does_not_tell_has_no_peak_memory(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert hardware.peak_memory(torch.device("cpu")) is None


def test_of_a_gpu_the_peak_is_what_was_allocated_on_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: {"cuda:1": 123}[str(device)])
    assert hardware.peak_memory(torch.device("cuda", 1)) == 123


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_peak_memory_grows_by_what_is_held_and_stays_when_it_is_freed():
    script = (
        "import torch; from wm_lightning.hardware import peak_memory as peak; device = torch.device('cpu');"
        "before = peak(device); block = bytes(range(200)) * 1_000_000; held = peak(device); del block;"
        "print(before, held, peak(device))"
    )
    # A process of its own, and not a child of this one, whose peak it would begin with.
    shell = f"{shlex.quote(sys.executable)} -c {shlex.quote(script)}; exit $?"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    before, held, after = map(int, done.stdout.split())
    assert 190e6 < held - before < 230e6
    assert after >= held
    assert 20e6 < before < 4e9


def test_a_training_on_a_gpu_has_what_makes_it_fast(monkeypatch, photographs, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    words = ("trainer=gpu", "data=folder", f"data.root={photographs}", "data.size=32", "data.num_workers=2")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=[*words, "loss.alpha=0", f"paths.output_dir={tmp_path}"])
    prepare(config)
    assert config.trainer.precision == "bf16-mixed"
    assert torch.get_float32_matmul_precision() == "high"  # TF32 where a step is computed in float32
    data = build_data(config)
    loader = data.train_dataloader()
    assert loader.pin_memory  # so that a batch is sent while a step is computed
    assert loader.prefetch_factor == 2  # batches that each process holds ready
    assert loader.persistent_workers
    data.teardown()
    net = build_module(config, data.target).net
    weights = [weight for weight in net.parameters() if weight.ndim == 4 and min(weight.shape[1:]) > 1]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
