"""What looks like a mark and belongs to the picture: pages, signs, screens, drawings, plain areas, frames.

A network that has seen writing on marks alone takes all writing for a mark. This is drawn on photographs before marks
are, so it is in the clean picture too, and a model learns to leave it. Nothing is drawn over a photograph but plates
that stand in its scene: that would be a mark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from wm_lightning.data.pen import SMALLEST_LETTERS, Colour, Pen, paste
from wm_lightning.data.screens import Screen
from wm_lightning.data.synthesis.arts import DIGITS, LETTERS
from wm_lightning.data.synthesis.assets import characters_of, covering_fonts, find_fonts
from wm_lightning.data.synthesis.ranges import checked_frequencies, choose

Picture = npt.NDArray[np.uint8]  # (H, W, 3)

KINDS = ("page", "sign", "screen", "drawing", "diagram", "poster", "cartoon", "plain", "frame")
LAST_LATIN = 0x24F
FEW = 20  # letters of a font; fewer make no pages
SMOOTHED = 0.6  # share of scenes that are drawn at twice their size and reduced


class Scenes(A.ImageOnlyTransform):  # type: ignore[misc]  # a library without types
    """Puts what belongs to a picture on it, or in its place.

    Args:
        kinds: Relative frequency of ``page`` (of writing, tables, pictures), ``sign`` (a plate with writing, seen at an
            angle), ``screen`` (bars, buttons, words), ``drawing`` (flat shapes with and without outlines), ``diagram``
            (thin lines, curves, hatching, letters beside them), ``poster`` (large words and shapes on even ground),
            ``cartoon`` (the picture in few flat colours), ``plain`` (an even or shaded area) and ``frame`` (bars at two
            or four sides).
        fonts: Font files or folders beside the bundled ones.
        p: Share of pictures.

    Raises:
        UserError: A kind or a font is unknown.
    """

    def __init__(self, kinds: Mapping[str, float] | None = None, fonts: Sequence[str] = (), p: float = 0.15) -> None:
        super().__init__(p=p)
        equally = dict.fromkeys(KINDS, 1.0)
        self.kinds = checked_frequencies("augment: Scenes.kinds", equally if kinds is None else kinds, KINDS)
        known = find_fonts(fonts)
        self.fonts = covering_fonts(LETTERS + LETTERS.lower() + DIGITS, known)
        self.others = {font: letters for font in known if (letters := _letters(font))}

    def get_params(self) -> dict[str, Any]:
        """Draws what :meth:`apply` is told."""
        return {"seed": int(self.random_generator.integers(2**32))}

    def apply(self, img: Picture, seed: int = 0, **params: object) -> Picture:
        """Returns (H, W, 3) uint8; equal seeds change equal pictures equally."""
        generator = np.random.default_rng(seed)
        pen = Pen(generator, self.fonts, self.others)
        draw = _DRAWN[choose(self.kinds, generator)]
        return _smoothed(draw, img, pen) if pen.chance(SMOOTHED) else draw(img, pen)


def _letters(font: str) -> tuple[str, ...]:
    """Returns the letters of a font that are not Latin, none where they are few."""
    letters = tuple(chr(code) for code in sorted(characters_of(font)) if code > LAST_LATIN and chr(code).isalpha())
    return letters if len(letters) >= FEW else ()


def _smoothed(draw: Callable[[Picture, Pen], Picture], picture: Picture, pen: Pen) -> Picture:
    """Draws edges that are smooth, as in pictures that were reduced; what is left of the picture stays as it was."""
    height, width = picture.shape[:2]
    twice = cv2.resize(picture, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    drawn = draw(np.asarray(twice, np.uint8), pen)
    return np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _page(picture: Picture, pen: Pen) -> Picture:
    """Writes a page, with a heading, a table or the picture itself among the lines."""
    height, width = picture.shape[:2]
    paper, ink = pen.paper_and_ink()
    page = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(page)
    letters = pen.letters(height)
    font, pitch = pen.font(letters), max(letters + 1, round(letters * pen.between(1.1, 1.8)))
    left, y = round(pen.between(-0.2, 0.15) * width), round(pen.between(-0.1, 0.1) * height)
    if pen.chance(0.3):
        draw.text((left, y), pen.words(14), fill=pen.contrast(paper), font=pen.font(2 * letters))
        y += 3 * letters
    if pen.chance(0.2):
        _table(draw, width, height, 2 * pitch, ink)
    while y < height:
        if pen.chance(0.12):  # a paragraph ends
            draw.text((left, y), pen.words(pen.count(3, 12)), fill=ink, font=font)
            y += pitch
        else:
            draw.text((left, y), pen.words(pen.count(20, 60)), fill=ink, font=font)
        y += pitch
    if pen.chance(0.3):
        paste(page, picture, pen)
    return np.array(page)


def _table(draw: ImageDraw.ImageDraw, width: int, height: int, cell: int, ink: Colour) -> None:
    for y in range(0, height, cell):
        draw.line((0, y, width, y), fill=ink)
    for x in range(0, width, 3 * cell):
        draw.line((x, 0, x, height), fill=ink)


def _sign(picture: Picture, pen: Pen) -> Picture:
    """Puts a plate with a few words into the scene, tilted and shaded as the light falls."""
    height, width = picture.shape[:2]
    across, down = round(pen.between(0.3, 1.2) * width), round(pen.between(0.12, 0.7) * height)
    ground = pen.colour()
    plate = Image.new("RGB", (across, max(down, 8)), ground)
    draw = ImageDraw.Draw(plate)
    ink, lines = pen.contrast(ground), pen.count(1, 3)
    letters = round(0.75 * plate.height / lines)
    for line in range(lines):
        text = pen.words(pen.count(3, 12))
        text = text.upper() if pen.chance(0.5) else text
        draw.text((0.06 * across, (line + 0.1) * plate.height / lines), text, fill=ink, font=pen.font(letters))
    if pen.chance(0.5):
        draw.rectangle((0, 0, across - 1, plate.height - 1), outline=ink, width=max(1, plate.height // 20))
    return _hung(picture, _shaded(np.array(plate), pen), pen)


def _hung(picture: Picture, plate: Picture, pen: Pen) -> Picture:
    """Shows a plate at an angle somewhere in the picture."""
    height, width = picture.shape[:2]
    rows, columns = plate.shape[:2]
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    place = np.array([pen.between(-0.2, 0.7) * width, pen.between(-0.1, 0.8) * height], np.float32)
    tilt = np.array(
        [[pen.between(-0.15, 0.15) * columns, pen.between(-0.15, 0.15) * rows] for _ in range(4)], np.float32
    )
    matrix = cv2.getPerspectiveTransform(corners, corners + place + tilt)
    shown = cv2.warpPerspective(plate, matrix, (width, height), flags=cv2.INTER_AREA)
    where = cv2.warpPerspective(np.full((rows, columns), 255, np.uint8), matrix, (width, height))[..., None] / 255
    return np.asarray(picture * (1 - where) + shown * where + 0.5, dtype=np.uint8)


def _shaded(picture: Picture, pen: Pen) -> Picture:
    """Lets the light fall off from one side to the other, a little."""
    height, width = picture.shape[:2]
    corners = np.array([[pen.between(0.75, 1), pen.between(0.75, 1)], [pen.between(0.75, 1), pen.between(0.75, 1)]])
    light = cv2.resize(corners.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(picture * light[..., None], dtype=np.uint8)


def _screen(picture: Picture, pen: Pen) -> Picture:
    """Shows what a screen does, perhaps the picture in it."""
    return Screen(picture, pen).whole()


def _drawing(picture: Picture, pen: Pen) -> Picture:
    """Draws flat shapes, filled or as lines, on an even ground."""
    height, width = picture.shape[:2]
    ground = pen.paper_and_ink()[0] if pen.chance(0.6) else pen.colour()
    page = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(page)
    lines = None if pen.chance(0.5) else pen.contrast(ground)
    thickness = pen.count(1, max(1, height // 40))
    for _ in range(pen.count(2, 14)):
        fill = None if lines is not None and pen.chance(0.5) else pen.colour()
        points = [pen.place(width, height) for _ in range(pen.count(2, 6))]
        if len(points) == 2:
            (x0, y0), (x1, y1) = points
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            shape: Callable[..., None] = draw.ellipse if pen.chance(0.5) else draw.rectangle
            shape(box, fill=fill, outline=lines, width=thickness)
        elif pen.chance(0.5):
            draw.line(points, fill=lines or pen.colour(), width=thickness, joint="curve")
        else:
            draw.polygon(points, fill=fill, outline=lines, width=thickness)
    return np.array(page)


def _diagram(picture: Picture, pen: Pen) -> Picture:
    """Draws thin lines, circles, curves and hatching on paper, with letters and numbers beside them."""
    height, width = picture.shape[:2]
    paper, ink = pen.paper_and_ink()
    page = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(page)
    thin, font = pen.count(1, 3), pen.font(round(pen.between(SMALLEST_LETTERS, 0.15 * height)))
    if pen.chance(0.25):
        faint: Colour = tuple((3 * p + i) // 4 for p, i in zip(paper, ink, strict=True))  # type: ignore[assignment]  # three
        _table(draw, width, height, pen.count(8, 40), faint)
    for _ in range(pen.count(3, 14)):
        colour = ink if pen.chance(0.7) else pen.contrast(paper)
        x, y = pen.place(width, height)
        kind = pen.count(0, 4)
        if kind == 0:
            draw.line([(x, y), pen.place(width, height)], fill=colour, width=thin)
        elif kind == 1:
            radius = pen.between(0.02, 0.5) * height
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=thin)
        elif kind == 2:
            across = np.linspace(0, width, 40)
            wave = y + pen.between(0.02, 0.4) * height * np.sin(across * pen.between(0.5, 20) / width + x)
            draw.line(list(zip(across.tolist(), wave.tolist(), strict=True)), fill=colour, width=thin)
        elif kind == 3:
            _hatching(draw, (x, y), pen.between(0.05, 0.4) * height, pen.count(4, 12), colour)
        else:
            draw.text((x, y), pen.word()[: pen.count(1, 6)], fill=colour, font=font)
    return np.array(page)


def _hatching(draw: ImageDraw.ImageDraw, place: tuple[float, float], size: float, gap: int, colour: Colour) -> None:
    x, y = place
    for step in range(0, round(size), gap):
        draw.line((x + step, y, x, y + step), fill=colour)
        draw.line((x + size, y + step, x + step, y + size), fill=colour)


def _poster(picture: Picture, pen: Pen) -> Picture:
    """Sets large words and flat shapes on even or shaded ground, beside a part of the picture or without it."""
    height, width = picture.shape[:2]
    ground = pen.colour()
    area = np.full(picture.shape, ground, np.uint8)
    page = Image.fromarray(_shaded(area, pen) if pen.chance(0.4) else area)
    draw = ImageDraw.Draw(page)
    for _ in range(pen.count(0, 5)):
        (x, y), side = pen.place(width, height), pen.between(0.05, 0.6) * height
        shape: Callable[..., None] = draw.ellipse if pen.chance(0.5) else draw.rectangle
        shape((x, y, x + side, y + side * pen.between(0.2, 1.2)), fill=pen.colour())
    y = pen.between(-0.1, 0.4) * height
    while y < height:
        letters, ink = pen.letters(height), pen.contrast(ground) if pen.chance(0.7) else pen.colour()
        text = pen.words(max(2, round(pen.between(0.3, 2.5) * width / letters)))
        text, at = text.upper() if pen.chance(0.4) else text, (pen.between(-0.1, 0.3) * width, y)
        outline = max(1, letters // 14) if pen.chance(0.2) else 0
        draw.text(at, text, fill=ink, font=pen.font(letters), stroke_width=outline, stroke_fill=pen.contrast(ink))
        y += letters * pen.between(1.1, 2.5)
    if pen.chance(0.3):
        paste(page, picture, pen)
    return np.array(page)


def _cartoon(picture: Picture, pen: Pen) -> Picture:
    """Shows the picture as illustrations do: in few flat colours, with or without outlines."""
    flat = picture
    for _ in range(pen.count(1, 4)):
        flat = np.asarray(cv2.medianBlur(np.ascontiguousarray(flat), 2 * pen.count(1, 4) + 1), np.uint8)
    # Colours of a sixteenth of the pixels: a median cut of all takes thirty times as long and is hardly nearer.
    colours = Image.fromarray(np.ascontiguousarray(flat[::4, ::4])).quantize(pen.count(4, 24), dither=Image.Dither.NONE)
    drawn = np.array(Image.fromarray(flat).quantize(palette=colours, dither=Image.Dither.NONE).convert("RGB"))
    if pen.chance(0.4):
        edges = np.asarray(cv2.Canny(flat, pen.count(40, 90), pen.count(100, 200)))
        thick = cv2.dilate(edges, np.ones((pen.count(1, 3),) * 2, np.uint8))
        drawn[np.asarray(thick) > 0] = (0, 0, 0) if pen.chance(0.7) else pen.colour()
    return drawn


def _plain(picture: Picture, pen: Pen) -> Picture:
    """Makes an even or a shaded area, alone or as the upper part of the picture, as skies and walls are."""
    area = np.full(picture.shape, pen.colour(), np.uint8)
    area = _shaded(area, pen) if pen.chance(0.6) else area
    if pen.chance(0.5):
        share = round(pen.between(0.3, 0.9) * len(picture))
        return np.concatenate([area[:share], picture[share:]])
    return area


def _frame(picture: Picture, pen: Pen) -> Picture:
    """Lays even bars over two or four sides, as films and collages have."""
    height, width = picture.shape[:2]
    colour: Colour = (0, 0, 0) if pen.chance(0.5) else (255, 255, 255) if pen.chance(0.5) else pen.colour()
    above, beside = (round(pen.between(0.02, 0.3) * side) for side in (height, width))
    which = pen.count(0, 2)
    above, beside = above if which != 1 else 0, beside if which != 0 else 0
    framed = np.full_like(picture, colour)
    framed[above : height - above, beside : width - beside] = picture[above : height - above, beside : width - beside]
    return framed


_DRAWN: dict[str, Callable[[Picture, Pen], Picture]] = {
    "page": _page, "sign": _sign, "screen": _screen, "drawing": _drawing, "diagram": _diagram, "poster": _poster,
    "cartoon": _cartoon, "plain": _plain, "frame": _frame,
}  # fmt: skip
