import pytest
import torch

from wm_lightning import hardware
from wm_lightning.errors import UserError


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
    with pytest.raises(
        UserError, match=f"trainer.accelerator={accelerator}: PyTorch finds no GPU here; use trainer=cpu"
    ):
        hardware.check_accelerator(accelerator)
