"""Adds levels below a trained network's bottom: `python scripts/deepen.py CKPT OUT.safetensors --below 192 192`.

The deeper network restores what the trained one does until it is trained on: each level doubles how far it sees, and
what is seen there begins without a say. For networks of `model=pixel_unshuffle_unet`.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from wm_lightning.errors import UserError
from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.trained import TrainedNetwork, load, save
from wm_lightning.trained.weights import SUFFIX

log = logging.getLogger("deepen")


def deepened(trained: TrainedNetwork, below: Sequence[int]) -> TrainedNetwork:
    """Returns a network with further levels that restores pictures as the given one does.

    Args:
        trained: Of a pixel-unshuffle U-Net.
        below: Channels of the further levels, from the top.

    Raises:
        UserError: It is of another network, or has self-attention at the bottom.
    """
    shallow, model = trained.net, copy.deepcopy(dict(trained.config["model"]))
    if not isinstance(shallow, PixelUnshuffleUNet) or model.get("attention"):
        raise UserError("only a pixel-unshuffle U-Net without attention can be deepened; give the weights of one.")
    model["widths"] = [*model["widths"], *below]
    deep = PixelUnshuffleUNet(**{key: value for key, value in model.items() if key != "_target_"})
    state = deep.state_dict()
    for name, value in shallow.state_dict().items():
        part, _, rest = name.partition(".")
        if part in ("up", "decoder"):  # counted from the bottom
            number, _, rest = rest.partition(".")
            name = f"{part}.{int(number) + len(below)}.{rest}"
        if part == "recognition" and value.shape != state[name].shape:
            continue  # a further level is among those that it looks at: to be fitted anew
        state[name] = value
    deep.load_state_dict(state)
    for block in (*deep.encoder[-len(below) :], *deep.up[: len(below)], *deep.decoder[: len(below) - 1]):
        _keep_scale(block)
    _let_through(deep.decoder[len(below) - 1], _statistics(shallow.encoder[-1].get_submodule("4")))
    return replace(trained, net=deep.eval(), config={**trained.config, "model": model})


def _keep_scale(block: nn.Module) -> None:
    """Draws convolutions that keep what goes through as large as it is (He et al., 2015).

    BatchNorm, which would see to that, may be trained with fixed statistics.
    """
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.ConvTranspose2d):  # whose positions do not overlap
            nn.init.normal_(module.weight, 0, module.in_channels**-0.5)


def _statistics(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Returns mean and variance of each channel behind BatchNorm and ReLU, were a channel normally distributed."""
    assert isinstance(norm, nn.BatchNorm2d)
    centre, spread = norm.bias.detach(), norm.weight.detach().abs().clamp(min=1e-4)
    ratio = centre / spread
    share, density = torch.special.ndtr(ratio), torch.exp(-ratio.square() / 2) / math.sqrt(2 * math.pi)
    mean = centre * share + spread * density
    square = (centre.square() + spread.square()) * share + centre * spread * density
    return mean, (square - mean.square()).clamp(min=1e-4)


@torch.no_grad()
def _let_through(block: nn.Module, statistics: tuple[Tensor, Tensor]) -> None:
    """Makes a block of the decoder return its skip connection, whose values are never negative."""
    mean, variance = statistics
    for place in (0, 3):
        convolution, norm = block.get_submodule(str(place)), block.get_submodule(str(place + 1))
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        convolution.weight.zero_()
        # The skip is the latter half of what comes in.
        nn.init.dirac_(convolution.weight[:, -convolution.out_channels :])
        norm.running_mean, norm.running_var = mean.clone(), variance.clone()
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)


def main() -> None:
    """Reads the command line, writes the file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", help="a checkpoint, a weight file or the name of weights that come along")
    parser.add_argument("out", type=Path, help=f"ends in {SUFFIX}")
    parser.add_argument("--below", type=int, nargs="+", default=[192, 192], help="channels of the further levels")
    options = parser.parse_args()
    if options.out.suffix != SUFFIX:
        parser.error(f"{options.out} must end in {SUFFIX}")
    try:
        trained = deepened(load(options.checkpoint), options.below)
        save(trained, options.out)
    except (UserError, ValueError) as error:
        sys.exit(f"error: {error}")
    log.info("%s: %d parameters", options.out, sum(parameter.numel() for parameter in trained.net.parameters()))


if __name__ == "__main__":
    main()
