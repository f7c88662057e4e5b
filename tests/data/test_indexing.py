import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from wm_lightning.data import indexing
from wm_lightning.data.index import NAME, Entry, read_index
from wm_lightning.data.indexing import index_folder, look_at
from wm_lightning.data.sources import decode
from wm_lightning.errors import UserError
from wm_lightning.files import pictures_below

# Kills its own process without a warning when it looks at a photograph, or when the table is to be written.
DRIVER = """
import os, signal, sys
from pathlib import Path
from wm_lightning.data import indexing
def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(indexing, sys.argv[2], kill)
indexing.index_folder(Path(sys.argv[1]))
"""


@pytest.fixture
def looked_at(monkeypatch):
    """The names of the files that were decoded."""
    names = []

    def noted(path, short_side):
        names.append(path.name)
        return decode(path, short_side)

    monkeypatch.setattr(indexing, "decode", noted)
    return names


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_has_what_each_file_is(photographs):
    found = index_folder(photographs)
    assert found.looked_at == 20
    assert found.finished
    assert dict(read_index(photographs)) == found.entries
    for path in sorted(photographs.glob("*.png")):
        status, (width, height) = path.stat(), Image.open(path).size
        entry = Entry(status.st_size, status.st_mtime_ns, width, height, digest_of(path), "")
        assert found.entries[path.name] == entry
    assert len(list(pictures_below(photographs))) == 20  # the index is none of them


@pytest.mark.parametrize(("orientation", "size"), [(1, (30, 20)), (3, (30, 20)), (6, (20, 30)), (8, (20, 30))])
def test_sizes_are_upright(tmp_path, orientation, size):
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    entry = look_at(tmp_path / "a.jpg")
    assert (entry.width, entry.height) == size


def test_what_cannot_be_used_has_its_reason(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8))
    for name in ("cut.jpg", "cut.png", "whole.webp"):
        noise.save(tmp_path / name)
    for name in ("cut.jpg", "cut.png"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (1, 101)).save(tmp_path / "strip.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing")
    broken = index_folder(tmp_path).broken()
    assert set(broken) == {"cut.jpg", "cut.png", "text.png", "empty.jpg", "strip.png"}
    assert broken["text.png"] == "it is no picture, or of a kind that cannot be read"
    assert "truncated" in broken["cut.jpg"]
    assert broken["strip.png"] == "1x101 pixels are a strip and no photograph"
    assert not any(str(tmp_path) in reason for reason in broken.values())


def test_only_what_is_new_or_has_changed_is_looked_at_again(photographs, looked_at):
    before = index_folder(photographs).entries
    assert len(looked_at) == 20
    looked_at.clear()
    again = index_folder(photographs)
    assert (again.entries, again.looked_at, again.gone, looked_at) == (before, 0, 0, [])

    (photographs / "photo00.png").write_bytes((photographs / "photo01.png").read_bytes())
    (photographs / "photo02.png").unlink()
    (photographs / "deep").mkdir()
    Image.new("RGB", (9, 8)).save(photographs / "deep" / "new.png")
    os.utime(photographs / "photo03.png", ns=(0, 0))  # whose content is the same
    third = index_folder(photographs)
    assert sorted(looked_at) == ["new.png", "photo00.png"]
    assert (third.looked_at, third.gone, third.copies()) == (3, 1, 1)
    assert set(third.entries) == {*before, "deep/new.png"} - {"photo02.png"}
    assert third.entries["photo00.png"].sha256 == before["photo01.png"].sha256
    assert third.entries["photo03.png"] == before["photo03.png"]._replace(mtime_ns=0)
    assert dict(read_index(photographs)) == third.entries


def test_a_file_of_the_same_size_and_time_is_trusted(photographs, looked_at):
    index_folder(photographs)
    path = photographs / "photo05.png"
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert index_folder(photographs).looked_at == 0


def test_a_repaired_file_is_no_longer_broken(photographs):
    path = photographs / "photo05.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert list(index_folder(photographs).broken()) == ["photo05.png"]
    path.write_bytes(whole)
    assert index_folder(photographs).broken() == {}


@pytest.mark.parametrize("when", ["decode", "write_index"])
def test_a_killed_index_leaves_the_old_one(photographs, when):
    index_folder(photographs)
    before = (photographs / NAME).read_bytes()
    Image.new("RGB", (9, 8)).save(photographs / "new.png")
    done = subprocess.run([sys.executable, "-c", DRIVER, str(photographs), when], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (photographs / NAME).read_bytes() == before


def test_an_interrupted_index_goes_on_where_it_was(photographs, monkeypatch):
    def interrupted(names, check, doing):
        for name in names[:7]:
            yield name, check(name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "each_of", interrupted)
        found = index_folder(photographs)
    assert not found.finished
    assert len(dict(read_index(photographs))) == found.looked_at == 7
    rest = index_folder(photographs)
    assert (rest.finished, rest.looked_at, len(rest.entries)) == (True, 13, 20)


def test_a_damaged_index_is_built_anew(photographs, caplog):
    whole = index_folder(photographs).entries
    (photographs / NAME).write_text("damaged")
    assert index_folder(photographs).entries == whole
    assert f"{NAME} cannot be read as an index" in caplog.text
    assert dict(read_index(photographs)) == whole


def test_a_folder_that_cannot_be_written_to_is_named_before_anything_is_looked_at(photographs, monkeypatch, looked_at):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"photos cannot be written to \(permission denied\), and its index lies in it"):
        index_folder(photographs)
    assert looked_at == []
