"""Which figures are drawn of a picture, a network, a training and a test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from wm_lightning.models import RestorationNet
from wm_lightning.models.inspect import Box, activations, attention_maps, grad_cam, gradients, kernels
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

REGION = 32  # pixels of the side of the box that Grad-CAM asks about


class FigureEntry(NamedTuple):
    """A figure and what is said of it.

    Attributes:
        name: Of its file, without suffix.
        caption: What is seen, in a sentence.
        figure: The drawing.
    """

    name: str
    caption: str
    figure: Figure


def training_figures(history: History) -> list[FigureEntry]:
    """Draws how a training went; nothing where there is no history.

    Args:
        history: Each epoch's figures, as the run's summary keeps them.
    """
    if not history:
        return []
    entries = [
        FigureEntry(
            "training_loss_psnr",
            "Loss and PSNR of training and validation, by epoch.",
            training_curves(history, ("loss", "psnr")),
        ),
        FigureEntry(
            "training_loss_psnr_ssim",
            "Loss, PSNR and SSIM beside each other, with the line of doing nothing.",
            training_curves(history),
        ),
    ]
    if rates := learning_rate_points(history):
        entries.append(
            FigureEntry("learning_rate", "The learning rate as it was logged, with its phases.", learning_rate(rates))
        )
    return entries


def score_figures(
    pictures: Sequence[PictureScore],
    groups: Mapping[str, Sequence[Group]],
    residuals: Tensor,
    confusion: Confusion,
) -> list[FigureEntry]:
    """Draws what all test pictures together show.

    Args:
        pictures: The scores of each, with ``psnr`` and ``psnr_input``.
        groups: By what they have in common.
        residuals: (2, 2, 511) counts: of the model and of the input, of all pixels and inside the mask.
        confusion: Pixels the model changed against those that are marked.
    """
    model, nothing = ([picture.scores[column] for picture in pictures] for column in ("psnr", "psnr_input"))
    entries = [
        FigureEntry(
            "distribution", "Each picture's gain, and its PSNR before and after.", score_distribution(model, nothing)
        )
    ]
    for title, members in groups.items():
        entries.append(
            FigureEntry(
                f"by_{title.replace(' ', '_')}",
                f"PSNR by {title}, with 95 % confidence intervals.",
                group_bars(
                    [Bar(group.label, group.psnr.pictures, *group.psnr[:3]) for group in members],
                    [Bar(group.label, group.psnr_input.pictures, *group.psnr_input[:3]) for group in members],
                    f"PSNR by {title}",
                ),
            )
        )
    known = [picture for picture in pictures if picture.traits.opacity == picture.traits.opacity]
    if known:
        entries.append(
            FigureEntry(
                "opacity",
                "PSNR by how much of the photograph the marks hide.",
                opacity_curve(
                    [picture.traits.opacity for picture in known],
                    [picture.scores["psnr"] for picture in known],
                    [picture.scores["psnr_input"] for picture in known],
                ),
            )
        )
    (model_all, model_in), (input_all, input_in) = residuals
    entries += [
        FigureEntry(
            "residual_histogram",
            "How large the errors are, over all pixels.",
            residual_histogram(model_all, input_all),
        ),
        FigureEntry(
            "residual_histogram_inside",
            "How large the errors are inside the watermark masks.",
            residual_histogram(model_in, input_in, "inside the mask"),
        ),
        FigureEntry(
            "confusion_matrix",
            "Which pixels the model changed by more than 0.1, and which were marked.",
            confusion_matrix(confusion),
        ),
    ]
    return entries


def picture_figures(watermarked: Tensor, predicted: Tensor, clean: Tensor) -> list[FigureEntry]:
    """Draws what a model did to one picture.

    Args:
        watermarked: (3, H, W) in 0..1.
        predicted: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
    """
    three = watermarked, predicted, clean
    return [
        FigureEntry("side_by_side", "The picture, and five times its differences.", side_by_side(*three)),
        FigureEntry("local_psnr", "PSNR of each patch, before and after.", local_psnr_map(*three)),
        FigureEntry("local_ssim", "SSIM around each pixel, before and after.", local_ssim_map(*three)),
        FigureEntry(
            "watermark_residual", "What is left of the mark, and what the model changed.", watermark_residual(*three)
        ),
        FigureEntry("residual_error", "The error before and after, and what was gained.", residual_error(*three)),
    ]


def network_figures(net: RestorationNet, watermarked: Tensor, clean: Tensor, mask: Tensor) -> list[FigureEntry]:
    """Draws what goes on inside a network for one picture; what it does not name has no figure.

    Args:
        net: The network.
        watermarked: (3, H, W) in 0..1.
        clean: (3, H, W) in 0..1.
        mask: (1, H, W), 1 where the watermark is.
    """
    batch = watermarked[None]
    entries = []
    if net.attention_layers:
        gates = {name: gate[0] for name, gate in attention_maps(net, batch).items()}
        entries.append(
            FigureEntry("attention", "What each attention gate lets through.", attention_figure(watermarked, gates))
        )
    if net.activation_layers:
        seen = {name: features[0] for name, features in activations(net, batch, net.activation_layers).items()}
        entries.append(
            FigureEntry("activations", "What layers respond to, from input to output.", activation_maps(batch[0], seen))
        )
    if net.decoder_layer is not None:
        features = activations(net, batch, [net.decoder_layer])[net.decoder_layer][0]
        entries.append(
            FigureEntry("decoder_features", "Channels of the last layer.", feature_grid(features, net.decoder_layer))
        )
    if net.first_layer is not None:
        weights = kernels(net, net.first_layer)
        entries.append(
            FigureEntry("kernels", "The first layer's kernels and spectra.", first_kernels(weights, net.first_layer))
        )
    target = clean[None].to(watermarked.device)
    found = gradients(net, batch, lambda restored: (restored - target.to(restored.device)).abs().mean())
    loss = "L1 to the clean photograph"
    entries += [
        FigureEntry("gradient_norms", "How much each layer would learn.", gradient_norms(found.norms, loss)),
        FigureEntry(
            "saliency",
            "Which input pixels the loss depends on.",
            saliency_overlay(watermarked, found.saliency[0], loss),
        ),
    ]
    layers = dict.fromkeys((*net.activation_layers[-3:], *([net.decoder_layer] if net.decoder_layer else [])))
    if layers:
        box = box_on(mask[0])
        cams = {layer: grad_cam(net, batch, box, layer)[0] for layer in layers}
        entries.append(
            FigureEntry(
                "grad_cam",
                "What speaks for the change inside a box on the mark.",
                grad_cam_overlay(batch[0], cams, box),
            )
        )
    return entries


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
