"""LPIPS and NIQE: scores that need libraries and weights beside this project, so measured only when asked for.

Nothing is ever downloaded here. Both kinds of weights are read from PyTorch's hub cache, where the user puts them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from wm_lightning.errors import UserError

BLOCK = 96  # side of the blocks that NIQE's statistics are of


class Need(NamedTuple):
    """What a score needs.

    Attributes:
        packages: Modules that must be importable.
        url: Where its weights are published.
        file: Their name in the cache, where the libraries look for them.
    """

    packages: tuple[str, ...]
    url: str
    file: str

    def path(self) -> Path:
        """Returns where the weights must lie."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.file


NEEDS = {
    "lpips": Need(
        ("torchvision",),
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "alexnet-owt-7be5be79.pth",
    ),
    "niqe": Need(
        ("torchvision", "deepinv"),
        "https://huggingface.co/deepinv/demo/resolve/main/niqe_weights.pt",
        "niqe_weights.pt",
    ),
}


def require(score: str) -> None:
    """Checks that a score can be measured here.

    Args:
        score: A key of :data:`NEEDS`.

    Raises:
        UserError: A package or the weights are missing.
    """
    need = NEEDS[score]
    if missing := [name for name in need.packages if find_spec(name) is None]:
        raise UserError(f"{score} needs {' and '.join(missing)}: pip install 'wm-lightning[perceptual]'.")
    if not need.path().is_file():
        raise UserError(f"{score} needs weights that are never downloaded unasked: put {need.url} at {need.path()}.")


def lpips(prediction: Tensor, target: Tensor) -> Tensor:
    """Learned perceptual image patch similarity (Zhang et al., 2018) on AlexNet's features, by torchmetrics.

    Args:
        prediction: (B, 3, H, W) in 0..1, at least 31 pixels high and wide.
        target: (B, 3, H, W) in 0..1.

    Returns:
        (B,), 0 for equal pictures, higher for less similar ones.

    Raises:
        UserError: A package or the weights are missing.
    """
    network = _lpips_network(prediction.device)
    with torch.autocast(prediction.device.type, enabled=False):
        values: Tensor = network(prediction.float(), target.float())
    network.reset()  # it would gather the scores of all batches
    return values.reshape(-1)


def niqe(picture: Tensor) -> Tensor:
    """Natural image quality evaluator (Mittal, Soundararajan, Bovik, 2013) with its published model, by deepinv.

    It needs no clean photograph. On the CPU in double precision, for the same figure on every machine.

    Args:
        picture: (B, 3, H, W) in 0..1, at least 96 pixels high and wide and 192 in one of the two.

    Returns:
        (B,), 0 and above, lower for a more natural picture; NaN for a picture with fewer than two blocks of 96x96 that
        are not flat.

    Raises:
        UserError: A package or the weights are missing, or the pictures are too small.
    """
    height, width = picture.shape[-2:]
    if min(height, width) < BLOCK or max(height, width) < 2 * BLOCK:
        raise UserError(f"niqe needs pictures of at least {BLOCK}x{2 * BLOCK} pixels, not {height}x{width}.")
    evaluate = _niqe_evaluator()
    values = []
    for one in 255 * picture.detach().cpu().double():
        try:
            values.append(evaluate(one[None]).reshape(()))
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # missing in its stubs
            values.append(torch.tensor(torch.nan))  # fewer than two blocks have no covariance
    return torch.stack(values).float().to(picture.device)


@cache
def _lpips_network(device: torch.device) -> Metric:
    require("lpips")
    from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity("alex", reduction="none", normalize=True).to(device)


@cache
def _niqe_evaluator() -> nn.Module:
    require("niqe")
    from deepinv.loss.metric import NIQE

    evaluator: nn.Module = NIQE(weights_path=NEEDS["niqe"].path(), round_tensor=True, dtype=torch.float64)
    return evaluator
