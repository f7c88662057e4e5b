"""Fonts: which there are and what they can write. The only file access of the synthesis."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import ImageFont, features

from wm_lightning.errors import UserError

log = logging.getLogger(__name__)

# Matplotlib ships these wherever this project runs, so equal seeds give equal marks on every machine.
BUNDLED = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono-Bold.ttf", "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf", "DejaVuSerif-Italic.ttf", "STIXGeneral.ttf", "STIXGeneralBol.ttf",
)  # fmt: skip
FONT_SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
SHAPED_LANGUAGES = frozenset({"Arabic", "Hindi"})  # letters join or move: needs Raqm


def font_files(extra: Sequence[str] = ()) -> list[Path]:
    """Returns the bundled fonts and those of ``extra``, files or folders that are searched recursively.

    Raises:
        UserError: A path of ``extra`` does not exist, or is a folder without fonts.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    found = [folder / name for name in BUNDLED]
    for entry in map(Path, extra):
        if not entry.exists():
            raise UserError(f"synthesis.fonts: there is no {entry}; give font files or folders that hold some.")
        below = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        fonts = [path for path in below if path.suffix.lower() in FONT_SUFFIXES]
        if not fonts:
            raise UserError(f"synthesis.fonts: {entry} is or holds no font ({', '.join(sorted(FONT_SUFFIXES))}).")
        found += fonts
    return found


@lru_cache
def characters_of(font: Path) -> frozenset[int]:
    """Returns the code points a font has a glyph for.

    Raises:
        UserError: The file is no font.
    """
    try:
        if font.suffix.lower() == ".ttc":
            with TTCollection(font, lazy=True) as collection:
                return frozenset(collection.fonts[0].getBestCmap() or ())
        with TTFont(font, lazy=True) as opened:
            return frozenset(opened.getBestCmap() or ())
    except (TTLibError, OSError) as error:
        raise UserError(f"synthesis.fonts: {font} cannot be read as a font ({error}).") from error


def covering_fonts(text: str, fonts: Sequence[Path]) -> tuple[str, ...]:
    """Returns the paths of those fonts that have a glyph for every character of ``text``."""
    needed = {ord(character) for character in text if not character.isspace()}
    return tuple(str(font) for font in fonts if needed <= characters_of(font))


def writable_phrases(phrases: Mapping[str, Sequence[str]], fonts: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Returns each phrase that can be written, with its fonts; the others are left out, one log line a language.

    Args:
        phrases: Phrases by language.
        fonts: The fonts at hand.
    """
    can_shape = features.check("raqm")
    writable = {}
    for language, texts in phrases.items():
        fitting = {text: covering_fonts(text, fonts) for text in texts}
        missing = [text for text, covering in fitting.items() if not covering]
        if language in SHAPED_LANGUAGES and not can_shape:
            log.warning("%s phrases are left out: this Pillow lacks Raqm, which shapes their script", language)
            continue
        if missing:
            log.warning("%d %s phrases are left out: no font covers them; see synthesis.fonts", len(missing), language)
        writable.update({text: covering for text, covering in fitting.items() if covering})
    return writable


@lru_cache(maxsize=512)
def load_font(path: str, pixels: int) -> ImageFont.FreeTypeFont:
    """Returns a font at a size in pixels."""
    return ImageFont.truetype(path, pixels)
