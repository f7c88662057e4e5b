"""Draws what screens show: windows with bars and icons, pages with headings, lists, code, cards."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from wm_lightning.data.pen import SMALLEST_LETTERS, Colour, Pen, paste

Picture = npt.NDArray[np.uint8]  # (H, W, 3)


class Screen:
    """A screen that is drawn from top to bottom.

    Args:
        picture: What may be shown on it, (H, W, 3); the screen is as large.
        pen: Draws.
    """

    def __init__(self, picture: Picture, pen: Pen) -> None:
        self.picture, self.pen = picture, pen
        if pen.chance(0.8):
            pen.keep_to_one_font()
        self.height, self.width = picture.shape[:2]
        self.ground, self.ink = pen.paper_and_ink()
        self.page = Image.new("RGB", (self.width, self.height), self.ground)
        self.draw: Any = ImageDraw.Draw(self.page)
        self.unit = round(SMALLEST_LETTERS * pen.between(1, max(1.2, self.height / 80)) ** 1.2)  # letters' height
        self.left = round(pen.between(-0.2, 0.2) * self.width)
        self.y = round(pen.between(-0.15, 0.1) * self.height)

    def whole(self) -> Picture:
        """Draws parts below each other until the screen is full, and returns it."""
        parts = (self.menu, self.toolbar, self.tabs, self.heading, self.rows, self.paragraph, self.cards, self.code)
        if self.pen.chance(0.4):  # a program's window begins with its bars
            self.menu()
            self.toolbar()
        while self.y < self.height:
            parts[self.pen.count(0, len(parts) - 1)]()
            self.y += round(self.pen.between(0.3, 2) * self.unit)
        if self.pen.chance(0.35):
            paste(self.page, self.picture, self.pen)
        return np.array(self.page)

    def text(self, x: float, y: float, words: str, colour: Colour, size: float = 1.0) -> float:
        """Writes words and returns where they end."""
        font = self.pen.font(round(size * self.unit))
        self.draw.text((x, y), words, fill=colour, font=font)
        return float(x + font.getlength(words))

    def bar(self, height: float) -> Colour:
        """Lays a bar across the screen, of a colour of its own or with a line below; returns an ink for it."""
        pen = self.pen
        ground = self.ground if pen.chance(0.4) else self.faint(0.12) if pen.chance(0.6) else pen.colour()
        self.draw.rectangle((0, self.y, self.width, self.y + height), fill=ground)
        if ground == self.ground:
            self.draw.line((0, self.y + height, self.width, self.y + height), fill=self.faint(0.25))
        return pen.contrast(ground) if pen.chance(0.6) else self.faint(pen.between(0.4, 0.9))

    def faint(self, share: float) -> Colour:
        """Returns a colour between the ground, at 0, and the ink, at 1."""
        red, green, blue = (round((1 - share) * g + share * i) for g, i in zip(self.ground, self.ink, strict=True))
        return red, green, blue

    def menu(self) -> None:
        """Draws words in a row, perhaps with three dots or a title before them."""
        ink = self.bar(2 * self.unit)
        x = float(self.left)
        if self.pen.chance(0.3):
            for _ in range(3):
                self.draw.ellipse(
                    (x, self.y + self.unit / 2, x + self.unit, self.y + 1.5 * self.unit), self.pen.colour()
                )
                x += 1.6 * self.unit
        gap = self.pen.between(0.8, 3) * self.unit
        while x < self.width:
            x = self.text(x, self.y + 0.4 * self.unit, self.pen.word(), ink) + gap
        self.y += round(2 * self.unit)

    def toolbar(self) -> None:
        """Draws icons of one colour, equally far from each other, with and without a name below."""
        side = self.pen.between(0.8, 2.5) * self.unit
        named = self.pen.chance(0.3)
        height = 1.6 * side + named * 1.4 * self.unit
        ink = self.bar(height)
        pitch = side * self.pen.between(1.4, 3)
        for x in np.arange(self.left, self.width, pitch):
            if self.pen.chance(0.1):  # groups are parted
                self.draw.line((x, self.y + 0.2 * side, x, self.y + 1.4 * side), fill=self.faint(0.25))
                continue
            self.icon(float(x), self.y + 0.3 * side, side, ink if self.pen.chance(0.85) else self.pen.colour())
            if named:
                self.text(float(x), self.y + 1.5 * side, self.pen.word()[:6], ink, 0.8)
        self.y += round(height)

    def icon(self, x: float, y: float, side: float, colour: Colour) -> None:
        """Draws a small shape of a few lines or one piece."""
        pen, thick = self.pen, max(1, round(side / 9))
        box, middle = (x, y, x + side, y + side), y + side / 2
        kind = pen.count(0, 6)
        if kind == 0:
            self.draw.ellipse(box, outline=colour, width=thick)
            self.draw.line((x + side / 2, middle, x + side / 2, y + 0.2 * side), fill=colour, width=thick)
        elif kind == 1:
            self.draw.rounded_rectangle(
                box, side / 5, fill=colour if pen.chance(0.5) else None, outline=colour, width=thick
            )
        elif kind == 2:
            for line in range(3):
                self.draw.line(
                    (x, y + (0.2 + 0.3 * line) * side, x + side, y + (0.2 + 0.3 * line) * side), colour, thick
                )
        elif kind == 3:
            self.draw.line((x, middle, x + side, middle), fill=colour, width=thick)
            self.draw.line((x + side / 2, y, x + side / 2, y + side), fill=colour, width=thick)
        elif kind == 4:
            self.draw.polygon([(x, y), (x + side, middle), (x, y + side)], fill=colour)
        elif kind == 5:
            self.draw.line([(x, middle), (x + 0.4 * side, y + side), (x + side, y)], fill=colour, width=thick)
        else:
            self.draw.pieslice(box, pen.count(0, 180), pen.count(200, 400), fill=colour)

    def tabs(self) -> None:
        """Draws tabs or buttons with a word each, one of them chosen."""
        x, height = float(self.left), 2 * self.unit
        chosen, rounded = self.pen.count(0, 4), self.pen.chance(0.5)
        accent, number = self.pen.colour(), 0
        while x < self.width:
            word = self.pen.word()
            end = x + self.pen.font(self.unit).getlength(word) + 1.6 * self.unit
            ground = accent if number == chosen else self.faint(0.08)
            box = (x, self.y, end, self.y + height)
            self.draw.rounded_rectangle(box, self.unit / 2 if rounded else 0, fill=ground, outline=self.faint(0.3))
            self.text(x + 0.8 * self.unit, self.y + 0.4 * self.unit, word, self.pen.contrast(ground))
            x, number = end + self.pen.between(0, 1) * self.unit, number + 1
        self.y += round(height)

    def heading(self) -> None:
        """Writes a few large words, perhaps with a smaller, paler line below them."""
        size, colour = self.pen.between(1.6, 5), self.ink if self.pen.chance(0.7) else self.pen.colour()
        self.text(self.left, self.y, self.pen.words(self.pen.count(4, 24)), colour, size)
        self.y += round(1.3 * size * self.unit)
        if self.pen.chance(0.5):
            pale = self.faint(self.pen.between(0.35, 0.8))
            self.text(self.left, self.y, self.pen.words(self.pen.count(10, 40)), pale, self.pen.between(1, 1.5))
            self.y += 2 * self.unit

    def rows(self) -> None:
        """Draws a list or a table: an icon, a name, and what belongs to it further right, line by line."""
        pen, pitch = self.pen, self.unit * self.pen.between(1.5, 3)
        columns = sorted(pen.between(0.1, 1.1) * self.width for _ in range(pen.count(1, 3)))
        icons, ruled, striped = pen.chance(0.5), pen.chance(0.4), pen.chance(0.3)
        for row in range(pen.count(2, 9)):
            if striped and row % 2:
                self.draw.rectangle((0, self.y, self.width, self.y + pitch), fill=self.faint(0.06))
            if icons:
                self.icon(self.left, self.y + 0.2 * self.unit, self.unit, self.faint(0.6))
            end = self.text(self.left + icons * 1.8 * self.unit, self.y, pen.words(pen.count(4, 16)), self.ink)
            for x in columns:
                end = self.text(
                    max(self.left + x, end + self.unit), self.y, pen.word(), self.faint(pen.between(0.5, 1))
                )
            self.y += round(pitch)
            if ruled:
                self.draw.line((0, self.y - 1, self.width, self.y - 1), fill=self.faint(0.15))

    def paragraph(self) -> None:
        """Writes lines of a text, with a link in them."""
        colour = self.ink if self.pen.chance(0.6) else self.faint(self.pen.between(0.35, 0.9))
        link = self.pen.colour()
        for _ in range(self.pen.count(1, 5)):
            end = self.text(self.left, self.y, self.pen.words(self.pen.count(10, 50)), colour)
            if self.pen.chance(0.2):
                self.text(end + self.unit / 2, self.y, self.pen.words(12), link)
            self.y += round(1.4 * self.unit)

    def cards(self) -> None:
        """Draws boxes beside each other: a colour, an icon or letters above, words below."""
        pen, width = self.pen, self.unit * self.pen.between(5, 12)
        height = width * pen.between(0.5, 1.2)
        for x in np.arange(self.left, self.width, 1.15 * width):
            ground = pen.colour() if pen.chance(0.4) else self.faint(0.08)
            box = (float(x), self.y, float(x) + width, self.y + height)
            self.draw.rounded_rectangle(box, self.unit / 2, fill=ground, outline=self.faint(0.2))
            self.icon(float(x) + 0.35 * width, self.y + 0.2 * height, 0.3 * width, pen.contrast(ground))
            self.text(float(x) + self.unit / 2, self.y + 0.75 * height, pen.words(8), pen.contrast(ground))
        self.y += round(height)

    def code(self) -> None:
        """Writes numbered lines of short words in several colours, on ground of their own."""
        pen, pitch = self.pen, round(1.4 * self.unit)
        lines = pen.count(3, 12)
        if pen.chance(0.5):
            self.draw.rectangle((0, self.y, self.width, self.y + lines * pitch), fill=self.faint(0.1))
        colours = [self.ink, *(pen.contrast(self.ground) for _ in range(3))]
        for line in range(lines):
            x = self.text(self.left, self.y, str(line + 7), self.faint(0.4)) + self.unit * (1 + 2 * pen.count(0, 2))
            for _ in range(pen.count(0, 6)):
                x = self.text(x, self.y, pen.word(), colours[pen.count(0, 3)]) + 0.6 * self.unit
            self.y += pitch
