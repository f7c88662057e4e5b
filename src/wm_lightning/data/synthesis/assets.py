"""Fonts and logos: which there are and what they can show. The only file access of the synthesis."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, ImageFont, features

from wm_lightning.errors import UserError

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent / "fonts"
FONT_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
LOGO_SUFFIXES = frozenset({".png", ".webp", ".tif", ".tiff"})
# Scripts whose letters join or move, by their Unicode blocks: right-to-left, Indic and South East Asian ones.
SHAPED = ((0x0590, 0x08FF), (0x0900, 0x109F), (0x1780, 0x17FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFF))
DEJAVU = "dejavu"  # names the fonts of that family, which matplotlib ships
FURTHER = ("extra", "extra_held_out")  # folders of bundled fonts that are only taken where they are named
LogoPart: TypeAlias = Literal["all", "train", "held_out"]
HELD_OUT_LOGO = 10  # of the sorted names of a folder, every so manieth is held out, the first one too
LEAST_PARTED = 20  # files of a folder of logos that is split
MOST_SYSTEM_FONTS = 100  # reading a font's character map takes milliseconds, and some machines have thousands
LARGEST_LETTER = 60  # times a font's size; the widest ligatures and ornaments have some twenty
LARGEST_LOGO = 1024  # pixels of the longer side that are kept


class Assets(NamedTuple):
    """What there is to draw with.

    Attributes:
        fonts: Bundled fonts by name, others by path.
        logos: Paths of logos.
    """

    fonts: tuple[str, ...] = ()
    logos: tuple[str, ...] = ()


def find_assets(
    fonts: Sequence[str] = (),
    *,
    bundled_fonts: bool = True,
    system_fonts: bool = False,
    logos: str | None = None,
    logo_part: LogoPart = "all",
) -> Assets:
    """Finds fonts and logos, see :func:`find_fonts` and :func:`find_logos`."""
    found = find_fonts(fonts, bundled=bundled_fonts, system=system_fonts)
    return Assets(tuple(found), tuple(find_logos(logos, logo_part)))


def needs_shaping(text: str) -> bool:
    """Tells whether a text has letters that join or move, which needs Pillow's Raqm layout."""
    return not text.isascii() and any(low <= ord(character) <= high for character in text for low, high in SHAPED)


def find_fonts(extra: Sequence[str] = (), *, bundled: bool = True, system: bool = False) -> list[str]:
    """Returns the bundled fonts by name, and the others by path.

    Args:
        extra: Font files, or folders that are searched recursively; ``dejavu`` stands for the fonts of that family that
            matplotlib ships, ``extra`` for further bundled ones and ``extra_held_out`` for those that no training
            preset draws with.
        bundled: Takes the bundled fonts.
        system: Adds the fonts that are installed on this machine.

    Raises:
        UserError: A path of ``extra`` does not exist, holds no font, or is a damaged one.
    """
    fonts = _font_names(BUNDLED) if bundled else []
    for entry in map(Path, extra):
        if str(entry) == DEJAVU:
            fonts += _dejavu_fonts()
            continue
        if str(entry) in FURTHER:
            fonts += _font_names(BUNDLED / entry)
            continue
        if not entry.exists():
            raise UserError(f"synthesis.fonts: there is no {entry}; give font files, or folders that hold some.")
        below = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        found = [str(path.resolve()) for path in below if path.suffix.lower() in FONT_SUFFIXES]
        if not found:
            raise UserError(f"synthesis.fonts: {entry} is or holds no font ({', '.join(sorted(FONT_SUFFIXES))}).")
        for font in found:
            characters_of(font)
        fonts += found
    return fonts + (_system_fonts() if system else [])


def _font_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in FONT_SUFFIXES)


def _dejavu_fonts() -> list[str]:
    from matplotlib import get_data_path  # slow to import, and not always needed

    # Those whose names end in Display hold a few symbols only.
    found = sorted(Path(get_data_path(), "fonts", "ttf").glob("DejaVu*.ttf"))
    return [str(path) for path in found if not path.stem.endswith("Display")]


