import dataclasses
import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_lightning.data.synthesis.spec import (
    Blend,
    DegradationSpec,
    Emblem,
    Frame,
    Logo,
    MarkSpec,
    Shape,
    Style,
    Symbol,
    Text,
    Tiling,
    ViewSpec,
    from_json,
    to_json,
)
from wm_lightning.errors import UserError

numbers = st.floats(allow_nan=False, allow_infinity=False)
colours = st.tuples(*[st.integers(0, 255)] * 3)
texts = st.builds(Text, st.text(), st.text(), style=st.sampled_from(get_args(Style)), spacing=numbers)
logos = st.builds(Logo, st.text(), flat=st.booleans())
emblems = st.builds(
    Emblem, st.sampled_from(get_args(Frame)), st.sampled_from(get_args(Symbol)), st.text(),
    initials=st.text(), caption=st.text(), thickness=numbers,
)  # fmt: skip
kinds_of_shapes = ("line", "rectangle", "circle", "grid", "bars")
shapes = st.builds(Shape, st.sampled_from(kinds_of_shapes), aspect=numbers, thickness=numbers)
tilings = st.builds(Tiling, gap=st.tuples(numbers, numbers), shift=numbers)
rows = st.lists(st.lists(numbers, max_size=3).map(tuple), max_size=3).map(tuple)
marks = st.builds(
    MarkSpec, st.one_of(texts, logos, emblems, shapes), center=st.tuples(numbers, numbers), size=numbers, angle=numbers,
    opacity=numbers, colour=st.none() | colours, second_colour=colours, blend=st.sampled_from(get_args(Blend)),
    aspect=st.none() | numbers, tiling=st.none() | tilings, alpha_field=rows,
    occlusion=st.none() | st.tuples(*[numbers] * 4),
)  # fmt: skip
degradations = st.builds(
    DegradationSpec, contrast=numbers, brightness=numbers, moire=st.none() | st.tuples(*[numbers] * 3), blur=numbers,
    resample=numbers, jpeg=st.none() | st.integers(1, 100),
)  # fmt: skip
views = st.builds(ViewSpec, marks=st.lists(marks, max_size=3).map(tuple), degradation=st.none() | degradations)

ARTS = [
    Text("© Jane\nعينة", "NotoSans-Regular.ttf", "outline", 0.1),
    Logo("marks/Ä b.png", flat=True),
    Emblem("shield", "initials", "NotoSans-Bold.ttf", "AB", "Nova", 0.0),
    *(Shape(kind, 0.3, 0.02) for kind in kinds_of_shapes),
]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(views)
def test_every_spec_comes_back_equal_from_json(spec):
    assert from_json(to_json(spec)) == spec


@pytest.mark.parametrize("art", ARTS, ids=lambda art: art.kind)
def test_each_kind_of_art_comes_back_as_the_same_type(art):
    spec = ViewSpec((MarkSpec(art, tiling=Tiling((0.1, 0.2), 0.5), occlusion=(0.1, 0.2, 0.3, 0.4)),), DegradationSpec())
    back = from_json(to_json(spec))
    assert back == spec
    assert type(back.marks[0].art) is type(art)
    assert hash(back) == hash(spec)


@pytest.mark.parametrize("value", [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 2**-1074, 123456789.123456789])
def test_numbers_come_back_to_the_last_bit(value):
    back = from_json(to_json(ViewSpec((MarkSpec(ARTS[0], size=value, alpha_field=((value, -value),)),))))
    assert back.marks[0].size.hex() == value.hex()
    assert back.marks[0].alpha_field == ((value, -value),)


def test_an_empty_view_is_a_spec_too():
    assert from_json(to_json(ViewSpec())) == ViewSpec()


def test_json_is_readable_by_anything_and_names_the_kind_of_art():
    read = json.loads(to_json(ViewSpec((MarkSpec(Shape("grid")),))))
    assert read["marks"][0]["art"] == {"kind": "grid", "aspect": 1.0, "thickness": 0.0}
    assert read["degradation"] is None


@pytest.mark.parametrize(
    "thing", [*ARTS, Tiling(), MarkSpec(ARTS[0]), DegradationSpec(), ViewSpec()], ids=lambda thing: type(thing).__name__
)
def test_nothing_in_a_spec_can_be_assigned(thing):
    for field in dataclasses.fields(thing):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field.name, getattr(thing, field.name))


def changed(path, value):
    """The JSON of a good spec with one thing in it replaced, or taken away where ``value`` is ...."""
    tree = json.loads(to_json(ViewSpec((MarkSpec(ARTS[0]), MarkSpec(Shape("line"))), DegradationSpec())))
    node = tree
    for step in path[:-1]:
        node = node[step]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return json.dumps(tree)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (["marks", 0, "size"], "large", r"marks\.0\.size"),
        (["marks", 1, "opacity"], None, r"marks\.1\.opacity"),
        (["marks", 1, "center"], [0.5], r"marks\.1\.center\.1"),
        (["marks", 0, "colour"], [1, 2, 3.5], r"marks\.0\.colour\.2"),
        (["marks", 0, "blend"], "subtract", r"marks\.0\.blend"),
        (["marks", 0, "art", "style"], "bold", r"marks\.0\.art\.text\.style"),
        (["marks", 0, "art", "text"], ..., r"marks\.0\.art\.text\.text"),
        (["marks", 0, "art", "kind"], "picture", r"marks\.0\.art"),
        (["marks", 1, "art"], ..., r"marks\.1\.art"),
        (["marks"], 3, "marks"),
        (["degradation", "jpeg"], "good", r"degradation\.jpeg"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(path, value, place):
    with pytest.raises(UserError, match=rf"^This is no watermark specification: {place}: [^\n]*\.$"):
        from_json(changed(path, value))


@pytest.mark.parametrize("text", ["", "{", "no json", "[1, 2]", "null"])
def test_text_that_is_no_spec_at_all_is_refused(text):
    with pytest.raises(UserError, match=r"^This is no watermark specification: the text: "):
        from_json(text)
