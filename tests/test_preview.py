from pathlib import Path

import cv2
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


def test_opencv_has_its_threads_back(command):
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        assert command("preview", *ARGUMENTS).status == 0
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


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
        (["out=file/sheet.png", "data.size=32"], "file/sheet.png cannot be written: "),
        (["hydra.run.dir=file/run"], "error: file/run cannot be used: "),
    ],
)
def test_bad_input_is_one_sentence(command, arguments, sentence):
    Path("file").touch()
    outcome = command("preview", *arguments)
    assert outcome.status == 1
    assert sentence in outcome.err


def save_pairs(folder, below, count):
    for number in range(count):
        for name, grey in (("clean", 100), ("watermarked", 180)):
            (folder / below / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 40), (grey, grey, grey)).save(folder / below / name / f"{number}.png")
    return folder


def test_real_pairs_are_shown_without_what_they_do_not_have(command, tmp_path):
    root = save_pairs(tmp_path / "pairs", ".", 10)
    outcome = command("preview", "out=sheet.png", "data=paired", f"data.root={root}", "data.size=32", "count=2")
    assert outcome.status == 0, outcome.err
    sheet = Image.open("sheet.png")
    assert sheet.width == 3 * (32 + 6) + 6
    # Below their titles: the photograph, the watermarked picture, and a mask that is white where they differ.
    assert [sheet.getpixel((6 + column * 38 + 16, 50))[0] for column in range(3)] == [100, 180, 255]


def test_pairs_without_any_to_train_on_are_one_sentence(command, tmp_path):
    root = save_pairs(tmp_path / "pairs", "test", 3)
    outcome = command("preview", "data=paired", f"data.root={root}", "data.size=32")
    assert outcome.status == 1
    assert "error: data.root holds no pairs for train" in outcome.err
