import csv
import math
import multiprocessing

import numpy as np
import pytest

from wm_lightning.files import own_folder, pictures_below, replacing, write_csv


def test_pictures_are_found_by_suffix_and_hidden_ones_passed_over(tmp_path):
    for name in ("a.jpg", "b.PNG", "deep/er/c.tiff", "notes.txt", ".hidden.jpg", ".git/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {path.relative_to(tmp_path).as_posix() for path in pictures_below(tmp_path)}
    assert found == {"a.jpg", "b.PNG", "deep/er/c.tiff"}


def test_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "loop").symlink_to(tmp_path)
    (tmp_path / "inside" / "a.jpg").touch()
    assert [path.name for path in pictures_below(tmp_path)] == ["a.jpg"]


def test_a_file_is_replaced_and_its_folder_made(tmp_path):
    target = tmp_path / "new" / "file.bin"
    for content in (b"old", b"new"):
        with replacing(target) as draft:
            draft.write_bytes(content)
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_old_file_and_no_draft(tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")

    def fail():
        with replacing(target) as draft:
            draft.write_bytes(b"half")
            assert target.read_bytes() == b"old"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_table_is_read_back_with_all_digits(tmp_path):
    rows = [['a, "b"\nc', 1 / 3, None], ["ä", math.nan, np.float64(0.1) + 0.2]]
    write_csv(tmp_path / "new" / "table.csv", ("name", "one", "two"), (row for row in rows))
    with (tmp_path / "new" / "table.csv").open(encoding="utf-8", newline="") as file:
        headings, first, second = csv.reader(file)
    assert headings == ["name", "one", "two"]
    assert (first[0], float(first[1]), first[2]) == (rows[0][0], 1 / 3, "")
    assert (second[0], second[1], float(second[2])) == ("ä", "nan", 0.1 + 0.2)


def test_a_table_that_cannot_be_made_leaves_the_one_before(tmp_path):
    write_csv(tmp_path / "table.csv", ["one"], [[1]])

    def rows():
        yield [2]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_csv(tmp_path / "table.csv", ["one"], rows())
    assert (tmp_path / "table.csv").read_text().split() == ["one", "1"]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def _write_often(path):
    for number in range(100):
        write_csv(path, ["number"], [[number]] * 20)


def test_processes_may_write_one_table_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(tmp_path / "table.csv",)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert (tmp_path / "table.csv").read_text().split() == ["number", *["99"] * 20]


def test_own_folders_hold_configuration_and_weights():
    assert (own_folder("conf", packaged="conf") / "train.yaml").is_file()
    assert (own_folder("weights", packaged="shipped") / "general.safetensors").is_file()
