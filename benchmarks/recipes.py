"""The recipes whose choices ``ablation.py`` measures: what each row changes, in words and as typed for train.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Recipe(NamedTuple):
    """A training and what is to be changed in it.

    Attributes:
        base: Overrides of every row.
        scored: Overrides of evaluate.py, the same for every row, so that all are scored on the same pictures.
        rows: Overrides by the name of a row; the first one changes nothing.
    """

    base: tuple[str, ...]
    scored: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]


def weights(**terms: float) -> tuple[str, ...]:
    """Returns the overrides that set weights of the loss's terms."""
    return tuple(f"loss.terms.{name}.weight={weight}" for name, weight in terms.items())


PSNR_FIRST = weights(psnr=0.3, background=0.5, opacity=0.25, layer=0.25, inpainting=0.15)

GENERAL = Recipe(
    base=("experiment=general",),
    scored=("synthesis=held_out", "data.short_side=full", "data.size=256"),
    rows={
        "the recipe": (),
        "head masked": ("model.head=masked",),
        "head residual": ("model.head=residual",),
        "head direct": ("model.head=direct",),
        "loss: picture and mask alone": weights(background=0, opacity=0, layer=0, inpainting=0),
        "loss: inpainting 1": weights(inpainting=1),
        "loss: SSIM too": ("loss.gamma=0.2",),
        "loss: PSNR too": weights(psnr=0.1),
        "loss: PSNR 0.3, the others halved": PSNR_FIRST,
        "loss: perceptual, CIELAB, SSIM and Laplacian too": (
            *("loss.alpha=0.3", "loss.beta=0.05", "loss.gamma=0.05", "loss.delta=0.05"),
        ),
        "target a second view": ("data.target=reference",),
        "opacity from 0.3": ("synthesis.sampler.opacity=[0.3,1.0]",),
        "coverage: one to four marks": ("synthesis.sampler.count=[1,4]",),
        "a quarter of pictures unmarked": ("synthesis.unmarked=0.25",),
        "no average of the weights": ("average=null",),
        "average of the weights, 0.98": ("average.decay=0.98",),
        "crops of 64, batch 128": ("data.size=64", "data.batch_size=128", "synthesis.sampler.size=[0.4,4.0]"),
        "crops of 192, batch 14": ("data.size=192", "data.batch_size=14", "synthesis.sampler.size=[0.14,1.5]"),
        "batch 16": ("data.batch_size=16",),
        "AdamW": ("optim=adamw_cosine", "~optim.optimizer.adamw_lr", "optim.optimizer.lr=2e-3"),
        "self-attention at the bottom": ("model.attention=2",),
        "pixel_unshuffle_unet_small": ("model=pixel_unshuffle_unet_small",),
        "nafnet": ("model=nafnet",),
        "unet": ("model=unet",),
        "swcnn": ("model=swcnn",),
        "PSNR 0.3, coverage, average, batch 16": (
            *PSNR_FIRST,
            "synthesis.sampler.count=[1,4]",
            "average.decay=0.98",
            "data.batch_size=16",
        ),
    },
)

PLAIN = Recipe(
    base=("model=unet", "data=folder"),
    # The marks of the defaults, which the notebook's row does not train on
    scored=("synthesis=diverse", "data.size=128"),
    rows={
        "the defaults": (),
        "head direct": ("model.head=direct",),
        "head residual": ("model.head=residual",),
        "head masked": ("model.head=masked",),
        "loss: perceptual term": ("loss.alpha=0.3",),
        "loss: perceptual term at full resolution": ("loss.alpha=0.3", "loss.terms.perceptual.reduce=1"),
        "loss: the notebook's weights of CIELAB, SSIM and Laplacian": (
            *("loss.beta=0.3", "loss.gamma=0.4", "loss.delta=0.1"),
        ),
        "loss: no CIELAB, SSIM or Laplacian": ("loss.beta=0", "loss.gamma=0", "loss.delta=0"),
        "loss: no PSNR": weights(psnr=0),
        "loss: PSNR 0.1": weights(psnr=0.1),
        **{f"batch {size}": (f"data.batch_size={size}",) for size in (4, 16, 32)},
        **{
            f"crops of {side}, batch {batch}": (f"data.size={side}", f"data.batch_size={batch}")
            for side, batch in ((64, 8), (64, 16), (128, 4), (128, 8), (192, 4))
        },
        "AdamW, one cycle": ("optim=adamw_onecycle", "optim.optimizer.lr=1e-3"),
        "AdamW, cosine": ("optim=adamw_cosine",),
        "Muon at half its rate": ("optim.optimizer.lr=0.01",),
        "Muon at twice its rate": ("optim.optimizer.lr=0.04",),
        "gradients not clipped": ("trainer.gradient_clip_val=null",),
        "no average of the weights": ("average=null",),
        "average of the weights, 0.99": ("average.decay=0.99",),
        "BatchNorm's statistics fixed": ("callbacks.freeze_batchnorm.from_epoch=0",),
        "target the clean photograph": ("data.target=clean",),
        "pixel_unshuffle_unet": ("model=pixel_unshuffle_unet",),
        "nafnet": ("model=nafnet",),
        # Its schedule knows epochs, of which a row has one: the schedule is laid over the row as over its 27.
        "the notebook's training": (
            *("experiment=watermarkcnn", "optim.scheduler.run_epochs=27", "optim.scheduler.then.run_epochs=27"),
        ),
    },
)

RECIPES = {"general": GENERAL, "plain": PLAIN}
