"""What a network would do to each pixel, in a form that can be enlarged, chained and limited."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from wm_lightning.errors import UserError

NO_NUMBERS = "The network answers with what are no numbers; its weights are damaged: take others."
Floats = npt.NDArray[Any]  # float32, or float16 where it is kept


class Correction(NamedTuple):
    """A change ``x -> x + gain * x + offset`` of each pixel; where both are 0, the pixel stays as it is, to the bit.

    A mark that was blended in, ``x = (1 - a) c + a w``, is taken away by such a change, and so is content painted over
    it. Two changes after each other are one again, and since marks are smoother than photographs, a change found on a
    reduced picture can be enlarged and keeps the photograph's detail.

    Attributes:
        gain: (H, W, 3).
        offset: (H, W, 3), in units of 0..1 pictures.
        mask: How sure it is that there is a mark, (H, W, 1) in 0..1.
        recognition: How much the network's features speak for one, (H, W, 1), in log-odds; None where it does not say,
            and of what becomes of a correction below.
    """

    gain: Floats
    offset: Floats
    mask: Floats
    recognition: Floats | None = None

    @property
    def planes(self) -> tuple[Floats, Floats, Floats]:
        """Gain, offset and mask: what there is of every correction."""
        return self.gain, self.offset, self.mask

    @classmethod
    def none(cls, height: int, width: int) -> Correction:
        """Returns the one that changes nothing."""
        colour = np.zeros((height, width, 3), np.float32)
        return cls(colour, colour, colour[..., :1])

    def checked(self) -> Correction:
        """Returns it.

        Raises:
            UserError: Some of its values are infinite or no numbers.
        """
        if not all(np.isfinite(part).all() for part in self if part is not None):
            raise UserError(NO_NUMBERS)
        return self

    def apply(self, picture: Floats) -> Floats:
        """Changes a picture, (H, W, 3) in 0..1; the result is in 0..1."""
        clipped: Floats = np.clip(self.unclipped(picture), 0, 1)
        return clipped

    def unclipped(self, picture: Floats) -> Floats:
        """Returns the same, also beyond 0..1."""
        changed: Floats = picture + (self.gain * picture + self.offset)
        return changed

    def then(self, other: Correction) -> Correction:
        """Returns this correction followed by another of the same size."""
        gain = self.gain + other.gain + self.gain * other.gain
        offset = self.offset + other.offset + self.offset * other.gain
        return Correction(gain, offset, np.maximum(self.mask, other.mask))

    def limited(self, share: Floats) -> Correction:
        """Returns a correction of which a share, (H, W, 1) in 0..1, is applied."""
        return Correction(self.gain * share, self.offset * share, self.mask * share)

    def enlarged(self, whole: tuple[int, int], rows: slice, columns: slice) -> Correction:
        """Returns a part of the correction enlarged to a whole of (H, W); interpolates linearly.

        Args:
            whole: Height and width of the enlarged correction.
            rows: Of the part, in the whole; start and stop are given.
            columns: Likewise.
        """
        height, width = self.mask.shape[:2]
        down, across = height / whole[0], width / whole[1]
        # Only what the part lies on, and a pixel around it, since the whole may be many times as large.
        top, left = max(0, int(rows.start * down) - 1), max(0, int(columns.start * across) - 1)
        near = slice(top, int(rows.stop * down) + 2), slice(left, int(columns.stop * across) + 2)
        # Centres of pixels lie at halves: x' + 0.5 = (x + 0.5) * across.
        matrix = np.array(
            [
                [across, 0, (columns.start + 0.5) * across - 0.5 - left],
                [0, down, (rows.start + 0.5) * down - 0.5 - top],
            ]
        )
        size = columns.stop - columns.start, rows.stop - rows.start
        parts = (
            cv2.warpAffine(
                np.ascontiguousarray(part[near], dtype=np.float32),
                matrix,
                size,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for part in self.planes
        )
        gain, offset, mask = parts
        return Correction(gain, offset, mask[..., None] if mask.ndim == 2 else mask)
