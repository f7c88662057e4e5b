"""What a watermarked view is like, in a few words and numbers: what scores are grouped by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wm_lightning.data.synthesis.spec import Art, Design, Emblem, Logo, MarkSpec, OwnArt, Text
from wm_lightning.data.synthesis.synthesizer import View


class Traits(NamedTuple):
    """Of one watermarked picture.

    Attributes:
        coverage: Share of its pixels that are marked, 0..1.
        opacity: How much of the photograph is hidden where it is marked: the mean over marked pixels of the largest
            channel's alpha, 0..1; NaN where nothing is marked or alpha is not known.
        kinds: Which kinds of marks it has: ``text``, ``logo``, ``shape``, a design's recipe, such as ``band``, and, for
            whatever is repeated over the whole picture, ``tiled``; sorted.
        languages: Of its texts, sorted.
    """

    coverage: float
    opacity: float = float("nan")
    kinds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def traits_of(view: View) -> Traits:
    """Describes a view."""
    hidden = view.alpha.max(axis=2)[view.mask]
    texts = [art for mark in view.spec.marks for art in _drawn(mark.art) if isinstance(art, Text)]
    return Traits(
        coverage=float(view.mask.mean()),
        opacity=float(hidden.mean() / 255) if hidden.size else float("nan"),
        kinds=tuple(sorted({_kind(mark) for mark in view.spec.marks})),
        languages=tuple(sorted({text.language for text in texts if text.language})),
    )


def traits_of_mask(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Traits:
    """Describes a picture of which only its mask is known, (H, W)."""
    return Traits(coverage=float(mask.mean()))


def _kind(mark: MarkSpec) -> str:
    if mark.tiling is not None:
        return "tiled"
    if isinstance(mark.art, OwnArt):
        return mark.art.kind
    if isinstance(mark.art, Design) and mark.art.recipe:
        return mark.art.recipe
    drawn = _drawn(mark.art)
    if any(isinstance(art, Logo | Emblem) for art in drawn):
        return "logo"
    return "text" if any(isinstance(art, Text) for art in drawn) else "shape"


def _drawn(art: Art) -> tuple[Art, ...]:
    """Returns the drawings that a design is put together of, or the art itself."""
    return tuple(part.art for part in art.parts) if isinstance(art, Design) else (art,)
