"""What files of earlier versions hold, as it would be written now."""

from __future__ import annotations

from typing import Any

# The loss from before it was made of terms: its weights, by their classes and what they were when unset.
OLD_LOSS = "wm_lightning.losses.ColorAwareLoss"
OLD_TERMS = {
    "l1": ("MaskedL1", 1), "outside": ("OutsideL1", 0), "mask": ("MaskBce", 0), "iou": ("MaskIou", 0),
    "opacity": ("OpacityL1", 0), "layer": ("LayerL1", 0), "proposal": ("ProposalL1", 0), "content": ("ContentL1", 0),
    "psnr": ("NegativePsnr", 0),
}  # fmt: skip
MODULE = {"_target_": "wm_lightning.engine.WatermarkRemoval"}  # from before one could choose it
OLD_LETTERS = {"alpha": "Perceptual", "beta": "Lab", "gamma": "Ssim", "delta": "Laplacian"}


def of_today(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration of a file as it would be written now."""
    config = {"module": dict(MODULE), "own_metrics": {}, **config}
    loss = config.get("loss", {})
    if loss.get("_target_") != OLD_LOSS:
        return config
    terms: dict[str, Any] = {
        name: {"_target_": f"wm_lightning.losses.{kind}", "weight": loss.get(name, weight)}
        for name, (kind, weight) in OLD_TERMS.items()
        if weight or loss.get(name)
    }
    for kind in OLD_LETTERS.values():
        terms[kind.lower()] = {"_target_": f"wm_lightning.losses.{kind}"}
    terms["perceptual"]["weights"] = loss["perceptual"]["weights"]
    letters = {letter: loss[letter] for letter in OLD_LETTERS}
    return {**config, "loss": {"_target_": "wm_lightning.losses.CompositeLoss", "terms": terms, **letters}}
