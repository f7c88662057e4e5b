import pytest

from wm_lightning.files import own_folder, pictures_below, replacing


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


def test_own_folders_hold_configuration_and_weights():
    assert (own_folder("conf", packaged="conf") / "train.yaml").is_file()
    assert (own_folder("weights", packaged="shipped") / "general.safetensors").is_file()
