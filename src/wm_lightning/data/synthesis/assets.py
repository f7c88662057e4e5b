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
            raise UserError(f"synthesis.sampler.fonts: there is no {entry}; give font files or folders that hold some.")
        below = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        fonts = [path for path in below if path.suffix.lower() in FONT_SUFFIXES]
        if not fonts:
            raise UserError(
                f"synthesis.sampler.fonts: {entry} is or holds no font ({', '.join(sorted(FONT_SUFFIXES))})."
            )
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
        raise UserError(f"synthesis.sampler.fonts: {font} cannot be read as a font ({error}).") from error


def covering_fonts(text: str, fonts: Sequence[Path]) -> tuple[str, ...]:
    """Returns the paths of those fonts that have a glyph for every character of ``text``; none for blank text."""
    needed = {ord(character) for character in text if not character.isspace()}
    return tuple(str(font) for font in fonts if needed and needed <= characters_of(font))


def writable_phrases(phrases: Mapping[str, Sequence[str]], fonts: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Returns each phrase that can be written, with its fonts; one warning names the languages of the others.

    Args:
        phrases: Phrases by language.
        fonts: The fonts at hand.
    """
    can_shape = features.check("raqm")
    writable: dict[str, tuple[str, ...]] = {}
    left_out = []
    for language, texts in phrases.items():
        shapable = can_shape or language not in SHAPED_LANGUAGES
        fitting = {text: covering_fonts(text, fonts) if shapable else () for text in texts}
        writable.update({text: covering for text, covering in fitting.items() if covering})
        if missing := sum(not covering for covering in fitting.values()):
            left_out.append(f"{language} ({missing}{'' if shapable else ', Pillow lacks Raqm to shape it'})")
    if left_out:
        log.warning(
            "phrases left out, since no font at hand covers them: %s; name fonts with synthesis.sampler.fonts",
            ", ".join(left_out),
        )
    return writable


@lru_cache(maxsize=512)
def load_font(path: str, pixels: int) -> ImageFont.FreeTypeFont:
    """Returns a font at a size in pixels."""
    return ImageFont.truetype(path, pixels)
