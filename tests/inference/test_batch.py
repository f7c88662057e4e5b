"""Batches in which some files are odd: each is one line, and the others are done."""

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.inference.awkward import bomb, exit_for_crash, wait_or_grow
from tests.inference.conftest import SQUARE
from wm_lightning.data.sources import BrokenPictureError, decode
from wm_lightning.data.swcnn import stamp
from wm_lightning.data.synthesis.assets import load_logo
from wm_lightning.errors import UserError
from wm_lightning.inference import batch, codecs, known
from wm_lightning.inference.cleaner import FileCleaner
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.outcomes import Outcome
from wm_lightning.inference.telling import readable
from wm_lightning.mark.known import from_image

pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")

REPOSITORY = Path(__file__).parents[2]


def read(path):
    with Image.open(path) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize(("option", "what"), [("--compare", "compare"), ("--save-mask", "mask")])
def test_masks_of_pictures_that_share_a_name_lie_beside_each_other(run, save, option, what):
    names = ["x.jpg", "x.png", f"y.{what}.png", "y.png", "z.png"]
    for name in names:
        save(name)
    before = [Path(name).read_bytes() for name in names]
    assert run(*names, "-o", "out", option)[0] == 0
    beside = [f"x.jpg.{what}.png", f"x.png.{what}.png", f"y.{what}.{what}.png", f"y.png.{what}.png", f"z.{what}.png"]
    sheet = ["compare-1.png"] if what == "compare" else []
    assert sorted(path.name for path in Path("out").iterdir()) == sorted([*names, *beside, *sheet])
    assert [Path(name).read_bytes() for name in names] == before


def test_a_crash_of_a_decoder_or_an_encoder_is_one_pictures(run, save, monkeypatch):
    for name in ("a", "crash", "b", "exit", "c"):
        save(f"photos/{name}.png", mark=name != "a")
    monkeypatch.setattr(codecs, "read_picture", exit_for_crash)
    status, out, err = run("photos", "-o", "out")
    assert status == 1
    assert [line.split(" cannot be read: ")[0] for line in err.splitlines()] == [
        "error: photos/crash.png",
        "error: photos/exit.png",
    ]
    assert "3 of 5 pictures written; 1 of them as they were; 2 failed" in out
    monkeypatch.undo()


@pytest.mark.skipif(os.name != "posix", reason="a process's memory is limited on POSIX alone")
def test_what_is_beyond_a_limit_is_one_pictures(run, save, monkeypatch):
    for name in ("a", "grow", "hang", "b"):
        save(f"photos/{name}.png")
    Image.new("L", (200, 100)).save("photos/wide.png")
    monkeypatch.setattr(codecs, "read_picture", wait_or_grow)
    limits = ("--max-megapixels", "0.015", "--max-memory", "1.5", "--max-minutes", "0.1")
    status, out, err = run("photos", "-o", "out", *limits)
    assert status == 1
    assert err.splitlines() == [
        "error: photos/grow.png needs more memory than it may have; reduce it first.",
        "error: photos/hang.png cannot be read: decoding it takes more than 0.1 minutes.",
        "error: photos/wide.png has more than 0.015 megapixels; reduce it first.",
    ]
    assert "2 of 5 pictures written; 3 failed" in out
    monkeypatch.undo()


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb())
    with pytest.raises(UserError, match=r"bomb\.png cannot be read as a picture"):
        from_image(path)
    with pytest.raises(UserError, match=r"bomb\.png cannot be read as a picture"):
        load_logo(str(path))
    with pytest.raises(UserError, match=r"bomb\.png cannot be read as a picture"):
        stamp(np.zeros((8, 8, 3), np.uint8), path, 1, 1)
    with pytest.raises(BrokenPictureError, match="exceeds limit"):
        decode(path)


def test_what_would_take_too_much_to_be_looked_at_is_one_pictures(run, save):
    save("a.png")
    Image.new("L", (16000, 1500)).save("large.png")
    status, out, err = run("large.png", "a.png", "-o", "out", "--max-memory", "0.7")
    assert status == 1
    assert err == "error: large.png would take some 0.74 GB to be looked at, and 0.7 are allowed; reduce it first.\n"
    assert "1 of 2 pictures written; 1 failed" in out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes here")
def test_a_pipe_in_a_folder_is_waited_for_by_nobody(run, save):
    save("photos/a.png")
    os.mkfifo("photos/pipe.jpg")
    status, _, err = run("photos", "-o", "out")
    assert status == 1
    assert err.startswith(
        "error: photos/pipe.jpg cannot be read: it is a folder, a pipe or a device; give a file, or -"
    )
    assert Path("out/a.png").exists()


