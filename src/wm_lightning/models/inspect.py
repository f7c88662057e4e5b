"""What a network computes and looks at; leaves the network as it was.

Everything runs in evaluation mode and float32, whatever mode or autocast the caller is in, and nothing stays behind:
no hooks, no gradients, each module's own mode. Tensors come back detached, on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from wm_lightning.models.base import RestorationNet


class Box(NamedTuple):
    """A region of a picture in pixels; ``bottom`` and ``right`` are the first row and column outside it."""

    top: int
    left: int
    bottom: int
    right: int


class Gradients(NamedTuple):
    """What a loss asks of a network.

    Attributes:
        norms: For each layer with parameters, in the network's order, the L2 norm of their gradient.
        saliency: (B, H, W), the largest absolute derivative by the three channels of each input pixel (Simonyan et al.,
            "Deep Inside Convolutional Networks", 2014), in units of the loss for a full step from 0 to 1.
    """

    norms: dict[str, float]
    saliency: Tensor


def activations(net: RestorationNet, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Returns what layers put out for pictures.

    Args:
        net: The network.
        image: (B, 3, H, W) in 0..1, of any size.
        layers: Names of modules, such as the network's ``activation_layers``.

    Returns:
        For each layer (B, C, h, w), without the rows and columns that only cover padding.

    Raises:
        AttributeError: The network has no such layer.
    """
    with _inspecting(net, image, layers) as seen, torch.no_grad():
        net(_input(net, image))
    size = image.shape[-2:]
    return {name: _without_padding(net, features, size).detach().cpu() for name, features in seen.items()}


def attention_maps(net: RestorationNet, image: Tensor) -> dict[str, Tensor]:
    """Returns the maps of the network's ``attention_layers`` laid over the picture.

    Args:
        net: The network.
        image: (B, 3, H, W) in 0..1, of any size.

    Returns:
        For each gate (B, H, W) in 0..1: each cell of a coarse map fills the pixels it stands for.
    """
    with _inspecting(net, image, net.attention_layers) as seen, torch.no_grad():
        net(_input(net, image))
    return {name: _over_picture(net, gate, image, "nearest")[:, 0].cpu() for name, gate in seen.items()}


def gradients(net: RestorationNet, image: Tensor, loss: Callable[[Tensor], Tensor]) -> Gradients:
    """Differentiates a loss by the network's parameters and by its input; takes the memory of a training step.

    Args:
        net: The network.
        image: (B, 3, H, W) in 0..1, of any size.
        loss: Takes the restored pictures, (B, 3, H, W) on the network's device; returns a scalar.
    """
    with _inspecting(net, image):
        # Copies, so that the network's own gradients and frozen parameters stay as they are.
        parameters = {name: value.detach().clone().requires_grad_() for name, value in net.named_parameters()}
        picture = _input(net, image)
        value = loss(functional_call(net, parameters, (picture,)))
        by_parameter = torch.autograd.grad(value, [picture, *parameters.values()], allow_unused=True)
    by_picture = by_parameter[0]
    saliency = torch.zeros_like(picture) if by_picture is None else by_picture.abs()
    squares: dict[str, float] = {}
    for name, gradient in zip(parameters, by_parameter[1:], strict=True):
        layer = name.rpartition(".")[0]
        squares[layer] = squares.get(layer, 0.0) + (
            0.0 if gradient is None else float(gradient.double().square().sum())
        )
    return Gradients({layer: square**0.5 for layer, square in squares.items()}, saliency.amax(dim=1).cpu())


def grad_cam(net: RestorationNet, image: Tensor, box: Box, layer: str, local: bool = False) -> Tensor:
    """Returns where a layer's features speak for what the network paints in a box.

    ``relu(sum_k w_k A_k)`` with the layer's channels ``A_k`` and ``w_k`` the mean over positions of the derivative of
    the score by ``A_k`` (Selvaraju et al., "Grad-CAM", 2017). The score is how much the network changes the box: the
    sum of ``|restored - image|`` over it.

    Args:
        net: The network.
        image: (B, 3, H, W) in 0..1, of any size.
        box: The region, inside the picture; one pixel is a region too.
        layer: Name of a module.
        local: Weigh each position by its own derivative (Draelos and Carin, "HiResCAM", 2020): shows only positions
            that the box depends on, where pooled weights also show similar features elsewhere.

    Returns:
        (B, H, W) in 0..1, the largest value of each picture 1; all 0 where nothing speaks for it.

    Raises:
        ValueError: The box is empty or reaches out of the picture.
    """
    height, width = image.shape[-2:]
    if not (0 <= box.top < box.bottom <= height and 0 <= box.left < box.right <= width):
        raise ValueError(f"{box} is no region of a picture of {height}x{width} pixels")
    region = (..., slice(box.top, box.bottom), slice(box.left, box.right))
    with _inspecting(net, image, [layer]) as seen:
        picture = _input(net, image)
        score = (net(picture)[region] - picture.detach()[region]).abs().sum()
        features = seen[layer]
        (slope,) = torch.autograd.grad(score, features, allow_unused=True)
    if slope is None:
        slope = torch.zeros_like(features)
    weights = slope if local else slope.mean(dim=(2, 3), keepdim=True)
    cam = (weights * features.detach()).sum(dim=1, keepdim=True).relu()
    cam = _over_picture(net, cam, image, "bilinear")[:, 0].cpu()
    return cam / cam.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(cam.dtype).tiny)


def kernels(net: RestorationNet, layer: str) -> Tensor:
    """Returns a copy of a convolution's weights, (C_out, C_in, k, k), such as those of the ``first_layer``.

    Raises:
        AttributeError: The network has no such layer.
        TypeError: The layer is no convolution.
    """
    module = net.get_submodule(layer)
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"{layer} is no Conv2d but a {type(module).__name__}")
    return module.weight.detach().float().cpu().clone()


@contextmanager
def _inspecting(net: RestorationNet, image: Tensor, layers: Sequence[str] = ()) -> Iterator[dict[str, Tensor]]:
    """Gives a dictionary that a forward pass in this context fills with the layers' outputs."""
    watched = {name: net.get_submodule(name) for name in layers}
    modes = [(module, module.training) for module in net.modules()]
    seen: dict[str, Tensor] = {}
    handles = [module.register_forward_hook(partial(_keep, seen, name)) for name, module in watched.items()]
    device = _device(net, image).type
    net.eval()
    try:
        # Lightning validates in inference mode, where nothing can be differentiated.
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
            yield seen
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:  # not net.train(): some modules may have had a mode of their own
            module.training = training


def _keep(seen: dict[str, Tensor], name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    seen[name] = output
    return output.clone()  # the next layer may work in place


def _input(net: RestorationNet, image: Tensor) -> Tensor:
    """A float32 copy beside the network that a gradient can be taken by, also where all parameters are frozen."""
    return image.detach().to(_device(net, image), torch.float32, copy=True).requires_grad_()


def _device(net: RestorationNet, image: Tensor) -> torch.device:
    return next(net.parameters(), image).device


def _without_padding(net: RestorationNet, features: Tensor, size: Sequence[int]) -> Tensor:
    height, width = (
        -(-cells * length // net.size.padded(length)) for cells, length in zip(features.shape[-2:], size, strict=True)
    )
    return features[..., :height, :width]


def _over_picture(net: RestorationNet, features: Tensor, image: Tensor, mode: str) -> Tensor:
    """Enlarges a coarse map to the padded picture's size, then cuts the padding off."""
    height, width = image.shape[-2:]
    padded = net.size.padded(height), net.size.padded(width)
    return F.interpolate(features.detach(), padded, mode=mode)[..., :height, :width]