def _system_fonts() -> list[str]:
    from matplotlib.font_manager import findSystemFonts  # slow to import, and not always needed

    found = sorted(set(findSystemFonts()))
    step = max(1, -(-len(found) // MOST_SYSTEM_FONTS))
    return [font for font in found[::step] if _tells_letters_apart(font)]


def _tells_letters_apart(font: str) -> bool:
    """Leaves out damaged fonts, and those whose every glyph is blank or the same box, which some systems carry."""
    try:
        letters = [chr(code) for code in sorted(characters_of(font)) if chr(code).isalpha()][:20]
        opened = load_font(font, 24)
        drawn = {bytes(opened.getmask(letter, mode="L")) for letter in letters}
    except (UserError, OSError, ValueError) as error:
        log.debug("font skipped: %s", error)
        return False
    return len(drawn) > len(letters) // 2 > 0


@cache
def characters_of(font: str) -> frozenset[int]:
    """Returns the code points a font has a glyph for.

    Raises:
        UserError: The file is no font, or cannot be drawn with.
    """
    path = _font_path(font)
    try:
        ImageFont.truetype(path, 16).getbbox("A")
        if path.suffix.lower() == ".ttc":
            with TTCollection(path, lazy=True) as collection:
                _check_extent(collection.fonts[0])
                return frozenset(collection.fonts[0].getBestCmap() or ())
        with TTFont(path, lazy=True) as opened:
            _check_extent(opened)
            return frozenset(opened.getBestCmap() or ())
    except Exception as error:  # fontTools raises many kinds for damaged tables
        raise UserError(f"synthesis.fonts: {path} cannot be read as a font ({error}).") from error


def _check_extent(font: TTFont) -> None:
    """Sees that no letter is so large that drawing it takes the memory.

    Raises:
        ValueError: One is.
    """
    head = font["head"]
    extent = max(head.xMax - head.xMin, head.yMax - head.yMin) / max(head.unitsPerEm, 1)
    if extent > LARGEST_LETTER:
        raise ValueError(f"a letter is {extent:.0f} times as large as its size")


def covering_fonts(text: str, fonts: Iterable[str]) -> tuple[str, ...]:
    """Returns those fonts that have a glyph for every character of ``text``; none for blank text."""
    needed = {ord(character) for character in text if not character.isspace()}
    return tuple(font for font in fonts if needed and needed <= characters_of(font))


def writable_phrases(phrases: Mapping[str, Sequence[str]], fonts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns each phrase that can be written, with its fonts; one warning names the languages of the others.

    Args:
        phrases: Phrases by language.
        fonts: The fonts at hand.
    """
    can_shape = features.check("raqm")
    writable: dict[str, tuple[str, ...]] = {}
    left_out = []
    for language, texts in phrases.items():
        unshapable = [text for text in texts if needs_shaping(text) and not can_shape]
        fitting = {text: covering_fonts(text, fonts) for text in texts if text not in unshapable}
        writable.update({text: covering for text, covering in fitting.items() if covering})
        if missing := len(texts) - sum(map(bool, fitting.values())):
            left_out.append(f"{language} ({missing}{', Pillow lacks Raqm to shape it' if unshapable else ''})")
    if left_out:
        log.warning(
            "phrases left out, since no font at hand covers them: %s; name fonts with synthesis.fonts=[FOLDER]",
            ", ".join(left_out),
        )
    return writable


@lru_cache(maxsize=512)
def load_font(font: str, pixels: int) -> ImageFont.FreeTypeFont:
    """Returns a font at a size in pixels.

    Raises:
        UserError: It is gone.
    """
    try:
        return ImageFont.truetype(_font_path(font), pixels)
    except OSError as error:
        raise UserError(f"the font {font} cannot be opened ({error}); restore it or leave it out.") from error


def _font_path(font: str) -> Path:
    if "/" in font or "\\" in font:
        return Path(font)
    return BUNDLED / _bundled_folders().get(font, "") / font


@cache
def _bundled_folders() -> dict[str, str]:
    """Returns in which further folder a bundled font lies."""
    return {font: folder for folder in FURTHER for font in _font_names(BUNDLED / folder)}


def find_logos(folder: str | None, part: LogoPart = "all") -> list[str]:
    """Returns the paths of the logos below a folder; a picture without transparency is passed over with a warning.

    Args:
        folder: Searched recursively; None for no logos.
        part: Of the sorted names, each tenth from the first on is ``held_out``; ``train`` is the others. A folder of
            fewer than :data:`LEAST_PARTED` files is not parted: all of it is ``train``.

    Raises:
        UserError: There is no such folder or part, or it holds no logo.
    """
    if part not in get_args(LogoPart):
        raise UserError(f"synthesis.logo_part={part} is unknown; choose from {', '.join(get_args(LogoPart))}.")
    if folder is None:
        return []
    if not Path(folder).is_dir():
        raise UserError(f"synthesis.logos={folder} is not a folder; give a folder of PNG files with transparency.")
    # Split by name before any is opened, so that a damaged file moves no other one to the other part.
    files = [path for path in sorted(Path(folder).resolve().rglob("*")) if path.suffix.lower() in LOGO_SUFFIXES]
    if part == "held_out" and len(files) < LEAST_PARTED:
        raise UserError(
            f"synthesis.logos={folder} has {len(files)} files, too few to hold some of them out; give at least "
            f"{LEAST_PARTED}, or set synthesis.logo_part=all."
        )
    parted, logos = part != "all" and len(files) >= LEAST_PARTED, []
    for number, path in enumerate(files):
        if parted and (number % HELD_OUT_LOGO == 0) != (part == "held_out"):
            continue
        try:
            load_logo(str(path))
            logos.append(str(path))
        except UserError as error:
            log.warning("logo skipped: %s", error)
    if not logos:
        raise UserError(f"synthesis.logos={folder} holds no logo; give PNG files with transparency.")
    return logos


@lru_cache(maxsize=256)
def load_logo(path: str) -> npt.NDArray[np.uint8]:
    """Returns a logo, its empty margins cut off: (h, w, 4) uint8, not premultiplied.

    Raises:
        UserError: It cannot be read, or has no transparency, or is empty.
    """
    try:
        with Image.open(path) as opened:
            if not opened.has_transparency_data:
                raise UserError(f"{path} has no transparency; save it with a transparent background.")
            image = opened.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a picture ({error}).") from error
    box = image.getchannel("A").getbbox()
    if box is None:
        raise UserError(f"{path} is transparent everywhere.")
    image = image.crop(box)
    image.thumbnail((LARGEST_LOGO, LARGEST_LOGO))
    return np.array(image)
