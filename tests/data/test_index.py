import os

import pytest

from wm_lightning.data.index import NAME, Entry, known_broken, read_index, write_index
from wm_lightning.errors import UserError

INTACT = Entry(1234, 1_700_000_000_123_456_789, 640, 480, "ab" * 32, "")


@pytest.mark.parametrize(
    "name", ["a.jpg", "deep/b c.png", 'comma, "quote".jpg', "line\nbreak.jpg", "Фото.jpg", "b\udcff.jpg"]
)
def test_an_index_is_read_as_it_was_written(tmp_path, name):
    entries = {name: INTACT, "0.png": INTACT._replace(width=0, height=0, reason='no "picture", at all')}
    write_index(tmp_path, entries)
    assert dict(read_index(tmp_path)) == entries
    assert [other for other, _ in read_index(tmp_path)] == sorted(entries)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_folder_without_an_index_has_no_entries(tmp_path):
    assert list(read_index(tmp_path)) == []
    assert known_broken(tmp_path) == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"name,bytes\na.jpg,1\n", b"\xff\xfe", "{whole}a.jpg,1,2\n", "{whole}a.jpg,one,2,3,4,x,\n", '{whole}"a.jpg'],
)
def test_a_damaged_index_is_named_with_what_makes_another(tmp_path, content):
    write_index(tmp_path, {})
    whole = (tmp_path / NAME).read_text()
    (tmp_path / NAME).write_bytes(content if isinstance(content, bytes) else content.format(whole=whole).encode())
    sentence = rf"{NAME} cannot be read as an index \(.*\); build it anew: .* index {tmp_path}$"
    with pytest.raises(UserError, match=sentence):
        known_broken(tmp_path)


def test_broken_files_are_known_until_they_change(tmp_path):
    broken = {}
    for name in ("a.jpg", "touched.jpg", "grown.jpg", "gone.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
        status = (tmp_path / name).stat()
        broken[name] = Entry(status.st_size, status.st_mtime_ns, 0, 0, "", "no picture")
    write_index(tmp_path, {**broken, "whole.jpg": INTACT})
    assert known_broken(tmp_path) == dict.fromkeys(broken, "no picture")
    os.utime(tmp_path / "touched.jpg", ns=(0, 0))
    (tmp_path / "grown.jpg").write_bytes(b"no picture either")
    (tmp_path / "gone.jpg").unlink()
    assert known_broken(tmp_path) == {"a.jpg": "no picture"}


def test_a_place_that_cannot_be_written_to_is_one_sentence_and_the_old_index_stays(tmp_path, monkeypatch):
    write_index(tmp_path, {"a.jpg": INTACT})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"cannot be written to \(No space left on device\), .*; make it writable, or"):
        write_index(tmp_path, {})
    assert dict(read_index(tmp_path)) == {"a.jpg": INTACT}
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
