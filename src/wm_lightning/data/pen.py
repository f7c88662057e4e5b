"""Draws what scenes are made of: numbers, colours, words, letters, pictures on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wm_lightning.data.synthesis.assets import load_font
from wm_lightning.data.synthesis.ranges import within

Colour = tuple[int, int, int]

SMALLEST_LETTERS = 6  # pixels high
LARGEST_LETTERS = 0.5  # of a picture's height
OTHER_SCRIPTS = 0.3  # share of pens that write no Latin letters
CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"


class Pen:
    """Draws numbers, colours and words; all randomness is here. A pen writes one script.

    Args:
        generator: The randomness.
        fonts: For Latin letters.
        others: For other scripts, which a part of the pens write: their letters by font.
    """

    def __init__(
        self, generator: np.random.Generator, fonts: Sequence[str], others: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.generator, self.fonts, self.alphabet = generator, fonts, tuple[str, ...]()
        if others and self.chance(OTHER_SCRIPTS):
            font = list(others)[self.count(0, len(others) - 1)]
            self.fonts, self.alphabet = (font,), tuple(others[font])

    def chance(self, share: float) -> bool:
        """Returns True in a share of cases."""
        return bool(self.generator.random() < share)

    def between(self, low: float, high: float) -> float:
        """Returns a number of a range."""
        return within((low, high), self.generator)

    def count(self, low: int, high: int) -> int:
        """Returns a whole number of a range, both ends included."""
        return int(self.generator.integers(low, high, endpoint=True))

    def colour(self) -> Colour:
        """Returns any colour, pale, dark and strong ones alike."""
        red, green, blue = (int(value) for value in self.generator.integers(0, 256, 3))
        return red, green, blue

    def paper_and_ink(self) -> tuple[Colour, Colour]:
        """Returns a ground and a colour that can be read on it."""
        paper = tuple(255 - value // 12 for value in self.colour())
        ink = tuple(value // 4 for value in self.colour()) if self.chance(0.8) else tuple(v // 2 for v in self.colour())
        if self.chance(0.2):
            paper, ink = ink, paper
        return paper, ink  # type: ignore[return-value]  # three of each

    def contrast(self, ground: Colour) -> Colour:
        """Returns a colour that stands out from a ground."""
        bright = sum(ground) > 382
        if self.chance(0.5):
            return (0, 0, 0) if bright else (255, 255, 255)
        return tuple(value // 3 if bright else 255 - value // 3 for value in self.colour())  # type: ignore[return-value]

    def word(self) -> str:
        """Returns a word that can be spoken, or a number; in other scripts than Latin some letters."""
        if self.alphabet:
            return "".join(self.alphabet[self.count(0, len(self.alphabet) - 1)] for _ in range(self.count(1, 6)))
        if self.chance(0.12):
            return str(self.count(1, 9999))
        letters = "".join(
            CONSONANTS[self.count(0, len(CONSONANTS) - 1)] + VOWELS[self.count(0, len(VOWELS) - 1)]
            for _ in range(self.count(1, 4))
        )
        letters = letters[: self.count(2, len(letters))]
        return letters.capitalize() if self.chance(0.2) else letters

    def words(self, most: int) -> str:
        """Returns words of at most so many letters together."""
        text = self.word()
        while len(text) < most:
            text += " " + self.word()
        return text[:most].strip()

    def letters(self, height: int) -> int:
        """Returns the size of letters on a picture so many pixels high, small ones as often as large ones."""
        ratio: float = (LARGEST_LETTERS * height / SMALLEST_LETTERS) ** self.between(0, 1)
        return round(SMALLEST_LETTERS * ratio)

    def place(self, width: int, height: int) -> tuple[float, float]:
        """Returns a point, perhaps a little outside."""
        return self.between(-0.1, 1.1) * width, self.between(-0.1, 1.1) * height

    def keep_to_one_font(self) -> None:
        """Writes in one font from now on."""
        self.fonts = (self.fonts[self.count(0, len(self.fonts) - 1)],)

    def font(self, height: int) -> Any:  # noqa: ANN401 - Pillow's fonts have no common type
        """Returns a font with letters so many pixels high."""
        return load_font(self.fonts[self.count(0, len(self.fonts) - 1)], max(height, SMALLEST_LETTERS))


def paste(page: Image.Image, picture: npt.NDArray[np.uint8], pen: Pen) -> None:
    """Shows a picture (H, W, 3), smaller, somewhere on a page."""
    width, height = page.size
    share = pen.between(0.3, 0.7)
    part = Image.fromarray(picture).resize((max(1, round(share * width)), max(1, round(share * height))))
    page.paste(part, (round(pen.between(0, 1 - share) * width), round(pen.between(0, 1 - share) * height)))
