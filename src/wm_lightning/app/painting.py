"""What people painted over a picture: here is a mark, and leave this alone."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from wm_lightning.errors import UserError

Share = Annotated[float, Field(ge=-1, le=2, allow_inf_nan=False)]  # a stroke may leave the picture
MOST = 20_000_000  # characters; hours of painting
WIDEST = 4096  # pixels of a line as OpenCV draws it; wider ones are this wide
LEFT, MARKED = 1, 2


class Stroke(BaseModel):
    """One stroke of a brush.

    Attributes:
        kind: Of the brush: here is a mark, leave this alone, or take paint away.
        width: In shares of the picture's width.
        points: Where it went, in shares of the picture's width and height.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mark", "leave", "erase"]
    width: Annotated[float, Field(gt=0, le=1)]
    points: Annotated[tuple[tuple[Share, Share], ...], Field(min_length=1)]


_STROKES = TypeAdapter(tuple[Stroke, ...])
_VALUES = {"mark": MARKED, "leave": LEFT, "erase": 0}


class Painting:
    """Strokes, each over those before.

    Args:
        strokes: In the order in which they were painted.
    """

    def __init__(self, strokes: tuple[Stroke, ...] = ()) -> None:
        self.strokes = strokes

    @classmethod
    def read(cls, text: str) -> Painting:
        """Reads a JSON list of strokes; an empty text is none.

        Raises:
            UserError: It is something else.
        """
        if not text.strip():
            return cls()
        if len(text) > MOST:
            raise UserError("The painting is too large; clear it and paint with a wider brush.")
        try:
            return cls(_STROKES.validate_json(text))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise UserError(
                f"The painting cannot be read ({where}: {first['msg']}); give a JSON list of strokes."
            ) from error

    def marked(self, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Returns where a mark is said to be, in a picture of a height and width, (H, W)."""
        return np.asarray(self._drawn(size) == MARKED)

    def left_alone(self, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Returns what is to be left alone, likewise."""
        return np.asarray(self._drawn(size) == LEFT)

    def _drawn(self, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        height, width = size
        drawn = np.zeros(size, np.uint8)
        for stroke in self.strokes:
            points = np.rint(np.array(stroke.points) * (width, height)).astype(np.int32)
            thickness = min(max(1, round(stroke.width * width)), WIDEST)
            if len(points) == 1:  # of a line without length OpenCV draws nothing
                points = np.repeat(points, 2, axis=0)
            cv2.polylines(drawn, [points], isClosed=False, color=_VALUES[stroke.kind], thickness=thickness)
        return drawn
