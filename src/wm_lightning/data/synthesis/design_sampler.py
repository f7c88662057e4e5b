"""Draws designs: marks of several colours, plates and effects, as people make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import numpy as np

from wm_lightning.data.synthesis import inks
from wm_lightning.data.synthesis.arts import (
    DIGITS,
    LETTERS,
    LogoSampler,
    TextSampler,
    camera_stamp,
    made_up_domain,
    made_up_name,
)
from wm_lightning.data.synthesis.assets import Assets, covering_fonts
from wm_lightning.data.synthesis.placement import Drawn
from wm_lightning.data.synthesis.ranges import checked_frequencies, choose, within
from wm_lightning.data.synthesis.spec import (
    BLACK,
    WHITE,
    Code,
    Colour,
    Design,
    Effect,
    Emblem,
    Logo,
    Net,
    Part,
    PartArt,
    Plate,
    PlateForm,
    Shape,
    Text,
    Tiling,
)
from wm_lightning.errors import UserError

ADDRESS = "./@-:"  # what stands between letters and digits in addresses and dates
# Between the letters of words that are made up, as a share of the font's size: letters that are placed one by one are
# remembered, where words that come once would be drawn anew each time.
SPACING = 0.02
BAND = 2.5  # length of a band, as a share of the picture's shorter side: more than pictures are long
CODES = (21, 25, 29)  # modules in a row


class DesignSampler:
    """Draws designs.

    Args:
        assets: The fonts at hand.
        text: Draws their texts.
        logo: Draws their logos and emblems.
        recipes: Frequency of what is drawn: ``logo`` (with an effect, perhaps on a plate), ``icon`` (a symbol or
            letters in a box), ``letters`` (a text with an effect), ``label`` (a text on a plate), ``address`` (on a
            strip), ``date`` (a camera's stamp), ``band`` (over the whole width), ``app`` (icon and name), ``sparkle``,
            ``repeated`` (text, perhaps with logos between), ``dense`` (small and close), ``lines`` (through the whole
            picture, with a text or logo between) and ``code`` (a square of modules).
        effects: Frequency of ``none``, ``outline``, ``shadow``, ``glow``, ``emboss``, ``double``.
        plates: Frequency of ``square``, ``rounded``, ``circle``, ``pill``.

    Raises:
        UserError: A frequency is out of bounds, or no font has Latin letters.
    """

    def __init__(
        self,
        assets: Assets,
        text: TextSampler,
        logo: LogoSampler,
        recipes: Mapping[str, float] | None = None,
        effects: Mapping[str, float] | None = None,
        plates: Mapping[str, float] | None = None,
    ) -> None:
        where = "synthesis.sampler.design"
        self.recipes = checked_frequencies(f"{where}.recipes", recipes or dict.fromkeys(RECIPES, 1), tuple(RECIPES))
        self.effects = checked_frequencies(f"{where}.effects", effects or {"none": 1}, get_args(Effect))
        self.plates = checked_frequencies(f"{where}.plates", plates or {"rounded": 1}, get_args(PlateForm))
        self.text, self.logo = text, logo
        self.latin = covering_fonts(LETTERS + LETTERS.lower() + DIGITS + ADDRESS, assets.fonts)
        if not self.latin:
            raise UserError(f"{where} needs a font with Latin letters; add one (synthesis.fonts) or leave designs out.")
        stamps = covering_fonts(DIGITS + "-.:", assets.fonts)
        self.stamps = tuple(font for font in stamps if not covering_fonts(LETTERS, [font])) or self.latin

    def __call__(self, generator: np.random.Generator) -> Drawn:
        """Draws one design; only ``generator`` is used and advanced."""
        recipe = choose(self.recipes, generator)
        drawn = RECIPES[recipe](self, generator)
        return drawn._replace(art=replace(drawn.art, recipe=recipe))

    def logos(self, generator: np.random.Generator) -> Drawn:
        """A logo or emblem."""
        part = self._styled(self._logo_part(generator), generator)
        plate = None
        if generator.random() < 0.35:
            plate = self._plate(inks.against(part.colour, generator), generator)
        design = Design((part,), plate=plate)
        return Drawn(design, inks.length((0.1, 1.0), generator), inks.opacity(generator), angle=None)

    def icons(self, generator: np.random.Generator) -> Drawn:
        """A symbol or letters of another colour and opacity, in a box that is nearly opaque."""
        ground = inks.colour(generator)
        art: PartArt
        kind = generator.random()
        if kind < 0.45:
            art = _without_caption(self.logo(generator))
        elif kind < 0.9:
            word = made_up_name(generator)
            art = self._lettered(word[: int(generator.integers(1, 4))], generator)
        else:
            art = Shape("sparkle")
        own = isinstance(art, Logo) and generator.random() < 0.5
        part = Part(art, None if own else inks.against(ground, generator), within((0.6, 1.0), generator))
        form: PlateForm = "rounded" if generator.random() < 0.7 else self._form(generator)
        plate = Plate(
            form,
            ground,
            within((0.75, 0.92), generator),
            inks.colour(generator) if generator.random() < 0.3 else None,
            within((0.25, 0.6), generator),
            aspect=1.0,
        )
        return Drawn(Design((part,), plate=plate), inks.length((0.1, 0.5), generator))

    def letters(self, generator: np.random.Generator) -> Drawn:
        """A text with an effect; with nothing but its outline now and then."""
        part = self._styled(self._text_part(generator), generator)
        if part.effect == "outline" and generator.random() < 0.3:
            part = replace(part, opacity=0.0)
        return Drawn(Design((part,)), inks.length((0.2, 1.0), generator), inks.opacity(generator), angle=None)

    def labels(self, generator: np.random.Generator) -> Drawn:
        """A text on a plate."""
        part = self._text_part(generator)
        plate = self._plate(inks.against(part.colour, generator), generator)
        return Drawn(Design((part,), plate=plate), inks.length((0.2, 0.9), generator), inks.opacity(generator))

    def addresses(self, generator: np.random.Generator) -> Drawn:
        """An address of the web on a strip, at an edge."""
        art = self._lettered(f"{'www.' if generator.random() < 0.7 else ''}{made_up_domain(generator)}", generator)
        part = Part(art, inks.colour(generator), within((0.7, 1.0), generator))
        opacity = within((0.0, 1.0), generator) if generator.random() < 0.7 else 0.0
        plate = Plate("square", inks.against(part.colour, generator), opacity, padding=within((0.1, 0.6), generator))
        places = {"corner": 0.45, "bottom": 0.35, "top": 0.1, "centre": 0.1}
        size = inks.length((0.2, 0.7), generator)
        return Drawn(Design((part,), plate=plate), size, within((0.5, 1.0), generator), places=places)

    def dates(self, generator: np.random.Generator) -> Drawn:
        """What a camera stamps: mostly orange or yellow, in a corner."""
        fonts = self.stamps if generator.random() < 0.7 else self.latin
        art = Text(camera_stamp(generator), fonts[int(generator.integers(len(fonts)))], spacing=SPACING)
        colour = WHITE
        if generator.random() < 0.8:
            colour = 255, round(within((60, 230), generator)), round(within((0, 70), generator))
        effect: Effect = ("none", "glow", "shadow", "outline")[int(generator.integers(4))]
        around: Colour = (colour[0], colour[1] // 2, 0) if effect == "glow" else BLACK
        part = Part(art, colour, effect=effect, effect_colour=around, effect_opacity=within((0.2, 0.8), generator))
        places = {"corner": 0.9, "bottom": 0.1}
        size = inks.length((0.15, 0.5), generator)
        return Drawn(Design((part,)), size, within((0.7, 1.0), generator), places=places, margins=(0.02, 0.1))

    def bands(self, generator: np.random.Generator) -> Drawn:
        """A band with a text over the whole width, sometimes aslant."""
        text = self._text_part(generator)
        plate = Plate(
            "square",
            inks.against(text.colour, generator),
            1.0 if generator.random() < 0.25 else within((0.15, 0.8), generator),
            padding=within((0.1, 0.6), generator),
            aspect=within((12, 36), generator),
        )
        parts = [text]
        if generator.random() < 0.3:
            parts.insert(0, replace(self._logo_part(generator), opacity=text.opacity))
        if generator.random() < 0.3:
            parts = parts * int(generator.integers(2, 4))
        places, angle = {"bottom": 0.6, "top": 0.2, "centre": 0.2}, 0.0
        if generator.random() < 0.15:
            places, angle = {"anywhere": 1.0}, inks.slant(generator)
        design = Design(tuple(parts), gap=within((0.3, 2.0), generator), plate=plate)
        return Drawn(design, BAND, angle=angle, places=places, margins=(0.0, 0.0))

    def apps(self, generator: np.random.Generator) -> Drawn:
        """An icon and a name beside or below it, as an application or a broadcaster has them."""
        icon = replace(self._logo_part(generator), height=1.0)
        icon = replace(icon, art=_without_caption(icon.art))
        if generator.random() < 0.15:
            icon = Part(Shape("sparkle"), WHITE)
        word = made_up_name(generator)
        if generator.random() < 0.2:
            word = f"{word}\n@{made_up_name(generator).lower()}"
        ink = WHITE if generator.random() < 0.6 else inks.colour(generator)
        opacity = icon.opacity if generator.random() < 0.6 else within((0.4, 1.0), generator)
        name = Part(self._lettered(word, generator), ink, opacity, height=within((0.35, 0.8), generator))
        styled = self._styled(icon, generator)
        around = styled.effect_colour if styled.effect_colour != ink else BLACK
        name = replace(name, effect=styled.effect, effect_colour=around, effect_opacity=styled.effect_opacity)
        plate = None if generator.random() < 0.75 else self._plate(inks.against(ink, generator), generator)
        layout = "row" if generator.random() < 0.8 else "column"
        design = Design((styled, name), layout, within((0.1, 0.35), generator), plate)  # type: ignore[arg-type]
        places = {"corner": 0.8, "edge": 0.1, "anywhere": 0.1}
        return Drawn(design, inks.length((0.16, 0.55), generator), inks.opacity(generator), places=places)

    def sparkles(self, generator: np.random.Generator) -> Drawn:
        """A small star of four points in a corner, as programs that make pictures leave it."""
        effect: Effect = "none" if generator.random() < 0.7 else "shadow"
        part = Part(Shape("sparkle"), WHITE, effect=effect, effect_opacity=0.4)
        size = inks.length((0.03, 0.14), generator)
        opacity = within((0.25, 0.95), generator)
        return Drawn(Design((part,)), size, opacity, places={"corner": 1.0}, margins=(0.02, 0.1))

    def repeated(self, generator: np.random.Generator) -> Drawn:
        """A text over and over along a slant, with logos between."""
        parts = [self._text_part(generator)]
        if generator.random() < 0.6:
            parts.append(self._logo_part(generator))
        parts = [replace(part, opacity=1.0) for part in parts]
        gap = within((0.05, 0.5), generator), within((0.05, 0.5), generator)
        tiling = Tiling(gap, 0.5 * int(generator.integers(2)))
        design = Design(tuple(parts), gap=within((0.3, 2.0), generator))
        angle = inks.slant(generator) if generator.random() < 0.75 else 0.0
        return Drawn(design, inks.length((0.2, 0.8), generator), within((0.15, 0.7), generator), tiling, angle)

    def dense(self, generator: np.random.Generator) -> Drawn:
        """A small text or logo, close to the next one."""
        part = self._text_part(generator) if generator.random() < 0.6 else self._logo_part(generator)
        gap = within((0.1, 0.5), generator), within((0.1, 0.5), generator)
        angle = inks.slant(generator) if generator.random() < 0.6 else 0.0
        tiling = Tiling(gap, 0.5 * int(generator.integers(2)))
        design = Design((replace(part, opacity=1.0),))
        return Drawn(design, inks.length((0.05, 0.18), generator), within((0.15, 0.8), generator), tiling, angle)

    def lines(self, generator: np.random.Generator) -> Drawn:
        """Lines through the whole picture, once or again and again, with a text or logo where they cross."""
        part = self._text_part(generator) if generator.random() < 0.6 else self._logo_part(generator)
        net = Net(
            "cross" if generator.random() < 0.7 else "grid",
            part.colour or WHITE,
            within((0.3, 1.0), generator),
            within((0.004, 0.02), generator),
            within((0.25, 0.55), generator),
            within((0.8, 2.0), generator),
        )
        plate = self._plate(inks.against(part.colour, generator), generator) if generator.random() < 0.15 else None
        design, opacity = Design((part,), plate=plate, net=net), within((0.2, 0.9), generator)
        if net.lines == "cross" and generator.random() < 0.25:  # one cross as large as the picture
            return Drawn(design, within((1.0, 1.6), generator), opacity, places={"centre": 1.0})
        angle = inks.slant(generator) if net.lines == "grid" and generator.random() < 0.4 else 0.0
        return Drawn(design, inks.length((0.25, 0.9), generator), opacity, Tiling(), angle)

    def codes(self, generator: np.random.Generator) -> Drawn:
        """A code, dark on a light plate."""
        art = Code(int(generator.integers(2**31)), CODES[int(generator.integers(len(CODES)))])
        dark = BLACK if generator.random() < 0.8 else inks.dark(generator)
        plate = Plate("square", WHITE, within((0.7, 1.0), generator), padding=0.08, aspect=1.0)
        places = {"corner": 0.75, "centre": 0.15, "anywhere": 0.1}
        size = inks.length((0.12, 0.4), generator)
        return Drawn(Design((Part(art, dark),), plate=plate), size, within((0.5, 1.0), generator), places=places)

    def _logo_part(self, generator: np.random.Generator) -> Part:
        art = self.logo(generator)
        own = isinstance(art, Logo) and generator.random() < 0.6
        return Part(art, None if own else inks.colour(generator), within((0.6, 1.0), generator))

    def _text_part(self, generator: np.random.Generator) -> Part:
        return Part(replace(self.text(generator), style="fill"), inks.colour(generator), within((0.5, 1.0), generator))

    def _styled(self, part: Part, generator: np.random.Generator) -> Part:
        """Gives a part an effect, and a gradient now and then."""
        effect: Effect = choose(self.effects, generator)  # type: ignore[assignment]  # checked to be one
        around = BLACK if effect == "shadow" else inks.against(part.colour, generator)
        gradient = None
        if part.colour is not None and generator.random() < 0.15:
            gradient = inks.colour(generator)
        strength = within((0.3, 0.9) if effect in ("shadow", "glow") else (0.6, 1.0), generator)
        return replace(part, effect=effect, effect_colour=around, effect_opacity=strength, gradient=gradient)

    def _plate(self, colour: Colour, generator: np.random.Generator) -> Plate:
        opacity = 1.0 if generator.random() < 0.3 else within((0.15, 0.95), generator)
        gradient = inks.colour(generator) if generator.random() < 0.1 else None
        return Plate(self._form(generator), colour, opacity, gradient, within((0.15, 0.7), generator))

    def _form(self, generator: np.random.Generator) -> PlateForm:
        form: PlateForm = choose(self.plates, generator)  # type: ignore[assignment]  # checked to be one
        return form

    def _lettered(self, word: str, generator: np.random.Generator) -> Text:
        return Text(word, self.latin[int(generator.integers(len(self.latin)))], spacing=SPACING)


RECIPES = {
    "logo": DesignSampler.logos,
    "icon": DesignSampler.icons,
    "letters": DesignSampler.letters,
    "label": DesignSampler.labels,
    "address": DesignSampler.addresses,
    "date": DesignSampler.dates,
    "band": DesignSampler.bands,
    "app": DesignSampler.apps,
    "sparkle": DesignSampler.sparkles,
    "repeated": DesignSampler.repeated,
    "dense": DesignSampler.dense,
    "lines": DesignSampler.lines,
    "code": DesignSampler.codes,
}


def _without_caption(art: PartArt) -> PartArt:
    return replace(art, caption="") if isinstance(art, Emblem) else art
