"""Draws what a mark shows: texts, logos and shapes."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TypeVar, get_args

import numpy as np

from wm_lightning.data.synthesis.assets import Assets, covering_fonts, needs_shaping, writable_phrases
from wm_lightning.data.synthesis.ranges import checked_frequencies, checked_share, choose, within
from wm_lightning.data.synthesis.spec import Emblem, Frame, Logo, Shape, Style, Symbol, Text
from wm_lightning.errors import UserError

Choice = TypeVar("Choice", bound=str)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
EMBLEM_LINES = (0.0, 0.04, 0.06, 0.1)  # thickness of frames; 0 fills them
OUTLINES = (0.0, 0.02, 0.05)  # thickness of rectangles and ellipses
ENDINGS = (".com", ".net", ".org", ".io", ".de", ".ru", ".co.uk", ".app")
YEARS = (1998, 2026)
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class TextSampler:
    """Draws texts.

    Args:
        assets: The fonts at hand.
        phrases: Texts by language, in which ``{name}``, ``{year}`` and ``{date}`` are filled in; a phrase that no font
            covers is left out with a warning.
        names: What ``{name}`` stands for.
        styles: Relative frequency of ``fill``, ``outline``, ``shadow`` and ``emboss``.
        two_lines: Share of texts with a second line: another phrase of the same language.
        capitals: Share of texts in capital letters.
        spaced: Share of texts with space between the letters, of those whose script allows it.

    Raises:
        UserError: A share or frequency is out of bounds, or no phrase can be written.
    """

    def __init__(
        self,
        assets: Assets,
        phrases: Mapping[str, Sequence[str]],
        names: Sequence[str] = ("Jane Doe",),
        styles: Mapping[str, float] | None = None,
        two_lines: float = 0.0,
        capitals: float = 0.0,
        spaced: float = 0.0,
    ) -> None:
        where = "synthesis.sampler.text"
        self.styles = checked_frequencies(f"{where}.styles", styles or {"fill": 1}, get_args(Style))
        self.two_lines = checked_share(f"{where}.two_lines", two_lines)
        self.capitals = checked_share(f"{where}.capitals", capitals)
        self.spaced = checked_share(f"{where}.spaced", spaced)
        self.names = tuple(unicodedata.normalize("NFC", name) for name in names)
        if not self.names:
            raise UserError(f"{where}.names is empty; give what {{name}} stands for.")
        # Fonts must cover whatever a phrase can become.
        longest = {language: {text: self._everything(text) for text in texts} for language, texts in phrases.items()}
        fonts = writable_phrases({language: list(texts.values()) for language, texts in longest.items()}, assets.fonts)
        self.fonts = {
            language: {text: fonts[whole] for text, whole in texts.items() if whole in fonts}
            for language, texts in longest.items()
        }
        self.phrases = [(language, text) for language, texts in self.fonts.items() for text in texts]
        if not self.phrases:
            raise UserError(f"{where}.phrases: no phrase can be written; add phrases, or fonts (synthesis.fonts).")

    def __call__(self, generator: np.random.Generator) -> Text:
        """Draws one text; only ``generator`` is used and advanced."""
        language, phrase = self.phrases[int(generator.integers(len(self.phrases)))]
        fonts = self.fonts[language][phrase]
        text = self._filled(phrase, generator)
        if generator.random() < self.two_lines:
            others = [other for other in self.fonts[language] if other != phrase]
            second = others[int(generator.integers(len(others)))] if others else phrase
            both = tuple(font for font in fonts if font in self.fonts[language][second])
            if others and both:
                fonts, text = both, f"{text}\n{self._filled(second, generator)}"
        if generator.random() < self.capitals:
            text = text.upper()
        spacing = 0.0
        if generator.random() < self.spaced and not needs_shaping(text):
            spacing = within((0.05, 0.4), generator)
        font = fonts[int(generator.integers(len(fonts)))]
        style: Style = choose(self.styles, generator)  # type: ignore[assignment]  # checked above to be one
        return Text(text, font, style, spacing, language)

    def _everything(self, phrase: str) -> str:
        """Returns a text with every character that a phrase can come to have."""
        names = "".join(self.names)
        possible = phrase.replace("{name}", names + names.lower() if _is_address(phrase) else names)
        if "{" in phrase:
            possible = possible.replace("{year}", DIGITS).replace("{date}", f"{DIGITS}-./ ,{''.join(MONTHS)}")
        everything = possible + (possible.upper() if self.capitals else "")
        return "".join(dict.fromkeys(unicodedata.normalize("NFC", everything)))

    def _filled(self, phrase: str, generator: np.random.Generator) -> str:
        text = unicodedata.normalize("NFC", phrase)
        if "{" not in text:
            return text
        name = self.names[int(generator.integers(len(self.names)))]
        year = int(generator.integers(*YEARS, endpoint=True))
        if _is_address(text):
            name = name.lower().replace(" ", "")
        return text.replace("{name}", name).replace("{year}", str(year)).replace("{date}", _date(year, generator))


def _is_address(phrase: str) -> bool:
    """Tells whether names in a phrase are written small and without blanks."""
    return "www." in phrase or "@" in phrase


def _date(year: int, generator: np.random.Generator) -> str:
    month, day = int(generator.integers(1, 13)), int(generator.integers(1, 29))
    forms = (
        f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{month:02}/{day:02}/{year}",
        f"{MONTHS[month - 1]} {day}, {year}",
    )  # fmt: skip
    return forms[int(generator.integers(len(forms)))]


class LogoSampler:
    """Draws logos: the user's own files, and emblems made of shapes and letters.

    Args:
        assets: Logos, and the fonts for emblems.
        flat: Takes every pixel of a logo that is not transparent as opaque.
        frames: Those of emblems; None for all.
        symbols: Those within the frames; None for all.
        made: Share of emblems where there are files too; all are where there are none.

    Raises:
        UserError: There is neither a logo nor a font with Latin letters, a frame or symbol is unknown, or the share is
            out of bounds.
    """

    def __init__(
        self,
        assets: Assets,
        flat: bool = False,
        frames: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        made: float = 0.0,
    ) -> None:
        self.logos, self.flat = assets.logos, flat
        self.made = checked_share("synthesis.sampler.logo.made", made)
        self.frames = _chosen("synthesis.sampler.logo.frames", frames, get_args(Frame))
        self.symbols = _chosen("synthesis.sampler.logo.symbols", symbols, get_args(Symbol))
        self.fonts = covering_fonts(LETTERS + LETTERS.lower() + DIGITS, assets.fonts)
        if not self.logos and not self.fonts:
            raise UserError("synthesis.logos: there is no logo, and no font to make emblems with; give either.")
        if made and not self.fonts:
            raise UserError(f"synthesis.sampler.logo.made={made} needs a font with Latin letters; give one, or made=0.")

    def __call__(self, generator: np.random.Generator) -> Logo | Emblem:
        """Draws one logo; only ``generator`` is used and advanced."""
        if self.logos and not (self.made and generator.random() < self.made):
            return Logo(self.logos[int(generator.integers(len(self.logos)))], self.flat)
        count = int(generator.integers(1, 4))
        return Emblem(
            frame=self.frames[int(generator.integers(len(self.frames)))],
            symbol=self.symbols[int(generator.integers(len(self.symbols)))],
            font=self.fonts[int(generator.integers(len(self.fonts)))],
            initials="".join(LETTERS[int(number)] for number in generator.integers(26, size=count)),
            caption=made_up_name(generator) if generator.random() < 0.5 else "",
            thickness=EMBLEM_LINES[int(generator.integers(len(EMBLEM_LINES)))],
        )


def _chosen(name: str, wanted: Sequence[str] | None, known: Sequence[Choice]) -> tuple[Choice, ...]:
    if wanted is None:
        return tuple(known)
    if not wanted or not set(wanted) <= set(known):
        raise UserError(f"{name}=[{','.join(wanted)}] must be some of {', '.join(known)}.")
    return tuple(choice for choice in known if choice in wanted)


def made_up_name(generator: np.random.Generator) -> str:
    """Returns a pronounceable word, as companies have for names: no real one is meant."""
    syllables = [
        "bdfgklmnprstvz"[int(generator.integers(14))] + "aeiou"[int(generator.integers(5))]
        for _ in range(int(generator.integers(2, 5)))
    ]
    word = "".join(syllables) + ("", "n", "x", "r")[int(generator.integers(4))]
    return word.upper() if generator.random() < 0.5 else word.capitalize()


def made_up_domain(generator: np.random.Generator) -> str:
    """Returns such a word with an ending that addresses of the web have."""
    return made_up_name(generator).lower() + ENDINGS[int(generator.integers(len(ENDINGS)))]


def camera_stamp(generator: np.random.Generator) -> str:
    """Returns a date of digits alone, perhaps with the time."""
    year, month, day = int(generator.integers(*YEARS)), int(generator.integers(1, 13)), int(generator.integers(1, 29))
    forms = (
        f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{year % 100:02} {month} {day}",
        f"{month} {day} {year % 100:02}", f"{year}.{month:02}.{day:02}", f"{day:02}-{month:02}-{year % 100:02}",
    )  # fmt: skip
    date = forms[int(generator.integers(len(forms)))]
    if generator.random() < 0.35:
        date = f"{date} {int(generator.integers(24)):02}:{int(generator.integers(60)):02}"
    return date


def draw_shape(kind: str, generator: np.random.Generator) -> Shape:
    """Draws a shape's proportions; only ``generator`` is used and advanced.

    Args:
        kind: ``line``, ``rectangle``, ``circle``, ``grid`` or ``bars``.
        generator: The randomness.
    """
    if kind == "line":
        return Shape("line", aspect=within((0.01, 0.06), generator))
    if kind == "grid":
        return Shape("grid", thickness=within((0.02, 0.08), generator))
    if kind == "bars":
        return Shape("bars", thickness=within((0.04, 0.3), generator))
    assert kind in ("rectangle", "circle")
    return Shape(
        kind,  # type: ignore[arg-type]  # the assertion above does not narrow a str
        aspect=within((0.2, 1.0), generator),
        thickness=OUTLINES[int(generator.integers(len(OUTLINES)))],
    )
