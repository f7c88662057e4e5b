import numpy as np
import pytest

from wm_lightning.data.synthesis.spec import Design, Emblem, MarkSpec, Part, Shape, Text, Tiling, ViewSpec
from wm_lightning.data.synthesis.synthesizer import replay
from wm_lightning.data.synthesis.traits import traits_of, traits_of_mask

GREY = np.full((37, 61, 3), 90, dtype=np.uint8)
SANS = "NotoSans-Regular.ttf"
BLOCK = Shape("rectangle", aspect=1.0)


def traits(*marks):
    return traits_of(replay(GREY, ViewSpec(marks)))


def test_coverage_and_opacity_of_a_block_are_those_of_its_pixels():
    view = replay(GREY, ViewSpec((MarkSpec(BLOCK, size=0.5, opacity=0.6),)))
    found = traits_of(view)
    assert found.coverage == pytest.approx(view.mask.sum() / (37 * 61))
    assert 0.1 < found.coverage < 0.2
    assert found.opacity == pytest.approx(0.6, rel=0.12)  # pixels of its edge are marked by half


def test_opacity_follows_the_mark():
    opacities = [traits(MarkSpec(BLOCK, size=0.8, opacity=opacity)).opacity for opacity in (0.2, 0.5, 1.0)]
    assert opacities == pytest.approx([0.2, 0.5, 1.0], rel=0.12)  # pixels of the edge are marked by half


def test_kinds_are_what_the_marks_show_and_tiled_whatever_is_repeated():
    text, emblem = Text("Sample", SANS), Emblem("disc", "star", SANS)
    assert traits(MarkSpec(text)).kinds == ("text",)
    assert traits(MarkSpec(emblem), MarkSpec(BLOCK), MarkSpec(text, center=(0.2, 0.2))).kinds == (
        "logo",
        "shape",
        "text",
    )
    assert traits(MarkSpec(text, size=0.2, tiling=Tiling((0.5, 0.5)))).kinds == ("tiled",)
    named = Part(Text("Muster", SANS, language="German"))
    for parts, kind in (((Part(emblem), named), "logo"), ((named,), "text"), ((Part(Shape("sparkle")),), "shape")):
        assert traits(MarkSpec(Design(parts))).kinds == (kind,)
    assert traits(MarkSpec(Design((Part(emblem), named), recipe="band"), size=0.8)).kinds == ("band",)
    assert traits(MarkSpec(Design((Part(emblem), named)))).languages == ("German",)


def test_languages_are_those_of_the_texts():
    marks = [MarkSpec(Text("Muster", SANS, language="German")), MarkSpec(Text("Sample", SANS, language="English"))]
    assert traits(*marks, *marks).languages == ("English", "German")
    assert traits(MarkSpec(Text("Sample", SANS))).languages == ()


def test_a_picture_without_a_mark_has_no_opacity():
    found = traits()
    assert (found.coverage, found.kinds, found.languages) == (0.0, (), ())
    assert np.isnan(found.opacity)


def test_of_a_mask_alone_only_the_coverage_is_known():
    mask = np.zeros((37, 61), dtype=bool)
    mask[:5, :7] = True
    found = traits_of_mask(mask)
    assert found.coverage == pytest.approx(35 / (37 * 61))
    assert np.isnan(found.opacity)
    assert found.kinds == ()
