"""Rebuilds the font subsets in ``src/wm_lightning/data/synthesis/fonts`` from the Noto fonts of Debian.

Run it again after a phrase with new characters came to ``conf/synthesis/phrases/ten_languages.yaml``. The sources need
not be installed; unpacked packages do:

    apt-get download fonts-noto-core fonts-noto-cjk
    for package in fonts-noto-*.deb; do dpkg -x "$package" noto; done
    python scripts/subset_fonts.py noto

Where they are installed (``apt-get install fonts-noto-core fonts-noto-cjk``), leave the folder away. The same sources
and the same fontTools give the same bytes.
"""

from __future__ import annotations

import argparse
import logging
import string
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from fontTools import subset
from omegaconf import OmegaConf
from yaml import YAMLError

log = logging.getLogger("subset_fonts")

ROOT = Path(__file__).resolve().parents[1]
PHRASES = ROOT / "conf/synthesis/phrases/ten_languages.yaml"
TARGET = ROOT / "src/wm_lightning/data/synthesis/fonts"

# Basic Latin, Latin-1, Latin Extended-A, punctuation and signs, Cyrillic
LATIN = "0020-007E,00A0-017F,2010-2015,2018-201E,2020-2022,2026,2030,2032,2033,2039,203A,20AC,2116,2122,0400-045F"
ARABIC = "0020,060C,061B,061F,0620-0652,0660-0669,200C-200F"
HINDI = "0020,0901-0903,0905-0914,0915-0928,092A-0930,0932,0935-0939,093C-094D,0950,0964-0970,200C,200D"
KANA = "0020,3001,3002,300C,300D,3041-3096,30A0-30FE"
SPACE = "0020"  # and what the phrases need

# What Raqm applies to horizontal text; the other features would bring glyphs that are never drawn.
FEATURES = [
    *("ccmp", "locl", "rlig", "liga", "calt", "rclt", "kern", "mark", "mkmk"),  # all scripts
    *("init", "medi", "fina", "isol"),  # Arabic
    *("nukt", "akhn", "rphf", "rkrf", "half", "vatu", "cjct", "pres", "abvs", "blws", "psts", "haln"),  # Devanagari
    *("blwf", "dist", "abvm", "blwm"),
]
NAMES = [0, 1, 2, 3, 4, 5, 6, 7, 13, 14]  # copyright, names, version, trademark, licence and its address


class Group(NamedTuple):
    """Fonts that get the same characters: a fixed set and those of the phrases in some languages."""

    languages: Sequence[str]
    characters: str
    fonts: Mapping[str, tuple[str, int]]
    """Source file and number in the collection (-1: none) by name of the subset."""


def single(*names: str) -> dict[str, tuple[str, int]]:
    """Returns sources that keep their name."""
    return {f"{name}.ttf": (f"{name}.ttf", -1) for name in names}


def collected(region: str, number: int) -> dict[str, tuple[str, int]]:
    """Returns the sources of a region, which is a number in each collection."""
    return {
        f"Noto{style}{region}-{weight}.otf": (f"Noto{style}CJK-{weight}.ttc", number)
        for style in ("Sans", "Serif")
        for weight in ("Regular", "Bold")
    }


GROUPS = (
    Group(
        ("English", "Spanish", "French", "German", "Russian", "Signature"),
        LATIN,
        single(
            *("NotoSans-Regular", "NotoSans-Bold", "NotoSans-Italic", "NotoSans-BoldItalic"),
            *("NotoSerif-Regular", "NotoSerif-Bold", "NotoSerif-Italic", "NotoSerif-BoldItalic"),
        ),
    ),
    Group(
        ("Arabic",),
        ARABIC,
        single("NotoSansArabic-Regular", "NotoSansArabic-Bold", "NotoNaskhArabic-Regular", "NotoKufiArabic-Bold"),
    ),
    # With all its conjuncts the alphabet is large, so one font has it.
    Group(("Hindi",), HINDI, single("NotoSansDevanagari-Regular")),
    Group(
        ("Hindi",), SPACE, single("NotoSansDevanagari-Bold", "NotoSerifDevanagari-Regular", "NotoSerifDevanagari-Bold")
    ),
    Group(("Chinese",), SPACE, collected("SC", 2)),
    Group(("Japanese",), KANA, collected("JP", 0)),
    Group(("Korean",), SPACE, collected("KR", 1)),
)


def main() -> None:
    """Reads the phrases and writes every subset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sources", nargs="?", type=Path, default=Path("/usr/share/fonts"), help="searched recursively (%(default)s)"
    )
    sources = parser.parse_args().sources
    phrases = read_phrases(PHRASES)
    if others := phrases.keys() - {language for group in GROUPS for language in group.languages}:
        log.warning("no subset is made for %s; GROUPS in this script lists the languages", ", ".join(sorted(others)))
    TARGET.mkdir(parents=True, exist_ok=True)
    for group in GROUPS:
        needed = {ord(character) for language in group.languages for character in characters(phrases.get(language, ()))}
        wanted = needed | set(subset.parse_unicodes(group.characters))
        for name, (source, number) in group.fonts.items():
            missing = needed - write_subset(find(source, sources), number, wanted, TARGET / name)
            if missing:
                listed = " ".join(sorted(map(chr, missing)))
                sys.exit(f"error: {source} lacks characters of the {' and '.join(group.languages)} phrases: {listed}")
            log.info("%7d bytes  %s", (TARGET / name).stat().st_size, name)
    names = [name for group in GROUPS for name in group.fonts]
    log.info("%7d bytes  in %d files", sum((TARGET / name).stat().st_size for name in names), len(names))


def read_phrases(path: Path) -> dict[str, list[str]]:
    """Returns the phrases by language."""
    try:
        return cast("dict[str, list[str]]", OmegaConf.to_container(OmegaConf.load(path)))
    except (OSError, YAMLError) as error:
        sys.exit(f"error: {path} cannot be read: {' '.join(str(error).split())}")


def characters(phrases: Sequence[str]) -> set[str]:
    """Returns the characters of phrases, with letters and digits where a placeholder asks for them."""
    text = "".join(phrases)
    filling = string.ascii_letters + string.digits + "-./" if "{" in text else ""
    return set(text + filling) - set("{}")


def find(name: str, folder: Path) -> Path:
    """Returns the path of a font file somewhere below a folder."""
    found = sorted(folder.rglob(name))
    if not found:
        package = "fonts-noto-cjk" if name.endswith(".ttc") else "fonts-noto-core"
        sys.exit(f"error: {folder} holds no {name}; get it with the Debian package {package}.")
    return found[0]


def write_subset(source: Path, number: int, wanted: set[int], target: Path) -> set[int]:
    """Writes a subset of a font and returns the code points it has."""
    options = subset.Options(
        font_number=number,
        hinting=False,
        layout_features=FEATURES,
        name_IDs=NAMES,
        notdef_outline=True,  # a character it lacks shows as a box, not as a gap
        recalc_timestamp=False,
        harfbuzz_repacker=False,  # the same bytes whether or not uharfbuzz is installed
    )
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    subset.save_font(font, target, options)
    return set(font.getBestCmap())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it reports every glyph
    main()
