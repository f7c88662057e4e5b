import errno
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from wm_lightning.data.cache import DiskCache, RamCache, open_cache
from wm_lightning.errors import UserError

PICTURE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


class Decoder:
    """Counts its calls; the pixels say which call and which short side they came from."""

    def __init__(self):
        self.calls = 0

    def __call__(self, path, short_side):
        self.calls += 1
        return np.full((2, 3, 3), 10 * self.calls + (short_side or 0), dtype=np.uint8)


def decode_picture(path, short_side):
    return PICTURE.copy()


def fetch_often(folder, photograph):
    return all((DiskCache(folder).fetch(photograph, None, decode_picture) == PICTURE).all() for _ in range(20))


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photos" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"any content")
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "cache"


@pytest.fixture(params=["ram", "disk"])
def cache(request, folder):
    return open_cache(request.param, str(folder))


def files_of(folder):
    return sorted(folder.iterdir())


def test_picture_is_decoded_once(cache, photograph):
    decode = Decoder()
    fetched = [cache.fetch(photograph, None, decode) for _ in range(3)]
    assert decode.calls == 1
    for picture in fetched:
        np.testing.assert_array_equal(picture, np.full((2, 3, 3), 10))


def test_each_size_is_kept_for_itself(cache, photograph):
    decode = Decoder()
    for _ in range(2):
        assert [cache.fetch(photograph, side, decode)[0, 0, 0] for side in (None, 4, 5)] == [10, 24, 35]
    assert decode.calls == 3


def test_files_are_told_apart(cache, photograph):
    other = photograph.with_name("b.jpg")
    other.write_bytes(photograph.read_bytes())
    os.utime(other, ns=(0, photograph.stat().st_mtime_ns))
    decode = Decoder()
    assert [cache.fetch(path, None, decode)[0, 0, 0] for path in (photograph, other, photograph)] == [10, 20, 10]


def test_what_is_returned_cannot_be_written_to(cache, photograph):
    for _ in range(2):
        picture = cache.fetch(photograph, None, decode_picture)
        with pytest.raises(ValueError, match="read-only"):
            picture[0, 0] = 0
        with pytest.raises(ValueError, match="read-only"):
            picture[1:3, 1:3][...] = 0
        np.testing.assert_array_equal(picture, PICTURE)
        assert type(picture) is np.ndarray


def test_what_cannot_be_decoded_is_not_kept(cache, photograph, folder):
    def fail(path, short_side):
        raise OSError("broken")

    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            cache.fetch(photograph, None, fail)
    assert not folder.exists()
    np.testing.assert_array_equal(cache.fetch(photograph, None, decode_picture), PICTURE)


def test_ram_cache_says_what_it_holds(photograph):
    cache = RamCache()
    assert str(cache) == "0 photographs, 0.0 MiB, in memory"
    for side in (1, 2, 3):
        cache.fetch(photograph, side, lambda path, short_side: np.zeros((512, 1024, 3), dtype=np.uint8))
    assert str(cache) == "3 photographs, 4.5 MiB, in memory"


def test_ram_cache_can_be_sent_to_another_process(photograph):
    cache = RamCache()
    cache.fetch(photograph, None, decode_picture)
    decode = Decoder()
    picture = pickle.loads(pickle.dumps(cache)).fetch(photograph, None, decode)
    np.testing.assert_array_equal(picture, PICTURE)
    assert decode.calls == 0
    assert not picture.flags.writeable


def test_disk_cache_says_where_it_is(folder):
    assert str(DiskCache(folder)) == f"photographs in {folder}"


def test_disk_cache_outlives_the_process_that_filled_it(photograph, folder):
    DiskCache(folder).fetch(photograph, 4, decode_picture)
    decode = Decoder()
    np.testing.assert_array_equal(DiskCache(folder).fetch(photograph, 4, decode), PICTURE)
    assert decode.calls == 0


@pytest.mark.parametrize("change", ["size", "time"])
def test_changed_file_is_decoded_again(photograph, folder, change):
    cache, decode = DiskCache(folder), Decoder()
    cache.fetch(photograph, None, decode)
    before = photograph.stat().st_mtime_ns
    if change == "size":
        photograph.write_bytes(b"longer than before")
    os.utime(photograph, ns=(0, before + (change == "time")))
    assert cache.fetch(photograph, None, decode)[0, 0, 0] == 20


