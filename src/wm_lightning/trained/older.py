"""What files of earlier versions hold, as it would be written now, and what became of a name that is gone."""

from __future__ import annotations

from typing import Any

# Keys by their full name, with what the last part of it is now; a node may stand below others.
KEYS = {
    "synthesis.capture": "degradation",
    "loss.terms.outside": "unmasked",
    "loss.terms.proposal": "background",
    "loss.terms.content": "inpainting",
    "measure_every": "train_metrics_every_n_steps",
    "ensemble": "tta",
}
# Keys that nothing took the place of
GONE = ("synthesis.captured_threshold", "synthesis.degraded_threshold")
CLASSES = {
    "wm_lightning.data.synthesis.CaptureSampler": "wm_lightning.data.synthesis.DegradationSampler",
    "wm_lightning.models.ShuffleUNet": "wm_lightning.models.PixelUnshuffleUNet",
    "wm_lightning.models.heads.FullHead": "wm_lightning.models.heads.DirectHead",
    "wm_lightning.models.heads.LayerHead": "wm_lightning.models.heads.DecompositionHead",
    "wm_lightning.losses.OutsideL1": "wm_lightning.losses.UnmaskedL1",
    "wm_lightning.losses.ProposalL1": "wm_lightning.losses.BackgroundL1",
    "wm_lightning.losses.ContentL1": "wm_lightning.losses.InpaintingL1",
}
# Values of keys, also as they are chosen in a command
VALUES = {
    "model.head": {"full": "direct", "layer": "decomposition"},
    "model": {
        "shuffle_unet": "pixel_unshuffle_unet",
        "shuffle_unet_small": "pixel_unshuffle_unet_small",
    },
}

# The loss from before it was made of terms: its weights, by their classes and what they were when unset.
OLD_LOSS = "wm_lightning.losses.ColorAwareLoss"
OLD_TERMS = {
    "l1": ("MaskedL1", 1), "outside": ("OutsideL1", 0), "mask": ("MaskBce", 0), "iou": ("MaskIou", 0),
    "opacity": ("OpacityL1", 0), "layer": ("LayerL1", 0), "proposal": ("ProposalL1", 0), "content": ("ContentL1", 0),
    "psnr": ("NegativePsnr", 0),
}  # fmt: skip
OLD_LETTERS = {"alpha": "Perceptual", "beta": "Lab", "gamma": "Ssim", "delta": "Laplacian"}
MODULE = {"_target_": "wm_lightning.engine.WatermarkRemoval"}  # from before one could choose it


def of_today(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration of a file as it would be written now."""
    config = {"module": dict(MODULE), "own_metrics": {}, **config}
    loss = config.get("loss", {})
    if loss.get("_target_") == OLD_LOSS:
        config["loss"] = _of_terms(loss)
    today: dict[str, Any] = renamed(config)
    return today


def new_name(key: str) -> str | None:
    """Returns what a configuration key is called now, in full; None for one that never had another name."""
    parts = key.split(".")
    for end in range(1, len(parts) + 1):
        begun = ".".join(parts[:end])
        for old, last in KEYS.items():
            if begun == old or ("." in old and begun.endswith(f".{old}")):
                return ".".join([*parts[: end - 1], last, *parts[end:]])
    return None


def new_value(key: str, value: object) -> object:
    """Returns what a key's value is called now."""
    names: dict[str, str] = VALUES.get(key, {})
    return names.get(value, value) if isinstance(value, str) else value


def new_override(word: str) -> str:
    """Returns an override as it would be typed now: ``model=pixel_unshuffle_unet`` for ``model=shuffle_unet``."""
    name, equals, value = word.partition("=")
    key = name.lstrip("+~")
    return f"{name[: len(name) - len(key)]}{new_name(key) or key}{equals}{new_value(key, value)}"


def renamed(node: Any, path: str = "") -> Any:  # noqa: ANN401 - whatever a configuration holds
    """Returns a part of a configuration with today's names, without keys that are gone.

    Args:
        node: Dictionaries, lists and plain values.
        path: Its key in full.
    """
    if isinstance(node, list):
        return [renamed(item, path) for item in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for key, value in node.items():
        here = f"{path}.{key}".removeprefix(".")
        if f".{here}".endswith(tuple(f".{gone}" for gone in GONE)):
            continue
        if key == "_target_":
            value = CLASSES.get(value, value) if isinstance(value, str) else value
        else:
            value = new_value(here, value)
        found[(new_name(here) or here).rpartition(".")[2]] = renamed(value, here)
    return found


def _of_terms(loss: dict[str, Any]) -> dict[str, Any]:
    """Returns a loss of one class with many weights as one of terms."""
    terms: dict[str, Any] = {
        name: {"_target_": f"wm_lightning.losses.{kind}", "weight": loss.get(name, weight)}
        for name, (kind, weight) in OLD_TERMS.items()
        if weight or loss.get(name)
    }
    for kind in OLD_LETTERS.values():
        terms[kind.lower()] = {"_target_": f"wm_lightning.losses.{kind}"}
    terms["perceptual"]["weights"] = loss["perceptual"]["weights"]
    letters = {letter: loss[letter] for letter in OLD_LETTERS}
    return {"_target_": "wm_lightning.losses.CompositeLoss", "terms": terms, **letters}
