"""Watermarked pairs from photographs and layers of marks, of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wm_lightning.data.device.augmentation import Drawn, augmented
from wm_lightning.data.device.degradation import degraded
from wm_lightning.data.device.levels import as_levels, exact
from wm_lightning.data.synthesis.spec import DegradationSpec
from wm_lightning.types import Sample


class Recipe:
    """What the device is to do to a pair: all of it was drawn in a loader process.

    Neither a tuple nor a dataclass, since Lightning would take those apart when it moves a batch to the device.

    Args:
        augmentation: What each transform that the device computes has drawn.
        degradation: Of both views and the clean photograph; None for nothing.
    """

    def __init__(self, augmentation: Sequence[Drawn], degradation: DegradationSpec | None) -> None:
        self.augmentation, self.degradation = augmentation, degradation


class PackedLayers(NamedTuple):
    """A pair that is not put together yet; a batch has a leading dimension, and lists in place of the last two.

    Attributes:
        photograph: (H, W, 3) uint8, like all that follow.
        alpha: How much of it the marks of the first view take away.
        layer: What they put in its place, already multiplied with alpha.
        other_alpha: As ``alpha``, of the second view; None where there is but one.
        other_layer: As ``layer``, likewise.
        recipe: What is to be done.
        name: The photograph's.
    """

    photograph: Tensor
    alpha: Tensor
    layer: Tensor
    other_alpha: Tensor | None
    other_layer: Tensor | None
    recipe: Recipe | list[Recipe]
    name: str | list[str]


def blended(batch: PackedLayers, transforms: Sequence[Any], mask_threshold: int) -> Sample:
    """Puts pairs together on the device that they are on, as the loader processes do without it.

    Args:
        batch: Photographs, layers and recipes.
        transforms: The transforms of Albumentations that the recipes are of.
        mask_threshold: Grey levels that marks may change a pixel by without its counting as marked.

    Returns:
        Float32 in 0..1, in whole grey levels.
    """
    recipes = batch.recipe
    assert isinstance(recipes, list)
    with exact(batch.photograph.device):
        photograph = augmented(_levels(batch.photograph), transforms, [recipe.augmentation for recipe in recipes])
        alpha, layer = _levels(batch.alpha), _levels(batch.layer)
        marked = _on(photograph, alpha, layer)
        mask = (marked - photograph).abs().amax(dim=1, keepdim=True) > mask_threshold
        pictures = [photograph, marked]
        if batch.other_alpha is not None and batch.other_layer is not None:
            pictures.append(_on(photograph, _levels(batch.other_alpha), _levels(batch.other_layer)))
        out = degraded(torch.stack(pictures, dim=1), [recipe.degradation for recipe in recipes])
        clean, watermarked, *reference = (_picture(one) for one in out.unbind(1))
        return Sample(
            watermarked=watermarked,
            reference=reference[0] if reference else None,
            clean=clean,
            mask=_picture(255.0 * mask),
            name=batch.name,
            alpha=_picture(alpha),
            layer=_picture(layer),
        )


def _levels(pictures: Tensor) -> Tensor:
    return pictures.movedim(-1, -3).float()


def _on(photograph: Tensor, alpha: Tensor, layer: Tensor) -> Tensor:
    """Returns ``(1 - alpha) * photograph + layer`` in whole levels."""
    return (as_levels(photograph * (255 - alpha) / 255) + layer).clamp_(max=255)


def _picture(levels: Tensor) -> Tensor:
    return (levels / 255).contiguous(memory_format=torch.channels_last)
