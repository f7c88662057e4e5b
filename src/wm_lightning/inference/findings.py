"""What was found in a picture, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from wm_lightning.inference.cleaning import Cleaned
from wm_lightning.inference.marks import Mark
from wm_lightning.inference.pixels import Pixels, changed_share

HARDLY_SURE = 0.9  # certainty below which a mark could be none, however little was asked for
MUCH = 0.3  # share of a picture's pixels; few watermarks cover more
NAMED = 3  # marks whose places are told


class Findings(NamedTuple):
    """What was found in a picture, and done to it.

    Attributes:
        size: Width and height of the picture, upright, in pixels.
        changed: Share of its pixels that changed, 0..1.
        marks: What was taken away, the largest first.
        doubt: Why the result should be looked at; None where nothing speaks against it.
    """

    size: tuple[int, int] = (0, 0)
    changed: float = 0.0
    marks: tuple[Mark, ...] = ()
    doubt: str | None = None

    @classmethod
    def of(cls, pixels: Pixels, cleaned: Cleaned) -> Findings:
        """Compares a picture (H, W, 3) with what became of it."""
        height, width = pixels.shape[:2]
        changed = changed_share(pixels, cleaned.pixels)
        return cls((width, height), changed, cleaned.marks, _doubt(changed, cleaned.marks))

    def told(self, became: str = "changed", all_of_them: bool = False) -> str:
        """Says in words what was found.

        Args:
            became: What is said of the pixels.
            all_of_them: Whether the places of all marks are told.
        """
        if not self.changed:
            return "nothing found that is surely a watermark"
        words = f"{_counted(len(self.marks))}, {self.changed:.1%} of its pixels {became}"
        named = len(self.marks) if all_of_them else NAMED
        places = [f"{_place(mark)} ({mark.certainty:.0%} sure)" for mark in self.marks[:named]]
        more = len(self.marks) - named
        return f"{words}: {', '.join(places)}{f' and {more} more' if more > 0 else ''}" if places else words

    def as_json(self) -> dict[str, Any]:
        """Returns the same for a JSON file; boxes are left, top, right, bottom in pixels."""
        marks = [
            {
                "box": list(mark.box),
                "certainty": round(mark.certainty, 4),
                "pixels": mark.pixels,
                "known": mark.known,
            }
            for mark in self.marks
        ]
        width, height = self.size
        return {"width": width, "height": height, "changed": self.changed, "marks": marks, "warning": self.doubt}


def _doubt(changed: float, marks: Sequence[Mark]) -> str | None:
    if changed > MUCH:
        return f"{changed:.0%} of its pixels changed, which few watermarks cover"
    pixels = sum(mark.pixels for mark in marks)
    unsure = sum(mark.pixels for mark in marks if mark.certainty < HARDLY_SURE)
    if pixels and unsure > pixels / 2:
        return "what was found may belong to the picture"
    return None


def _counted(count: int) -> str:
    return "1 mark" if count == 1 else f"{count} marks"


def _place(mark: Mark) -> str:
    left, top, right, bottom = mark.box
    return f"{right - left}x{bottom - top} at {left},{top}"
