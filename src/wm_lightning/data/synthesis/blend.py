"""Photograph and mark to watermarked picture; deterministic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wm_lightning.data.synthesis.render import Layer


def blend(image: npt.NDArray[np.uint8], layer: Layer) -> None:
    """Draws a layer on a picture in place: ``(1 - alpha) * image + alpha * colour``, rounded.

    Args:
        image: (H, W, 3) uint8; only the layer's box is touched.
        layer: Must lie within the picture.
    """
    height, width = layer.alpha.shape
    box = image[layer.top : layer.top + height, layer.left : layer.left + width]
    colour = np.array(layer.colour, dtype=np.float32)
    alpha = layer.alpha[..., None]
    box[...] = (box + alpha * (colour - box) + np.float32(0.5)).astype(np.uint8)


def changed(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Returns where any channel differs, (H, W): files hold whole grey levels, so any difference is one."""
    different: npt.NDArray[np.bool_] = (before != after).any(axis=2)
    return different
