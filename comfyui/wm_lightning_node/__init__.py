"""A node for ComfyUI that removes visible watermarks: copy this folder to ComfyUI's custom_nodes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import torch

from wm_lightning import Remover
from wm_lightning.inference.search import NORMAL


@lru_cache(maxsize=2)
def _remover(weights: str, sensitivity: float, device: str) -> Remover:
    return Remover(weights, device=device, sensitivity=sensitivity)


class RemoveWatermark:
    """Images in, the same images without their watermarks out, and where these were."""

    CATEGORY = "image/restoration"
    DESCRIPTION = "Removes visible watermarks. Use it only on pictures you have the right to change."
    FUNCTION = "remove"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE", "MASK")
    RETURN_NAMES: ClassVar[tuple[str, ...]] = ("image", "mask")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Says what the node takes."""
        unit = {"min": 0.0, "max": 1.0, "step": 0.01}
        return {
            "required": {
                "image": ("IMAGE",),
                "sensitivity": ("FLOAT", {"default": NORMAL, **unit, "tooltip": "how little evidence a mark needs"}),
                "strength": ("FLOAT", {"default": 1.0, **unit, "tooltip": "how much of a mark is removed"}),
                "weights": ("STRING", {"default": "general"}),
                "device": (["auto", "cpu", "cuda", "mps"],),
            },
            "optional": {"mask": ("MASK", {"tooltip": "where pixels may change"})},
        }

    def remove(
        self,
        image: torch.Tensor,
        sensitivity: float,
        strength: float,
        weights: str,
        device: str,
        mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Removes the watermarks of a batch.

        Args:
            image: (B, H, W, 3) in 0..1; of four channels the last is left as it is.
            sensitivity: How little evidence a mark needs, in 0..1; the default is ``normal``.
            strength: How much of a mark is removed, in 0..1.
            weights: The name of weights that come with wm_lightning, or a file.
            device: Where the network runs.
            mask: (B, H, W) or (1, H, W) in 0..1, where pixels may change; None: anywhere.

        Returns:
            The images, and masks (B, H, W) in 0..1 of where marks were found.

        Raises:
            UserError: The weights or the device are not there, or the mask has another size than the images.
        """
        remover = _remover(weights, sensitivity, device)
        images, masks = [], []
        for number, one in enumerate(image):
            allowed = None if mask is None else mask[min(number, len(mask) - 1)]
            colours = one[..., :3].movedim(-1, 0).clamp(0, 1)
            cleaned = remover.remove(colours, allowed, strength)
            images.append(torch.cat((cleaned.image.movedim(0, -1), one[..., 3:]), dim=-1))
            masks.append(cleaned.mask[0])
        return torch.stack(images), torch.stack(masks)


NODE_CLASS_MAPPINGS = {"wm_lightning RemoveWatermark": RemoveWatermark}
NODE_DISPLAY_NAME_MAPPINGS = {"wm_lightning RemoveWatermark": "Remove Watermark"}
