"""Which figures are drawn of a picture, a network, a training and a test set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple, Protocol

import torch
from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning.models import RestorationNet
from wm_lightning.models.inspect import Box, Gradients, activations, attention_maps, grad_cam, gradients, kernels
from wm_lightning.reports.figures.confusion import Confusion, confusion_matrix
from wm_lightning.reports.figures.curves import History, learning_rate, learning_rate_points, training_curves
from wm_lightning.reports.figures.gradients import grad_cam_overlay, gradient_norms, saliency_overlay
from wm_lightning.reports.figures.histogram import residual_histogram
from wm_lightning.reports.figures.local import local_psnr_map, local_ssim_map
from wm_lightning.reports.figures.network import activation_maps, feature_grid, first_kernels
from wm_lightning.reports.figures.network import attention_maps as attention_figure
from wm_lightning.reports.figures.pictures import residual_error, side_by_side, watermark_residual
from wm_lightning.reports.figures.scores import Bar, group_bars, opacity_curve, score_distribution
from wm_lightning.reports.groups import Group, PictureScore

LOSS = "L1 to the clean photograph"  # what is differentiated
REGION = 32  # pixels of the side of the box that Grad-CAM asks about


class PictureFigure(Protocol):
    """A figure of one picture that somebody brings.

    Attributes:
        caption: What is seen, in a sentence.
    """

    caption: str

    def __call__(self, watermarked: Tensor, predicted: Tensor, clean: Tensor) -> Figure:
        """Draws three pictures, (3, H, W) in 0..1."""


class FigureEntry(NamedTuple):
    """A figure and what is said of it.

    Attributes:
        name: Of its file, without suffix.
        caption: What is seen, in a sentence.
        draw: Makes the drawing, and computes what it shows.
    """

    name: str
    caption: str
    draw: Callable[[], Figure]


def training_figures(history: History) -> list[FigureEntry]:
    """Returns how a training went; nothing where there is no history.

    Args:
        history: Each epoch's figures, as the run's summary keeps them.
    """
    if not history:
        return []
    entries = [
        FigureEntry(
            "training_loss_psnr",
            "Loss and PSNR of training and validation, by epoch.",
            partial(training_curves, history, ("loss", "psnr")),
        ),
        FigureEntry(
            "training_loss_psnr_ssim",
            "Loss, PSNR and SSIM beside each other, with the line of the identity.",
            partial(training_curves, history),
        ),
    ]
    if rates := learning_rate_points(history):
        caption = "The learning rate as it was logged, with its phases."
        entries.append(FigureEntry("learning_rate", caption, partial(learning_rate, rates)))
    return entries


def score_figures(
    pictures: Sequence[PictureScore],
    groups: Mapping[str, Sequence[Group]],
    residuals: Tensor,
    confusion: Confusion,
) -> list[FigureEntry]:
    """Returns what all test pictures together show.

    Args:
        pictures: The scores of each, with ``psnr`` and ``psnr_input``.
        groups: By what they have in common.
        residuals: (2, 2, 511) counts: of the model and of the input, of all pixels and inside the mask.
        confusion: Pixels the model changed against those that are marked.
    """
    (model_all, model_in), (input_all, input_in) = residuals
    known = [picture for picture in pictures if not math.isnan(picture.traits.opacity)]
    opacity = [picture.traits.opacity for picture in known]
    marked = [picture for picture in pictures if picture.traits.coverage] or pictures
    return [
        FigureEntry(
            "distribution",
            "Each marked picture's gain, and its PSNR before and after.",
            partial(score_distribution, _column(marked, "psnr"), _column(marked, "psnr_input")),
        ),
        *(
            FigureEntry(
                f"by_{title.replace(' ', '_')}",
                f"PSNR by {title}, with 95 % confidence intervals.",
                partial(_group_figure, title, members),
            )
            for title, members in groups.items()
        ),
        *(
            [
                FigureEntry(
                    "opacity",
                    "PSNR by how much of the photograph the marks hide.",
                    partial(opacity_curve, opacity, _column(known, "psnr"), _column(known, "psnr_input")),
                )
            ]
            if known
            else []
        ),
        FigureEntry(
            "residual_histogram",
            "How large the errors are, over all pixels.",
            partial(residual_histogram, model_all, input_all),
        ),
        FigureEntry(
            "residual_histogram_inside",
            "How large the errors are inside the watermark masks.",
            partial(residual_histogram, model_in, input_in, "inside the mask"),
        ),
        FigureEntry(
            "confusion_matrix",
            "Which pixels the model changed by more than 0.1, and which were marked.",
            partial(confusion_matrix, confusion),
        ),
    ]


def picture_figures(
    watermarked: Tensor, predicted: Tensor, clean: Tensor, own: Mapping[str, PictureFigure] | None = None
) -> list[FigureEntry]:
    """Returns what a model did to one picture.

    Args:
        watermarked: (3, H, W) in 0..1.
        predicted: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
        own: Other figures of it, by name.
    """
    figures: dict[str, tuple[str, Callable[[Tensor, Tensor, Tensor], Figure]]] = {
        "side_by_side": ("The picture, and five times its differences.", side_by_side),
        "local_psnr": ("PSNR of each patch, before and after.", local_psnr_map),
        "local_ssim": ("SSIM around each pixel, before and after.", local_ssim_map),
        "watermark_residual": ("What is left of the mark, and what the model changed.", watermark_residual),
        "residual_error": ("The error before and after, and what was gained.", residual_error),
    }
    three = watermarked, predicted, clean
    drawn = [FigureEntry(name, caption, partial(draw, *three)) for name, (caption, draw) in figures.items()]
    return [*drawn, *(FigureEntry(name, draw.caption, partial(draw, *three)) for name, draw in (own or {}).items())]


def network_figures(net: RestorationNet, watermarked: Tensor, clean: Tensor, mask: Tensor) -> list[FigureEntry]:
    """Returns what goes on inside a network for one picture; what it does not name has no figure.

    Args:
        net: The network.
        watermarked: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
        mask: (1, H, W), 1 where the watermark is.
    """
    found = cache(partial(_gradients, net, watermarked, clean))  # which two figures show
    figures: list[tuple[object, str, str, Callable[[], Figure]]] = [
        (
            net.attention_layers,
            "attention",
            "What each attention gate lets through.",
            partial(_attention, net, watermarked),
        ),
        (
            net.activation_layers,
            "activations",
            "What layers respond to, from input to output.",
            partial(_activations, net, watermarked),
        ),
        (net.decoder_layer, "decoder_features", "Channels of the last layer.", partial(_features, net, watermarked)),
        (net.first_layer, "kernels", "The first layer's kernels and spectra.", partial(_kernels, net)),
        (True, "gradient_norms", "How much each layer would learn.", lambda: gradient_norms(found().norms, LOSS)),
        (
            True,
            "saliency",
            "Which input pixels the loss depends on.",
            lambda: saliency_overlay(watermarked, found().saliency[0], LOSS),
        ),
        (
            _cam_layers(net),
            "grad_cam",
            "What speaks for the change inside a box on the mark.",
            partial(_grad_cam, net, watermarked, mask),
        ),
    ]
    return [FigureEntry(name, caption, draw) for there_is, name, caption, draw in figures if there_is]


def _column(pictures: Sequence[PictureScore], column: str) -> list[float]:
    return [picture.scores[column] for picture in pictures]


def _group_figure(title: str, groups: Sequence[Group]) -> Figure:
    return group_bars(
        [Bar(group.label, group.psnr.pictures, *group.psnr[:3]) for group in groups],
        [Bar(group.label, group.psnr_input.pictures, *group.psnr_input[:3]) for group in groups],
        f"PSNR by {title}",
    )


def _attention(net: RestorationNet, picture: Tensor) -> Figure:
    return attention_figure(picture, {name: gate[0] for name, gate in attention_maps(net, picture[None]).items()})


def _activations(net: RestorationNet, picture: Tensor) -> Figure:
    seen = activations(net, picture[None], net.activation_layers)
    return activation_maps(picture, {name: features[0] for name, features in seen.items()})


def _features(net: RestorationNet, picture: Tensor) -> Figure:
    assert net.decoder_layer is not None
    return feature_grid(activations(net, picture[None], [net.decoder_layer])[net.decoder_layer][0], net.decoder_layer)


def _kernels(net: RestorationNet) -> Figure:
    assert net.first_layer is not None
    return first_kernels(kernels(net, net.first_layer), net.first_layer)


def _gradients(net: RestorationNet, picture: Tensor, clean: Tensor) -> Gradients:
    return gradients(net, picture[None], lambda restored: (restored - clean[None].to(restored.device)).abs().mean())


def _cam_layers(net: RestorationNet) -> list[str]:
    last = [net.decoder_layer] if net.decoder_layer else []
    return list(dict.fromkeys((*net.activation_layers[-3:], *last)))


def _grad_cam(net: RestorationNet, picture: Tensor, mask: Tensor) -> Figure:
    box = box_on(mask[0])
    return grad_cam_overlay(
        picture, {layer: grad_cam(net, picture[None], box, layer)[0] for layer in _cam_layers(net)}, box
    )


def box_on(mask: Tensor, side: int = REGION) -> Box:
    """Returns a square on the densest part of a mask, (H, W); in the middle where the mask is empty.

    Args:
        mask: 1 where the watermark is.
        side: In pixels; less where the picture is smaller.
    """
    height, width = mask.shape
    side = min(side, height, width)
    if not mask.any():
        top, left = (height - side) // 2, (width - side) // 2
    else:
        sums = torch.nn.functional.avg_pool2d(mask[None, None].float(), side, stride=1)[0, 0]
        top, left = divmod(int(sums.argmax()), sums.shape[1])
    return Box(top, left, top + side, left + side)
