"""``predict.py`` as typed."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wm_lightning.errors import UserError
from wm_lightning.inference import findings, known, outputs, sheets
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.command import predict
from wm_lightning.inference.search import SENSITIVITIES

pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")


def read(path):
    with Image.open(path) as opened:
        return np.asarray(opened)


def test_a_picture_comes_out_clean_and_the_input_stays(run, save):
    clean, picture = save("photo.png")
    status, out, err = run("photo.png", "-o", "cleaned")
    assert (status, err) == (0, "")
    assert np.abs(read("cleaned/photo.png").astype(int) - clean).max() <= 1
    assert np.array_equal(read("photo.png"), picture)
    assert "cleaned/photo.png: 1 mark, 25.0% of its pixels changed: 30x20 at 20,10 (96% sure)" in out
    assert "1 of 1 pictures written; " in out
    assert "pictures/s" in out
    assert run.opened == [("general", "auto", "auto", 1, [])]


def test_a_folder_comes_out_with_its_structure_in_order(run, save):
    names = [f"photos/{folder}/{number}.png" for folder in "ab" for number in range(4)]
    for name in names:
        save(name, mark=name.endswith(("0.png", "1.png")))
    status, out, _ = run("photos", "-o", "out", "--weights", "mine.safetensors", "--device", "cpu")
    assert status == 0
    written = [line.split(":")[0] for line in out.splitlines() if line.startswith("out/")]
    assert written == [name.replace("photos", "out") for name in names]
    assert out.count("nothing found that is surely a watermark") == 4
    assert "8 of 8 pictures written; 4 of them as they were; " in out
    assert out.count("--sensitivity high, or up to 1, asks for less evidence") == 1
    assert run.opened == [("mine.safetensors", "cpu", "auto", 1, [])]


def test_masks_and_comparisons_are_written_beside(run, save):
    save("photo.jpg")
    assert run("photo.jpg", "-o", "out", "--save-mask", "--compare")[0] == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["photo.compare.png", "photo.jpg", "photo.mask.png"]
    assert (read("out/photo.mask.png")[12:28, 24:46] == 255).all()
    both = read("out/photo.compare.png")
    assert both.shape == (40, 180, 3)
    assert np.array_equal(both[:, :60], read("photo.jpg"))
    assert np.array_equal(both[..., 0][:, 120:], read("out/photo.mask.png"))


def test_several_pictures_are_compared_on_a_sheet(run, save, monkeypatch):
    monkeypatch.setattr(sheets, "ROWS", 2)
    for number in range(3):
        save(f"photos/{number}.png")
    assert run("photos", "-o", "out", "--compare")[0] == 0
    first, second = read("out/compare-1.png"), read("out/compare-2.png")
    assert (first.shape, second.shape) == ((88, 180, 3), (44, 180, 3))
    assert np.array_equal(second[:40], read("out/2.compare.png"))


def test_a_report_says_for_scripts_what_was_found(run, save):
    save("a.png")
    save("b.png", mark=False)
    Path("c.png").write_bytes(b"")
    assert run("a.png", "b.png", "c.png", "-o", "out", "--report", "found.json")[0] == 1
    marked, plain, broken = json.loads(Path("found.json").read_text())
    assert (marked["file"], marked["result"]) == ("a.png", "out/a.png")
    assert (marked["width"], marked["height"], marked["changed"]) == (60, 40, 0.25)
    assert marked["marks"] == [
        {"box": [20, 10, 50, 30], "certainty": pytest.approx(0.96, abs=0.01), "pixels": 600, "known": False}
    ]
    assert (plain["marks"], plain["changed"], plain["warning"]) == ([], 0, None)
    assert (marked["status"], plain["status"]) == ("written", "written")
    sentence = "c.png is empty; it holds no picture."  # and no size or share, which nobody knows
    assert broken.pop("seconds") >= 0
    assert broken == {"file": "c.png", "status": "failed", "result": None, "notes": [], "error": sentence}


def test_a_report_that_cannot_be_written_is_one_sentence_and_the_pictures_stay(run, save):
    save("photo.png")
    Path("file").write_text("")
    status, _, err = run("photo.png", "-o", "out", "--report", "file/report.json")
    assert status == 1
    assert err.startswith("error: file/report.json cannot be written: ")
    assert err.count("\n") == 1
    assert Path("out/photo.png").exists()


@pytest.mark.parametrize(
    ("more", "option", "path"),
    [
        (["--report", "a.png"], "--report", "a.png"),
        (["--report", "out/a.png"], "--report", "out/a.png"),
        (["--compare"], "--compare", "out/compare-1.png"),
    ],
)
def test_what_is_written_beside_results_overwrites_none(run, save, more, option, path):
    names = sorted({"a.png", Path(path).name})
    for name in (*names, "other.png"):
        save(name)
    before = [Path(name).read_bytes() for name in names]
    status, _, err = run(*names, "other.png", "-o", "out", *more)
    assert (status, err) == (
        1,
        f"error: {option} would write over {path}; rename that picture, or leave {option} out.\n",
    )
    assert [Path(name).read_bytes() for name in names] == before
    assert not Path("out").exists()


def test_a_jpeg_in_which_nothing_is_found_is_the_same_file(run, save):
    save("photo.jpg", mark=False)
    assert run("photo.jpg", "-o", "out")[0] == 0
    assert Path("out/photo.jpg").read_bytes() == Path("photo.jpg").read_bytes()


def test_a_folder_is_no_report(run, save):
    save("photo.png")
    Path("folder").mkdir()
    status, _, err = run("photo.png", "-o", "out", "--report", "folder")
    assert (status, err) == (1, "error: --report folder is a folder; give a file.\n")


def test_a_doubtful_result_is_written_with_a_warning_or_refused(run, save, monkeypatch):
    save("photo.png")
    monkeypatch.setattr(findings, "MUCH", 0.2)
    warning = "25% of its pixels changed, which few watermarks cover"
    status, out, err = run("photo.png", "-o", "out", "--quiet")
    assert (status, out, err) == (0, "", f"warning: out/photo.png: {warning}; check it.\n")
    assert Path("out/photo.png").exists()
    status, out, err = run("photo.png", "-o", "strict", "--strict", "--report", "found.json")
    (refused,) = json.loads(Path("found.json").read_text())
    assert (refused["status"], refused["result"], refused["changed"]) == ("refused", None, 0.25)
    assert (status, err) == (3, f"error: photo.png was not written: {warning} (--strict).\n")
    assert "0 of 1 pictures written; 1 refused" in out
    assert not Path("strict").exists()


def test_sensitivity_and_scales_are_passed_on(run, save, monkeypatch):
    searches = []

    def watched(*arguments):
        searches.append(arguments[-1])
        return clean_pixels(*arguments)

    monkeypatch.setattr(known, "clean_pixels", watched)
    save("photo.png")
    run("photo.png", "-o", "out")
    run("photo.png", "-o", "out", "--sensitivity", "low", "--scales", "1", "--overwrite")
    run("photo.png", "-o", "out", "--sensitivity", "0.65", "--overwrite")
    assert [(one.sensitivity, one.scales) for one in searches] == [
        (SENSITIVITIES["normal"], None),
        (SENSITIVITIES["low"], 1),
        (0.65, None),
    ]


def test_a_mask_of_zeros_keeps_every_pixel_and_another_limits_the_change(run, save):
    clean, picture = save("photo.png")
    where = np.zeros((40, 60), np.uint8)
    Image.fromarray(where).save("mask.png")
    status, _, err = run("photo.png", "-o", "out", "--mask", "mask.png")
    assert (status, err) == (0, "warning: --mask mask.png is black: no pixel may change.\n")
    assert np.array_equal(read("out/photo.png"), picture)
    where[:, :35] = 255
    Image.fromarray(where).save("mask.png")
    assert run("photo.png", "-o", "out", "--mask", "mask.png", "--overwrite")[0] == 0
    assert np.array_equal(read("out/photo.png")[:, 35:], picture[:, 35:])
    assert np.abs(read("out/photo.png").astype(int) - clean)[:, :35].max() <= 1


def test_strength_goes_part_of_the_way(run, save):
    clean, picture = save("photo.png")
    assert run("photo.png", "-o", "out", "--strength", "0.5")[0] == 0
    assert np.abs(read("out/photo.png") - (clean / 2 + picture / 2)).max() <= 1.5


def test_a_bad_picture_is_named_and_the_others_go_on(run, save):
    save("photos/a.png")
    save("photos/c.png")
    Path("photos/b.png").write_bytes(b"")
    Path("photos/d.jpg").write_text("no picture")
    status, out, err = run("photos", "-o", "out")
    assert status == 1
    assert err.splitlines() == [
        "error: photos/b.png is empty; it holds no picture.",
        "error: photos/d.jpg is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP.",
    ]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "c.png"]
    assert "2 of 4 pictures written; 2 failed; " in out


@pytest.mark.parametrize("jobs", [1, 3])
def test_it_stops_at_the_first_bad_picture_if_told_to(run, save, jobs):
    Path("photos").mkdir()
    Path("photos/a.png").write_bytes(b"")
    for number in range(6):
        save(f"photos/b{number}.png")
    status, out, err = run("photos", "-o", "out", "--on-error", "stop", "--jobs", str(jobs))
    written = len(list(Path("out").glob("*.png")))  # of those beside it
    assert (status, err) == (1, "error: photos/a.png is empty; it holds no picture.\n")
    assert f"{written} of 7 pictures written; " in out
    assert "; 1 failed; " in out
    assert written < jobs


def test_what_stops_a_batch_is_told_of_and_not_what_was_given_up(run, save, monkeypatch):
    save("photos/a.png")
    Path("photos/b.png").write_bytes(b"")

    def until_the_command_stops(engine, pixels, *more):
        while True:  # as long as nobody stops it, or --max-minutes
            engine.correct(pixels / np.float32(255))
            time.sleep(0.01)

    monkeypatch.setattr(known, "clean_pixels", until_the_command_stops)
    arguments = ("photos", "-o", "out", "--on-error", "stop", "--max-minutes", "0.5")
    status, out, err = run(*arguments, "--jobs", "2", "--report", "found.json")
    assert (status, err) == (1, "error: photos/b.png is empty; it holds no picture.\n")
    assert "0 of 2 pictures written; 1 failed; " in out
    assert [one["file"] for one in json.loads(Path("found.json").read_text())] == ["photos/b.png"]


def test_a_disk_that_is_full_is_one_sentence_for_each_picture(run, save, monkeypatch):
    save("photo.png")

    def full(content, target):
        raise UserError(f"{target} cannot be written: No space left on device.")

    monkeypatch.setattr(outputs, "write_whole", full)
    status, _, err = run("photo.png", "-o", "out")
    assert (status, err) == (1, "error: out/photo.png cannot be written: No space left on device.\n")


def test_what_cannot_begin_is_one_sentence(run, save):
    save("photo.png")
    Path("text.png").write_text("no picture")
    Image.new("L", (3, 3), 255).save("small.png")
    for arguments, sentence in (
        (["nowhere.png", "-o", "out"], "There is no nowhere.png; give a picture, a folder or a pattern."),
        (["photo.png", "-o", "."], "photo.png is one of the inputs, which are never overwritten; give another -o, or"),
        (["photo.png", "-o", "out", "--mask", "no.png"], "--mask no.png is no file; give a picture, white where"),
        (["photo.png", "-o", "out", "--mask", "text.png"], "--mask text.png is no picture that can be read"),
        (
            ["photo.png", "-o", "out", "--mask", "small.png"],
            "photo.png: --mask small.png: The mask is 3x3, the",
        ),
    ):
        status, _, err = run(*arguments)
        assert status == 1
        assert err.startswith(f"error: {sentence}"), err
        assert len(err.splitlines()) == 1
    assert not Path("out").exists()


def test_help_says_what_there_is_and_on_which_pictures_to_use_it(capsys):
    with pytest.raises(SystemExit) as end:
        predict(["--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    for option in ("--output", "--weights", "--mask", "--strength", "--save-mask", "--compare", "--device", "--engine"):
        assert option in told
    assert "you have the right to change" in " ".join(told.split())


def test_a_strength_out_of_range_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        predict(["photo.png", "-o", "out", "--strength", "2"])
    assert end.value.code == 2
    assert "argument --strength: 2 must be in 0..1" in capsys.readouterr().err


def test_quiet_prints_errors_alone(run, save):
    save("photo.png")
    Path("bad.png").write_bytes(b"")
    status, out, err = run("photo.png", "bad.png", "-o", "out", "--quiet")
    assert (status, out) == (1, "")
    assert err.startswith("error: bad.png is empty")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--sensitivity", "some"), "--sensitivity some must be low, normal, high, or a number in 0..1."),
        (("--sensitivity", "1.5"), "--sensitivity 1.5 must be low, normal, high, or a number in 0..1."),
        (("--scales", "0"), "--scales 0 must be auto, or a whole number from 1."),
        (("--scales", "1.5"), "--scales 1.5 must be auto, or a whole number from 1."),
    ],
)
def test_what_no_search_can_be_is_one_sentence(run, save, option, sentence):
    save("photo.png")
    assert run("photo.png", "-o", "out", *option) == (1, "", f"error: {sentence}\n")


def test_augmentation_is_passed_on(run, save, capsys):
    save("photo.png")
    assert run("photo.png", "-o", "cleaned", "--tta", "8")[0] == 0
    assert run.opened == [("general", "auto", "auto", 8, [])]
    with pytest.raises(SystemExit):
        predict(["photo.png", "-o", "cleaned", "--tta", "3"])
    assert "argument --tta: invalid choice: 3 (choose from 1, 2, 4, 8)" in capsys.readouterr().err
