import pytest
from PIL import Image

ARGUMENTS = ("synthesis.system_fonts=false", "data.size=48", "count=3")


def test_a_contact_sheet_is_written_and_is_the_same_for_a_seed(command):
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        outcome = command("preview", f"out=sheets/{name}.png", f"seed={seed}", *ARGUMENTS)
        assert outcome.status == 0, outcome.err
    first, again, other = (Image.open(f"sheets/{name}.png").tobytes() for name in ("first", "again", "other"))
    assert first == again != other
    width, height = Image.open("sheets/first.png").size
    assert width > 5 * 48
    assert height > 3 * 48


def test_photographs_and_preset_can_be_chosen(command, photographs):
    arguments = ("data=folder", f"data.root={photographs}", "synthesis=clwd", "data.size=32", "count=30")
    outcome = command("preview", "out=sheet.jpg", *arguments)
    assert outcome.status == 0, outcome.err
    assert Image.open("sheet.jpg").height > 30 * 32  # more rows than photographs: they come again


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["out=sheet.txt"], "out=sheet.txt must be a picture file"),
        (["synthesis=nothing"], "Could not find 'synthesis/nothing'"),
        (["count=0"], "count=0 must be at least 1"),
    ],
)
def test_bad_input_is_one_sentence(command, arguments, sentence):
    outcome = command("preview", *arguments)
    assert outcome.status == 1
    assert sentence in outcome.err