def test_what_nobody_thought_of_is_one_pictures_too(run, save, monkeypatch):
    for name in "abc":
        save(f"photos/{name}.png")
    monkeypatch.setattr(known, "clean_pixels", fails_once(clean_pixels))
    status, out, err = run("photos", "-o", "out", "--quiet")
    assert (status, out) == (1, "")
    assert re.fullmatch(r"error: photos/[abc]\.png failed: KeyError: 'surprise'\.\n", err)
    assert len(list(Path("out").iterdir())) == 2


def fails_once(function):
    """Fails where it is called first."""
    calls = iter([True])

    def call(*arguments):
        if next(calls, False):
            raise KeyError("surprise")
        return function(*arguments)

    return call


def test_an_error_of_the_command_itself_keeps_its_trace(run, save, monkeypatch):
    save("a.png")

    def mistaken(options):
        raise OSError("nobody's file")

    monkeypatch.setattr(batch, "opened_engine", mistaken)
    with pytest.raises(OSError, match=r"^nobody's file$"):
        run("a.png", "-o", "out")


@pytest.mark.parametrize("option", ["--mask", "--mark", "--report", "--files-from", "-o"])
def test_a_name_that_is_too_long_is_one_sentence(run, save, option):
    save("a.png")
    status, _, err = run("a.png", *([] if option == "-o" else ["-o", "out"]), option, "x" * 300)
    assert status == 1
    assert err.startswith("error: ")
    assert err.endswith(": File name too long.\n")
    assert err.count("\n") == 1


@pytest.fixture
def lost_cluster(run, save, monkeypatch):
    """Runs the command on two pictures and a cluster that gives up after the first."""
    save("photos/a.png")
    save("photos/b.png")

    def give_up(jobs, mask, options):
        yield Outcome(jobs[0])
        raise UserError("The cluster gave up.")

    monkeypatch.setattr(batch, "on_cluster", give_up)
    return lambda *more: run("photos", "-o", "out", "--ray", *more)


def test_what_was_done_before_a_cluster_was_lost_is_told_of(lost_cluster):
    status, out, err = lost_cluster("--report", "found.json")
    assert (status, err) == (1, "error: The cluster gave up.\n")
    assert "1 of 2 pictures written; " in out
    assert [one["file"] for one in json.loads(Path("found.json").read_text())] == ["a.png"]


def test_a_report_of_a_cluster_s_pictures_is_a_file_here(lost_cluster):
    Path("found.json").write_bytes(b"mine")
    status, out, err = lost_cluster("--report", "found.json")
    assert (status, out) == (1, "")
    assert err.startswith("error: found.json exists already; ")
    assert Path("found.json").read_bytes() == b"mine"
    assert "--report would write over out/b.png; " in lost_cluster("--report", "out/b.png")[2]
    assert lost_cluster("--report", "b.png")[2] == "error: The cluster gave up.\n"  # which is no name below the folder


def test_a_terminal_has_its_standard_output_back_after_a_batch_that_stopped(run, save, monkeypatch):
    save("a.png")

    def elsewhere(self, jobs, places):
        with redirect_stdout(sys.stderr):
            yield Outcome(jobs[0], error="a.png failed.", status="failed")

    monkeypatch.setenv("FORCE_COLOR", "1")  # as if it were one
    monkeypatch.setattr(FileCleaner, "outcomes", elsewhere)
    before = sys.stdout
    assert run("a.png", "-o", "out", "--on-error", "stop")[0] == 1
    assert sys.stdout is before


def test_links_to_nowhere_and_to_themselves_are_one_pictures(run, save):
    save("photos/c.png")
    Path("photos/a.png").symlink_to("nowhere.png")
    Path("photos/b.png").symlink_to("b.png")
    for inputs in (["photos"], ["photos/a.png", "photos/b.png", "photos/c.png"], ["photos/*.png"]):
        status, out, err = run(*inputs, "-o", "out", "--overwrite")
        assert status == 1
        assert [line.split(" cannot be read: ")[0] for line in err.splitlines()] == [
            "error: photos/a.png",
            "error: photos/b.png",
        ]
        assert "1 of 3 pictures written; 2 failed" in out


@pytest.mark.parametrize(
    "name", ["~photo.png", "caf\udce9.png", "two\nlines.png", "[red]:star:*.png", f"{'long' * 60}.png"]
)
def test_a_file_may_have_any_name(run, save, name):
    save(name)
    status, out, err = run(name, "-o", "out", "--report", "found.json")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith(f"{readable('out/' + name)}: 1 mark")
    assert [path.name for path in Path("out").iterdir()] == [name]
    assert json.loads(Path("found.json").read_text())[0]["file"] == name


