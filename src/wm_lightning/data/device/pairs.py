"""What loader processes draw of training pairs that the device puts together."""

from __future__ import annotations

import logging

import torch

from wm_lightning.data.augment import Augmentation
from wm_lightning.data.device.blending import PackedLayers, Recipe
from wm_lightning.data.pairs import WatermarkPairs
from wm_lightning.data.sources import load_again
from wm_lightning.data.synthesis import Synthesizer
from wm_lightning.errors import ArgumentError

log = logging.getLogger(__name__)


class LayerPairs(WatermarkPairs):
    """Training pairs that the device puts together: a photograph, layers of marks, and what is to be done with them.

    :meth:`views` makes the pair here all the same, for whoever looks at single ones.
    """

    def __getitem__(self, key: tuple[int, int]) -> PackedLayers:  # type: ignore[override]  # batches of one kind each
        """Draws the pair of (epoch, index)."""
        epoch, index = key
        name = self.names[index]
        generator = self.generator(epoch, name)
        photograph, drawn = self.augmentation.until_device(load_again(self.source.load, name), self.size, generator)
        first, second, degradation = self.synthesizer.draw(self.size, self.size, generator, self.second_view)
        return PackedLayers(
            photograph=torch.from_numpy(photograph),
            alpha=torch.from_numpy(first.overlay.alpha),
            layer=torch.from_numpy(first.overlay.colour),
            other_alpha=None if second is None else torch.from_numpy(second.overlay.alpha),
            other_layer=None if second is None else torch.from_numpy(second.overlay.colour),
            recipe=Recipe(drawn, degradation),
            name=name,
        )


def check_for_device(synthesis: Synthesizer, augment: Augmentation) -> None:
    """Checks that a device can do what loader processes do otherwise, and says what these keep.

    Raises:
        UserError: It cannot.
    """
    if type(synthesis).pair is not Synthesizer.pair or type(augment).__call__ is not Augmentation.__call__:
        raise ArgumentError(
            "{device_synthesis}=true: {} makes pairs in a way of its own, which no device knows; set it to false.",
            type(augment if type(synthesis).pair is Synthesizer.pair else synthesis).__name__,
        )
    if synthesis.degradation is not None and synthesis.degradation.shares["webp"]:
        raise ArgumentError(
            "{device_synthesis}=true: no device computes WebP, and synthesis.degradation.webp={}; set that to 0, or "
            "{device_synthesis} to false.",
            synthesis.degradation.shares["webp"],
        )
    if augment.off_device:
        log.info("device_synthesis: loader processes still do %s", ", ".join(augment.off_device))
