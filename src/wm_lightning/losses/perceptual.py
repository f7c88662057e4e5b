"""Perceptual loss on VGG16 features up to relu3_3 (Johnson et al., "Perceptual losses", 2016)."""

from __future__ import annotations

import hashlib
import logging
import math
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wm_lightning.errors import ArgumentError, UserError

log = logging.getLogger(__name__)

IMAGENET_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RANDOM_SEED = 16

# (index in VGG16's `features`, input channels, output channels); `None` is a 2x2 max pooling.
LAYERS: tuple[tuple[int, int, int] | None, ...] = (
    (0, 3, 64), (2, 64, 64), None, (5, 64, 128), (7, 128, 128), None, (10, 128, 256), (12, 256, 256), (14, 256, 256),
)  # fmt: skip


class LoadedWeights(NamedTuple):
    """VGG16 weights and where they came from."""

    state: dict[str, Tensor]
    origin: str


class PerceptualLoss(nn.Module):
    """L1 between VGG16 features (``features[:16]``, 1,735,488 values) of prediction and target.

    The extractor is fixed: its weights are buffers outside the state dict, so they follow the module to a device but
    are never trained, never in a checkpoint and have no train mode.

    Args:
        weights: ``imagenet`` takes the official file, downloading it (528 MB) once to PyTorch's hub cache; ``random``
            takes He-normal weights of a fixed seed (features of random networks are a usable perceptual loss: Liu et
            al., "Generic Perceptual Loss for Modeling Structured Output Dependencies", CVPR 2021); ``auto`` takes
            the official file where the cache holds it, else ``random`` with a warning, and downloads nothing; any
            other value is the path of a VGG16 state dict.
        url: Where ``imagenet`` downloads from; the file's name carries the start of its SHA-256.
        reduce: Side in pixels of the squares that become one pixel before the features are computed, by their mean; 2
            takes a quarter of the time.

    Attributes:
        origin: What was used: ``imagenet``, ``random`` or ``file PATH (sha256 ...)``.

    Raises:
        UserError: The weights cannot be had.
        ValueError: ``reduce`` is below 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: str = "auto", url: str = IMAGENET_URL, reduce: int = 1) -> None:
        super().__init__()
        if reduce < 1:
            raise ArgumentError("{reduce}={} must be at least 1.", reduce)
        self.reduce = reduce
        loaded = load_vgg16(weights, url)
        self.origin = loaded.origin
        for layer in LAYERS:
            if layer is not None:
                for kind in ("weight", "bias"):
                    value = loaded.state[f"features.{layer[0]}.{kind}"].float().clone()
                    self.register_buffer(f"{kind}{layer[0]}", value, persistent=False)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def features(self, image: Tensor) -> Tensor:
        """Maps (B, 3, H, W) in 0..1, sRGB, to relu3_3: (B, 256, h/4, w/4), 0 and above, h and w reduced."""
        if self.reduce > 1:
            image = F.avg_pool2d(image, min(self.reduce, *image.shape[-2:]))
        features = (image - self.mean) / self.std
        for layer in LAYERS:
            if layer is None:
                # The smallest pictures have nothing left to pool.
                features = F.max_pool2d(features, 2) if min(features.shape[-2:]) > 1 else features
            else:
                weight, bias = self.get_buffer(f"weight{layer[0]}"), self.get_buffer(f"bias{layer[0]}")
                features = F.relu(F.conv2d(features, weight, bias, padding=1))
        return features

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Returns the mean absolute difference of the features, a scalar; no gradient goes to the target."""
        with torch.no_grad():
            wanted = self.features(target)
        return F.l1_loss(self.features(prediction).float(), wanted.float())


def load_vgg16(weights: str, url: str = IMAGENET_URL) -> LoadedWeights:
    """Loads VGG16 weights; see :class:`PerceptualLoss` for the arguments.

    Returns:
        At least the keys ``features.N.weight`` and ``features.N.bias`` of the layers in use.

    Raises:
        UserError: The weights cannot be had, or the file does not hold them.
    """
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if weights == "auto":
        if cached.is_file():
            return LoadedWeights(_read(cached), "imagenet")
        log.warning(
            "PERCEPTUAL LOSS USES RANDOM VGG16 WEIGHTS (fixed seed): the ImageNet weights are not in %s. Random "
            "features work, ImageNet's work better: set loss.terms.perceptual.weights=imagenet once to download "
            "them (528 MB), or loss.terms.perceptual.weights=random to choose this on purpose.",
            cached.parent,
        )
        return LoadedWeights(_random_state(), "random")
    if weights == "random":
        return LoadedWeights(_random_state(), "random")
    if weights == "imagenet":
        return LoadedWeights(_download(url, cached), "imagenet")
    path = Path(weights)
    if not path.is_file():
        raise ArgumentError(
            "{weights}: there is no file {}; give the path of a VGG16 state dict, or one of auto, imagenet, random.",
            path,
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return LoadedWeights(_read(path), f"file {path.name} (sha256 {digest})")


def _download(url: str, cached: Path) -> dict[str, Tensor]:
    if not cached.is_file():
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            # Hub writes to a temporary name, checks the hash, then renames; it shows a progress bar.
            torch.hub.download_url_to_file(url, str(cached), hash_prefix=cached.stem.rsplit("-", 1)[-1])
        except (URLError, OSError, RuntimeError) as error:
            raise ArgumentError(
                "{weights}=imagenet: could not download {} ({}); copy the file to {}, or set {weights}=random, or "
                "switch the term off with {alpha}=0.",
                url,
                error,
                cached,
            ) from error
    return _read(cached)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        for layer in LAYERS:
            if layer is not None:
                index, inputs, outputs = layer
                if tuple(state[f"features.{index}.weight"].shape) != (outputs, inputs, 3, 3):
                    raise ValueError(f"features.{index}.weight has the wrong shape")
                if tuple(state[f"features.{index}.bias"].shape) != (outputs,):
                    raise ValueError(f"features.{index}.bias has the wrong shape")
    except Exception as error:  # torch.load raises many kinds for files that are no state dict
        raise UserError(f"{path} does not hold VGG16 weights ({error}); delete it or name another file.") from error
    return dict(state)


def _random_state() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    state = {}
    for layer in LAYERS:
        if layer is not None:
            index, inputs, outputs = layer
            weight = torch.randn((outputs, inputs, 3, 3), generator=generator) * math.sqrt(2 / (inputs * 9))
            state[f"features.{index}.weight"] = weight
            state[f"features.{index}.bias"] = torch.zeros(outputs)
    return state
