"""Which files a command takes."""

import os
from pathlib import Path

import pytest

from wm_lightning.errors import UserError
from wm_lightning.inference.selection import Choice, find, listed, passed_over


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with pictures by name alone."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.jpg", "in/b.png", "in/deep/a.jpg", "in/deep/c.JXL", "in/d.dng", "in/.hidden.dng", "in/e.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Choice(), ["a.jpg", "b.png", "deep/a.jpg"]),
        (Choice(include=("*.jpg",)), ["a.jpg", "deep/a.jpg"]),
        (Choice(include=("deep/*", "b.*")), ["b.png", "deep/a.jpg"]),
        (Choice(exclude=("a.jpg",)), ["b.png"]),
        (Choice(include=("*.jpg",), exclude=("deep/*",)), ["a.jpg"]),
        (Choice(recursive=False), ["a.jpg", "b.png"]),
    ],
)
def test_patterns_choose_by_name_or_by_path(folder, choice, names):
    assert [place.as_posix() for _, place in find(["in"], None, choice)] == names


def test_nothing_left_is_one_sentence(folder):
    with pytest.raises(UserError, match=r"^No picture is left by --include, --exclude and --no-rec"):
        find(["in"], None, Choice(include=("*.bmp",)))


def test_an_empty_name_is_not_this_folder(folder):
    with pytest.raises(UserError, match=r"^An input is an empty name; "):
        find([""], None)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_a_list_names_files_as_they_are(folder, end):
    names = ["in/a.jpg", "in/[x]*.jpg", "in/caf\udce9 .jpg"]
    Path("list").write_bytes(end.join(name.encode("utf-8", "surrogateescape") for name in names) + end)
    assert listed("list") == names
    assert [str(source) for source, _ in find([], None, listed_names=[*listed("list"), "in/deep"])] == [
        *names,
        "in/deep/a.jpg",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_list_may_begin_with_what_windows_writes(folder, encoding):
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    Path("list").write_bytes(f"{mark}in/a.jpg\r\nin/é.jpg\r\n".encode(encoding))
    assert listed("list") == ["in/a.jpg", "in/é.jpg"]


def test_a_name_of_a_list_that_is_too_long_ends_no_list(folder):
    assert [str(source) for source, _ in find([], None, listed_names=["in/a.jpg", "x" * 5000])] == [
        "in/a.jpg",
        "x" * 5000,
    ]


def test_a_list_that_is_missing_or_empty_is_one_sentence(folder):
    Path("list").write_text("\n\n")
    with pytest.raises(UserError, match=r"^--files-from list names no file; write one a line\.$"):
        listed("list")
    with pytest.raises(UserError, match=r"^--files-from none cannot be read: No such file or directory\.$"):
        listed("none")


def test_pictures_of_other_kinds_are_counted(folder):
    kinds = "skipped, since they cannot be read: 1 dng, 1 jxl; save them as JPEG, PNG, WebP, TIFF or BMP."
    assert passed_over(["in"]) == kinds
    assert passed_over(["in"], Choice(exclude=("*.dng", "*.JXL"))) is None
    assert passed_over(["in/a.jpg"]) is None


def test_folders_that_are_closed_or_links_are_told_of(folder, monkeypatch):
    Path("in/closed").mkdir()
    Path("in/link").symlink_to("deep")
    listing = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    said = passed_over(["in", "in/a.jpg"], Choice(exclude=("*.*",)))
    alone = passed_over(["in"], Choice(exclude=("*.*",), recursive=False))
    monkeypatch.undo()
    assert alone is None  # of folders that nobody asked for
    linked = "Links to folders were not followed (1); name what they lead to."
    assert said == f"in/closed cannot be searched: Permission denied. {linked}"
