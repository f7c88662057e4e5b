"""Makes the fonts in ``src/wm_lightning/data/synthesis/fonts/extra`` and ``extra_held_out`` from npm packages.

The packages are ``@fontsource/NAME`` and ``dseg``, unpacked into folders of these names below the one that is named:

    for name in pacifico caveat ...; do   # the keys of FONTS below
        npm pack @fontsource/$name && mkdir -p npm/$name
        tar xzf fontsource-$name-*.tgz -C npm/$name --strip-components=1
    done
    npm pack dseg && mkdir -p npm/dseg && tar xzf dseg-*.tgz -C npm/dseg --strip-components=1
    python scripts/extra_fonts.py npm

What lies in ``extra`` training may draw with; what lies in ``extra_held_out`` only ``synthesis=held_out_real`` does.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

log = logging.getLogger("extra_fonts")

TARGET = Path(__file__).resolve().parents[1] / "src/wm_lightning/data/synthesis/fonts"
LATIN = "0020-007E,00A0-00FF,0131,0152,0153,2013,2014,2018,2019,201C,201D,2022,2026,2122"
STAMP = "0020,002D,002E,0030-0039,003A"  # what a camera stamps: digits and what stands between them
WEIGHT_600 = "files/oswald-latin-600-normal.woff"
FONTS = {
    "extra": {
        "alex-brush": "AlexBrush-Regular",
        "anton": "Anton-Regular",
        "bebas-neue": "BebasNeue-Regular",
        "caveat": "Caveat-Regular",
        "great-vibes": "GreatVibes-Regular",
        "la-belle-aurore": "LaBelleAurore-Regular",
        "oswald": "Oswald-SemiBold",
        "pacifico": "Pacifico-Regular",
        "reenie-beanie": "ReenieBeanie-Regular",
        "shadows-into-light": "ShadowsIntoLight-Regular",
    },
    "extra_held_out": {
        "allura": "Allura-Regular",
        "archivo-black": "ArchivoBlack-Regular",
        "fjalla-one": "FjallaOne-Regular",
        "indie-flower": "IndieFlower-Regular",
        "nothing-you-could-do": "NothingYouCouldDo-Regular",
    },
}
# DSEG is a Reserved Font Name, which a changed font may not bear.
SEGMENTS = {
    "extra": ("fonts/DSEG7-Classic/DSEG7Classic-Bold.ttf", "SevenSegments", "Bold"),
    "extra_held_out": ("fonts/DSEG14-Classic/DSEG14Classic-BoldItalic.ttf", "FourteenSegments", "BoldItalic"),
}


def main() -> None:
    """Writes every font."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder of the unpacked packages")
    packages = parser.parse_args().packages
    for part, fonts in FONTS.items():
        (TARGET / part).mkdir(exist_ok=True)
        for package, name in fonts.items():
            source = WEIGHT_600 if package == "oswald" else f"files/{package}-latin-400-normal.woff"
            write(packages / package / source, TARGET / part / f"{name}.ttf", LATIN)
    for part, (source, family, style) in SEGMENTS.items():
        write(packages / "dseg" / source, TARGET / part / f"{family}-{style}.ttf", STAMP, (family, style))


def write(source: Path, target: Path, characters: str, renamed: tuple[str, str] | None = None) -> None:
    """Writes a subset of a font, without hinting and under another name where one is given."""
    options = subset.Options(
        hinting=False,
        layout_features=["ccmp", "locl", "liga", "kern", "mark", "mkmk"],
        name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
        notdef_outline=True,
        recalc_timestamp=False,
        harfbuzz_repacker=False,
    )
    font = subset.load_font(source, options)
    if renamed is not None:
        rename(font, *renamed)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=subset.parse_unicodes(characters))
    subsetter.subset(font)
    font.flavor = None
    font.save(target)
    log.info("%7d bytes  %s", target.stat().st_size, target.name)


def rename(font: TTFont, family: str, style: str) -> None:
    """Gives a font another name wherever it has one; copyright and licence stay."""
    for number, text in ((1, family), (2, style), (3, f"{family}-{style}"), (4, f"{family} {style}"), (6, family)):
        for record in font["name"].names:
            if record.nameID == number:
                record.string = text
    font["name"].names = [record for record in font["name"].names if record.nameID not in (16, 17, 18, 21, 22)]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    main()
