"""Runs a network with PyTorch."""

from __future__ import annotations

import os
from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wm_lightning.errors import ArgumentError
from wm_lightning.hardware import choose_precision
from wm_lightning.inference.cores import CORES
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.engine import check_not_forked, pad
from wm_lightning.models import RestorationNet
from wm_lightning.models.folding import fold_batchnorm
from wm_lightning.models.heads import correction_of

TYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": None}


class CorrectionNet(nn.Module):
    """A network that returns what to do to each pixel: gain and offset, (B, 3, H, W), and the mask, (B, 1, H, W).

    See :class:`~wm_lightning.inference.correction.Correction`. Where a network predicts no mask, it is 1 everywhere. A
    network that recognises marks by its features returns that too, (B, 1, H, W).
    """

    def __init__(self, net: RestorationNet) -> None:
        super().__init__()
        self.net, self.size, self.recognises = net, net.size, net.recognises

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Runs the network on (B, 3, H, W) in 0..1, of a size that it takes."""
        found = self.net.restore(image)
        correction = correction_of(found, image, self.net.knows_layers)
        return (*correction, found.recognition) if self.recognises and found.recognition is not None else correction


class TorchEngine:
    """Runs a network with PyTorch, in the fastest precision that the device has hardware for.

    Args:
        net: The network.
        device: ``auto`` takes a GPU where there is one; ``cuda:1`` is the second.

    Raises:
        UserError: PyTorch finds no such device.
    """

    def __init__(self, net: RestorationNet, device: str = "auto") -> None:
        self.device = _found(device)
        self.dtype = TYPES[choose_precision(self.device.type)]
        folded = CorrectionNet(fold_batchnorm(deepcopy(net).eval()))
        self.net = folded.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stubs
        self.knows_layers = net.knows_layers
        self.process = os.getpid()

    def correct(self, picture: npt.NDArray[np.float32]) -> Correction:
        """See :class:`~wm_lightning.inference.engine.Engine`.

        Raises:
            UserError: This process was forked from the one that opened it on a GPU, or the answer is no numbers.
        """
        if self.device.type != "cpu":
            check_not_forked(self.process, "A GPU")
        height, width = picture.shape[:2]
        padded = pad(picture, self.net.size)
        # (1, 3, H, W) over the same memory is channels last already.
        image = torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None].to(self.device)
        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)
        with CORES.share(), torch.inference_mode(), autocast:
            found = self.net(image)
        return Correction(
            *(part[0, :, :height, :width].float().permute(1, 2, 0).cpu().numpy() for part in found)
        ).checked()


def _found(name: str) -> torch.device:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdecimal()):
        raise ArgumentError("{device}={} must be auto, cpu, cuda, cuda:1 (the second GPU), or mps.", name)
    there = {"cpu": 1, "cuda": torch.cuda.device_count() if cuda else 0, "mps": int(mps)}[kind]
    if int(number or 0) >= there:
        raise ArgumentError("{device}={}: PyTorch finds no such device here; use {device}=cpu.", name)
    return torch.device(name)
