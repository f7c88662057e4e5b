"""Sampler, renderer and blending put together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wm_lightning.data.sources import Photograph
from wm_lightning.data.synthesis.blend import blend, changed
from wm_lightning.data.synthesis.render import Layer, render
from wm_lightning.data.synthesis.sampler import MarkSampler
from wm_lightning.data.synthesis.spec import MarkSpec
from wm_lightning.errors import UserError

ATTEMPTS = 10  # how often a first mark over the cap is drawn again, before its picture stays unmarked


class View(NamedTuple):
    """A watermarked view of a photograph.

    Attributes:
        image: (H, W, 3) uint8.
        mask: (H, W) bool, where the view differs from the photograph.
        specs: The marks on it, in drawing order.
    """

    image: Photograph
    mask: npt.NDArray[np.bool_]
    specs: tuple[MarkSpec, ...]


class Synthesizer:
    """Watermarks photographs.

    Args:
        sampler: Draws the marks.
        max_coverage: Largest share of a picture's pixels under marks. Below one half, a second view that is marked
            independently shows the clean pixel more often than not, which an L1 loss needs to find it.

    Raises:
        UserError: The cap is no share.
    """

    def __init__(self, sampler: MarkSampler, max_coverage: float = 0.4) -> None:
        if not 0 < max_coverage <= 1:
            raise UserError(f"synthesis.max_coverage={max_coverage} must be above 0 and at most 1.")
        self.sampler, self.max_coverage = sampler, max_coverage

    def __call__(self, photograph: Photograph, generator: np.random.Generator) -> View:
        """Draws marks on a copy of a photograph, (H, W, 3) uint8; only ``generator`` is used and advanced."""
        image = photograph.copy()
        height, width = photograph.shape[:2]
        covered = np.zeros((height, width), dtype=bool)
        specs: list[MarkSpec] = []
        for number in range(self.sampler.count(generator)):
            for _ in range(ATTEMPTS if number == 0 else 1):
                spec = self.sampler(generator)
                layer = render(spec, height, width)
                if self._cover(covered, layer):
                    blend(image, layer)
                    specs.append(spec)
                    break
        return View(image, changed(photograph, image), tuple(specs))

    def _cover(self, covered: npt.NDArray[np.bool_], layer: Layer) -> bool:
        """Adds a layer to what is covered, unless that would pass the cap."""
        rows = slice(layer.top, layer.top + layer.alpha.shape[0])
        box = covered[rows, layer.left : layer.left + layer.alpha.shape[1]]
        added = int((~box & (layer.alpha > 0)).sum())
        if int(covered.sum()) + added > self.max_coverage * covered.size:
            return False
        box |= layer.alpha > 0
        return True