def test_two_that_would_become_one_are_told_of_and_the_others_are_done(run, save):
    save("a/x.png")
    save("b/x.png")
    save("b/y.png")
    Path("c.jp2").write_bytes(b"jP2")
    save("c.png")
    status, _, err = run("a/x.png", "b/x.png", "b/y.png", "c.jp2", "c.png", "-o", "out", "--save-mask")
    assert status == 1
    assert err.splitlines() == [
        "error: b/x.png and a/x.png would both be written to out/x.png; take it by itself.",
        "error: c.jp2 is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP.",
    ]
    names = ["c.mask.png", "c.png", "x.mask.png", "x.png", "y.mask.png", "y.png"]
    assert sorted(path.name for path in Path("out").iterdir()) == names


@pytest.mark.parametrize("bits", [8, 16])
def test_a_mask_of_any_depth_limits_the_change_as_far_as_it_is_grey(run, save, bits):
    clean, picture = save("photo.png")
    top = 2**bits - 1
    where = np.zeros((40, 60), np.uint8 if bits == 8 else np.uint16)
    where[:, :25], where[:, 25:35] = top, top // 2
    Image.fromarray(where).save("mask.png")
    assert run("photo.png", "-o", "out", "--mask", "mask.png")[0] == 0
    result = read("out/photo.png").astype(int)
    assert np.abs(result - clean)[:, :25].max() <= 1
    assert np.abs(result - (clean / 2 + picture / 2))[:, 25:35].max() <= 1.5
    assert np.array_equal(result[:, 35:], picture[:, 35:])


def test_a_mask_that_is_transparent_or_a_bomb_is_one_sentence(run, save):
    save("photo.png")
    half = np.zeros((40, 60, 2), np.uint8)
    half[:, :30] = 255
    Image.fromarray(half).save("half.png")
    Path("bomb.png").write_bytes(bomb())
    for mask, sentence in (
        ("half.png", "--mask half.png is transparent in part; give one of black, white and grey alone."),
        ("bomb.png", "--mask bomb.png has more than 179 megapixels; reduce it first."),
    ):
        assert run("photo.png", "-o", "out", "--mask", mask) == (1, "", f"error: {sentence}\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes are of POSIX")
def test_a_standard_output_that_ends_ends_no_batch(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        Image.new("L", (8, 8), number).save(photos / f"{number}水.png")
    command = [sys.executable, str(REPOSITORY / "predict.py"), "photos", "--strength", "0", "--device", "cpu", "-o"]
    piped = f"{shlex.join([*command, 'closed'])} | head -c 1"
    closed = subprocess.run(piped, shell=True, cwd=tmp_path, capture_output=True, check=False)
    assert closed.stderr == b""
    assert len(list((tmp_path / "closed").iterdir())) == 4
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252:strict"}
    narrow = subprocess.run([*command, "narrow"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (narrow.returncode, narrow.stderr) == (0, b"")
    assert len(list((tmp_path / "narrow").iterdir())) == 4
    assert rb"narrow/0\u6c34.png: nothing found" in narrow.stdout


def test_each_page_and_frame_is_cleaned_and_told_of(run, textured, marked):
    clean = [textured(40, 60, seed=seed) for seed in range(3)]
    first, second = marked(clean[0], *SQUARE), marked(clean[2], slice(5, 15), slice(5, 30))
    pages = [Image.fromarray(page) for page in (first, clean[1], second)]
    pages[0].save("pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save("film.png", save_all=True, append_images=pages[1:], duration=[100, 200, 300])
    status, out, err = run("pages.tif", "film.png", "-o", "out", "--save-mask", "--report", "found.json")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("out/pages.tif: 2 marks, ")
    assert out.splitlines()[0].endswith("% of its pixels changed, on 2 of its 3 pictures")
    for name in ("pages.tif", "film.png"):
        with Image.open(Path("out") / name) as opened:
            assert getattr(opened, "n_frames", 1) == 3
            for number, wanted in enumerate(clean):
                opened.seek(number)
                assert np.abs(np.asarray(opened.convert("RGB")).astype(int) - wanted).max() <= 1
        mask = np.asarray(Image.open(Path("out") / f"{Path(name).stem}.mask.png"))
        assert mask[SQUARE].min() > 0
        assert mask[5:15, 5:30].min() > 0
    told = json.loads(Path("found.json").read_text())[0]
    assert [mark["page"] for mark in told["marks"]] == [1, 3]
    assert told["marks"][0]["box"] == [20, 10, 50, 30]
    status, out, _ = run("film.png", "-o", "first.jpg")
    assert (status, "only the first of its pictures was taken" in out) == (0, True)
