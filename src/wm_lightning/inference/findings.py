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
        pages: How many frames or pages were looked at.
        on: The number, from 1, of the page that each mark is on.
    """

    size: tuple[int, int] = (0, 0)
    changed: float = 0.0
    marks: tuple[Mark, ...] = ()
    doubt: str | None = None
    pages: int = 1
    on: tuple[int, ...] = ()

    @classmethod
    def of(cls, pixels: Pixels, cleaned: Cleaned) -> Findings:
        """Compares a picture (H, W, 3) with what became of it."""
        height, width = pixels.shape[:2]
        changed = changed_share(pixels, cleaned.pixels)
        return cls((width, height), changed, cleaned.marks, _doubt(changed, cleaned.marks))

    @classmethod
    def together(cls, pages: Sequence[Findings]) -> Findings:
        """Adds up what was found on the frames or pages of one file; the size is that of the first."""
        if len(pages) == 1:
            return pages[0]
        areas = [width * height for width, height in (page.size for page in pages)]
        changed = sum(page.changed * area for page, area in zip(pages, areas, strict=True)) / sum(areas)
        each = [(mark, number) for number, page in enumerate(pages, start=1) for mark in page.marks]
        each.sort(key=lambda pair: -pair[0].pixels)
        doubt = next((page.doubt for page in pages if page.doubt is not None), None)
        marks, on = tuple(mark for mark, _ in each), tuple(number for _, number in each)
        return cls(pages[0].size, changed, marks, doubt, len(pages), on)

    def told(self, became: str = "changed", all_of_them: bool = False) -> str:
        """Says in words what was found.

        Args:
            became: What is said of the pixels.
            all_of_them: Whether the places of all marks are told.
        """
        if not self.changed:
            return "nothing found that is surely a watermark"
        words = f"{_counted(len(self.marks))}, {self.changed:.1%} of its pixels {became}"
        if self.pages > 1:
            return f"{words}, on {len(set(self.on))} of its {self.pages} pictures"
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
        for mark, number in zip(marks, self.on, strict=False):  # of several pages alone
            mark["page"] = number
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