def test_one_file_by_two_paths_is_one_entry(photograph, folder, monkeypatch):
    cache, decode = DiskCache(folder), Decoder()
    link = photograph.with_name("link.jpg")
    link.symlink_to(photograph)
    monkeypatch.chdir(photograph.parent)
    for path in (photograph, Path("a.jpg"), link):
        cache.fetch(path, None, decode)
    assert decode.calls == 1


def test_photograph_that_vanished_is_an_os_error(photograph, folder):
    cache = DiskCache(folder)
    cache.fetch(photograph, None, decode_picture)
    photograph.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.jpg"):
        cache.fetch(photograph, None, decode_picture)


@pytest.mark.parametrize("damage", ["half", "short by one", "empty", "text", "header", "shape", "type"])
def test_damaged_file_is_written_anew(photograph, folder, damage):
    cache = DiskCache(folder)
    cache.fetch(photograph, None, decode_picture)
    (file,) = files_of(folder)
    whole = file.read_bytes()
    if damage in ("shape", "type"):
        np.save(file, PICTURE[..., 0] if damage == "shape" else PICTURE.astype(np.int16))
    else:
        spoilt = {
            "half": whole[: len(whole) // 2],
            "short by one": whole[:-1],
            "empty": b"",
            "text": b"not an array",
            "header": whole[:10] + b"{(" * 59 + whole[128:],
        }
        file.write_bytes(spoilt[damage])
    np.testing.assert_array_equal(cache.fetch(photograph, None, decode_picture), PICTURE)
    assert files_of(folder) == [file]
    assert file.read_bytes() == whole


def test_file_appears_under_its_name_only_when_it_is_whole(photograph, folder, monkeypatch):
    seen = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: seen.append((self, target)) or replace(self, target))
    DiskCache(folder).fetch(photograph, None, decode_picture)
    ((aside, file),) = seen
    assert files_of(folder) == [file]
    assert aside.parent == folder
    assert aside.suffix != ".npy"


def test_write_that_fails_leaves_nothing(photograph, folder, monkeypatch):
    def fill_up(stream, picture, **options):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", fill_up)
    with pytest.raises(UserError) as caught:
        DiskCache(folder).fetch(photograph, None, decode_picture)
    assert str(caught.value) == (
        f"cache_dir={folder} cannot be written to (No space left on device); make room there, name another "
        "folder, or set cache=none."
    )
    assert files_of(folder) == []


def test_file_in_place_of_the_folder_is_named(photograph, tmp_path):
    (tmp_path / "taken").write_text("")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(UserError, match=r"^cache_dir=.*taken.* cannot be written to .*cache=none\.$"):
            DiskCache(folder).fetch(photograph, None, decode_picture)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written_to_is_named(photograph, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(UserError, match=r"^cache_dir=.*locked cannot be written to \(Permission denied\)"):
        DiskCache(folder).fetch(photograph, None, decode_picture)


def test_threads_that_write_one_entry_all_get_the_picture(photograph, folder):
    barrier = threading.Barrier(4)

    def decode(path, short_side):
        barrier.wait(timeout=300)  # all miss before one has written
        return PICTURE.copy()

    fetched = []
    threads = [
        threading.Thread(target=lambda: fetched.append(DiskCache(folder).fetch(photograph, None, decode)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 4
    assert all((picture == PICTURE).all() for picture in fetched)
    assert len(files_of(folder)) == 1


def test_processes_share_one_entry(photograph, folder):
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        assert all(pool.map(fetch_often, [folder] * 4, [photograph] * 4))
    assert len(files_of(folder)) == 1


def test_kinds(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert open_cache("none") is None
    assert open_cache("none", "elsewhere") is None
    assert isinstance(open_cache("ram"), RamCache)
    assert open_cache("disk").folder == tmp_path / ".cache" / "wm_lightning" / "photographs"
    assert open_cache("disk", "~/mine").folder == tmp_path / "mine"
    assert not (tmp_path / ".cache").exists()


@pytest.mark.parametrize(("variable", "below"), [("", ".cache"), ("relative", ".cache"), (None, "xdg")])
def test_default_folder_follows_the_xdg_specification(tmp_path, monkeypatch, variable, below):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg") if variable is None else variable)
    assert open_cache("disk").folder == tmp_path / below / "wm_lightning" / "photographs"
