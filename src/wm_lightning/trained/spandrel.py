"""Lets spandrel, and programs that load networks with it, read this project's files of weights.

`spandrel <https://github.com/chaiNNer-org/spandrel>`_ knows a network by the names and shapes of its tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any

from torch import Tensor

from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.extras import needing
from wm_lightning.models.heads import HEADS, HeadName
from wm_lightning.models.pixel_unshuffle_unet import PixelUnshuffleUNet

ID = "PixelUnshuffleUNet"
KEYS = ("encoder.0.0.weight", "encoder.0.1.running_mean", "up.0.weight", "decoder.0.0.weight", "last.weight")
PAINTING: tuple[HeadName, ...] = ("decomposition", "masked")  # heads that are told apart by how many maps they take
_OTHER = "These weights are of another network"


def register() -> None:
    """Makes spandrel's ``ModelLoader`` take weights of ``pixel_unshuffle_unet`` and its kin.

    What it then returns runs the network alone; :class:`~wm_lightning.Remover` also looks at several sizes, and asks
    for evidence before it changes anything. Called again, it does nothing.

    Raises:
        MissingPackageError: spandrel is not installed.
    """
    with needing("wm_lightning.trained.spandrel"):
        import spandrel

    support = spandrel.ArchSupport.from_architecture(_architecture(spandrel))
    spandrel.MAIN_REGISTRY.add(support, ignore_duplicates=True)


def build(weights: Mapping[str, Tensor]) -> PixelUnshuffleUNet:
    """Builds the network that weights are of, in float32, for inference.

    Args:
        weights: Its state, by name.

    Raises:
        UserError: Its head is none of :data:`PAINTING`, or its tensors are another network's.
    """
    present = takewhile(lambda level: f"encoder.{level}.0.weight" in weights, count())
    widths = [weights[f"encoder.{level}.0.weight"].shape[0] for level in present]
    shuffle = max(1, math.isqrt(weights["encoder.0.0.weight"].shape[1] // 3))
    maps = weights["last.weight"].shape[0] // shuffle**2
    heads = [name for name in PAINTING if HEADS[name].channels == maps]
    if not heads:
        raise UserError(f"A head that takes {maps} maps is not known to spandrel; use wm_lightning.load.")
    attention = len({name.split(".")[1] for name in weights if name.startswith("bottom.")})
    try:
        net = PixelUnshuffleUNet(widths, shuffle, attention, heads[0])
    except ArgumentError as error:  # it names arguments, which nobody gave
        raise UserError(f"{_OTHER}: no encoder of the widths {widths} below {shuffle}x{shuffle} pixels.") from error
    wanted = net.state_dict()
    older = {name for name in wanted if name.startswith("recognition.")}  # of which older files have none
    other = sorted((wanted.keys() ^ weights.keys()) - (older - weights.keys()))
    other = other or [name for name, value in weights.items() if value.shape != wanted[name].shape]
    if other:
        raise UserError(f"{_OTHER}: {', '.join(other)}.")
    net.load_state_dict(dict(weights), strict=False)
    return net.eval()


def _architecture(spandrel: Any) -> Any:  # noqa: ANN401 - the module, which may be missing
    class Architecture(spandrel.Architecture):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(id=ID, name="Pixel-unshuffle U-Net", detect=lambda weights: weights.keys() >= set(KEYS))

        def load(self, state_dict: Mapping[str, Tensor]) -> Any:  # noqa: ANN401
            net = build(state_dict)
            return spandrel.ImageModelDescriptor(
                net, state_dict, architecture=self, purpose="Restoration", tags=[], scale=1,
                supports_half=False, supports_bfloat16=True, input_channels=3, output_channels=3,
                size_requirements=spandrel.SizeRequirements(minimum=net.size.minimum, multiple_of=net.size.multiple),
                call_fn=lambda net, image: net(image).to(image.dtype),
            )  # fmt: skip

    return Architecture()
