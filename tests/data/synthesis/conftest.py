from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from wm_lightning.data import synthesis
from wm_lightning.data.synthesis import assets, draw, emblems, lettering
from wm_lightning.data.synthesis.spec import MarkSpec, Shape


@pytest.fixture(scope="session")
def fonts():
    """The folder of the bundled fonts."""
    return Path(synthesis.__file__).parent / "fonts"


@pytest.fixture
def mark():
    """A white filled rectangle, twice as wide as high, that hides what is below it; changed as told."""

    def make(**changes):
        plain = {"art": Shape("rectangle", aspect=0.5), "size": 0.5, "colour": (255, 255, 255)}
        return MarkSpec(**{**plain, **changes})

    return make


@pytest.fixture
def forget():
    """Empties everything that remembers drawings."""

    def empty():
        for module in (assets, draw, emblems, lettering):
            for function in vars(module).values():
                if hasattr(function, "cache_clear"):
                    function.cache_clear()

    return empty


@pytest.fixture
def make_font():
    """Writes a font whose glyphs are boxes of ``different`` widths, the ``same`` box, or ``blank``."""

    def make(path, characters, look="different"):
        characters = sorted(set(characters))
        glyphs = {}
        for number in range(len(characters) + 1):  # the first is .notdef
            pen = TTGlyphPen(None)
            if look != "blank":
                right = 100 + (20 * number if look == "different" else 0)
                for step, point in enumerate([(50, 0), (50, 600), (right, 600), (right, 0)]):
                    (pen.lineTo if step else pen.moveTo)(point)
                pen.closePath()
            glyphs[f"glyph{number}" if number else ".notdef"] = pen.glyph()
        builder = FontBuilder(1000)
        builder.setupGlyphOrder(list(glyphs))
        builder.setupCharacterMap({ord(character): f"glyph{number}" for number, character in enumerate(characters, 1)})
        builder.setupGlyf(glyphs)
        builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
        builder.setupHorizontalHeader(ascent=800, descent=-200)
        builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost()
        path.parent.mkdir(parents=True, exist_ok=True)
        builder.save(path)
        return path

    return make
