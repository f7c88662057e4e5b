"""Which files become which, and that nothing half-written stays."""

import os
from pathlib import Path

import pytest

from wm_lightning.errors import UserError
from wm_lightning.inference.files import named_jobs, plan, write_whole


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with pictures by name alone."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "photos/a.jpg",
        "photos/deep/er/b.PNG",
        "photos/.hidden.jpg",
        "photos/.cache/c.jpg",
        "photos/notes.txt",
        "other/a.jpg",
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def planned(*arguments):
    jobs = plan(*arguments)
    assert [job.error for job in jobs] == [None] * len(jobs)
    return [(str(job.source), str(job.target)) for job in jobs]


def test_a_file_goes_into_a_folder_or_to_a_file(folder):
    assert planned(["photos/a.jpg"], "out") == [("photos/a.jpg", "out/a.jpg")]
    assert planned(["photos/a.jpg"], "out.png") == [("photos/a.jpg", "out.png")]
    Path("named.png").mkdir()
    assert planned(["photos/a.jpg"], "named.png") == [("photos/a.jpg", "named.png/a.jpg")]


def test_a_folder_keeps_its_structure(folder):
    assert planned(["photos"], "out") == [("photos/a.jpg", "out/a.jpg"), ("photos/deep/er/b.PNG", "out/deep/er/b.PNG")]
    Path("one").mkdir()
    Path("one/a.jpg").write_bytes(b"x")
    assert planned(["one"], "out") == [("one/a.jpg", "out/a.jpg")]


def test_results_of_an_earlier_run_in_the_folder_are_no_inputs(folder):
    before = planned(["photos"], "photos/clean")
    for _, target in before:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_bytes(b"x")
    assert planned(["photos"], "photos/clean") == before
    assert planned(["photos/clean"], "other/clean") == [
        ("photos/clean/a.jpg", "other/clean/a.jpg"),
        ("photos/clean/deep/er/b.PNG", "other/clean/deep/er/b.PNG"),
    ]


def test_a_pattern_finds_files(folder):
    assert planned(["photos/*.jpg"], "out") == [("photos/a.jpg", "out/a.jpg")]
    found = planned(["photos/**/*.PNG"], "out")
    assert found == [("photos/deep/er/b.PNG", "out/b.PNG")]


def test_a_file_of_a_kind_that_cannot_be_written_becomes_png(folder):
    Path("old.jp2").write_bytes(b"x")
    assert planned(["old.jp2"], "out") == [("old.jp2", "out/old.png")]


@pytest.mark.parametrize(
    ("inputs", "output", "sentence"),
    [
        (["missing.jpg"], "out", "There is no missing.jpg; give a picture, a folder or a pattern."),
        (["*.webp"], "out", "There is no *.webp; give a picture, a folder or a pattern."),
        (["empty"], "out", "empty holds no picture (jpg, jpeg, jfif, png, apng, webp, tif, tiff, bmp, avif, gif"),
        (["photos/a.jpg"], "photos", "photos/a.jpg is one of the inputs, which are never overwritten"),
        (["photos/a.jpg"], "other/../photos/a.jpg", "is one of the inputs, which are never overwritten"),
        (["photos"], "photos", "photos/a.jpg is one of the inputs"),
        (["photos"], "out.png", "output=out.png is the name of a file; give a folder for several pictures"),
        (["photos/a.jpg", "other/a.jpg"], "out.jp2", "output=out.jp2 is the name of a file; give a folder"),
        (["photos/a.jpg"], "out.jp2", "output=out.jp2 cannot be written; give a folder, or a file of .jpg, .jpeg"),
        (["photos/a.jpg"], "out.jxl", "output=out.jxl cannot be written; give a folder, or a file of .jpg, .jpeg"),
        (["photos", "other/a.jpg"], "photos/a.jpg", "output=photos/a.jpg is the name of a file; give a folder for"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_one_sentence(folder, inputs, output, sentence):
    Path("empty").mkdir()
    with pytest.raises(UserError) as found:
        plan(inputs, output)
    assert sentence in str(found.value)


@pytest.mark.parametrize("suffix", ["/x", "../x", "\0"])
def test_a_suffix_leads_to_no_folder(folder, suffix):
    with pytest.raises(UserError, match="is part of a name, and no folder; give something like _clean"):
        plan(["photos/a.jpg"], "out", suffix=suffix)
    with pytest.raises(UserError, match="is part of a name, and no folder; give something like _clean"):
        named_jobs(["photos/a.jpg"], suffix)


def test_an_input_that_is_named_twice_is_taken_once(folder):
    assert len(planned(["photos/a.jpg", "photos/*.jpg"], "out")) == 1


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path):
    target = tmp_path / "new" / "deep" / "file.png"
    write_whole(b"one", target)
    write_whole(b"two", target)
    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


def test_nothing_half_written_stays_and_the_old_file_does(tmp_path, monkeypatch):
    target = tmp_path / "file.png"
    write_whole(b"old", target)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=f"^{target} cannot be written: No space left on device.$"):
        write_whole(b"new", target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written: "):
        write_whole(b"new", tmp_path / "file" / "picture.png")


def test_names_of_a_store_are_named_by_themselves():
    tga, png, other = named_jobs(["deep/a.tga", "deep/a.png", "a.tga"], suffix="_clean")
    assert [str(job.target) for job in (tga, png, other)] == ["deep/a_clean.png", "deep/a_clean.png", "a_clean.png"]
    assert tga.error == "deep/a.tga and deep/a.png would both be written to deep/a_clean.png; take it by itself."
    assert png.error is None
    assert other.error is None
