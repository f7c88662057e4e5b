"""What the machine can do, asked once when a run begins."""

from __future__ import annotations

import sys
from typing import Literal

import torch

from wm_lightning.errors import ArgumentError

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def choose_precision(accelerator: str) -> Precision:
    """Returns the fastest mixed precision that a device has hardware for.

    ``bf16-mixed`` on GPUs and CPUs that compute in bfloat16, ``16-mixed`` (with a gradient scaler) on older GPUs,
    ``32-true`` elsewhere.

    Args:
        accelerator: Lightning's name of the device kind: ``auto``, ``cpu``, ``gpu``, ``cuda``, ``mps``, ...
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if accelerator == "cpu" or (accelerator == "auto" and not torch.backends.mps.is_available()):
        return "bf16-mixed" if cpu_has_bf16() else "32-true"
    return "32-true"


def check_accelerator(accelerator: str) -> None:
    """Looks for the kind of device that was asked for.

    Raises:
        UserError: A GPU was asked for and PyTorch finds none.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if (accelerator == "cuda" and not cuda) or (accelerator == "gpu" and not (cuda or mps)):
        raise ArgumentError(
            "{accelerator}={}: PyTorch finds no GPU here; use {accelerator}=cpu, or install a PyTorch and a driver "
            "that fit the GPU.",
            accelerator,
        )


def cpu_has_bf16() -> bool:
    """Returns whether the CPU multiplies bfloat16 in hardware (AVX-512 BF16 or AMX).

    False where this PyTorch cannot tell: emulated bfloat16 would be slower than float32.
    """
    capabilities: dict[str, object] = dict(getattr(torch.cpu, "get_capabilities", dict)())
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def peak_memory(device: torch.device) -> int | None:
    """Returns the most memory held so far, in bytes; None where the system does not tell.

    Of a GPU what this process had allocated on it, of a CPU what the process held altogether.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # other systems count in KiB
