import errno
import logging
import os
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import Base

from tests.images.test_profiles import wide
from wm_lightning.data import sources
from wm_lightning.data.cache import DiskCache, RamCache, open_cache
from wm_lightning.data.indexing import index_folder
from wm_lightning.data.sources import (
    BrokenPictureError,
    DemoSource,
    FolderSource,
    Split,
    decode,
    each_of,
    load_again,
    split_names,
)
from wm_lightning.errors import UserError
from wm_lightning.images.decoding import decode_opened

NAMES = [f"{number:04d}.jpg" for number in range(1000)]
# What an upright view of a stored picture is, by EXIF orientation.
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored),
}


def colours(height=5, width=7, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height, width, seed=0):
    """A picture without detail: what two ways of reducing should agree on."""
    coarse = Image.fromarray(colours(4, 5, seed=seed))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def area_averaged(pixels, height, width):
    """The mean of what each pixel of the smaller picture covers, by its definition."""

    def shares(wanted, given):
        edges = np.arange(wanted + 1)[:, None] * given / wanted
        overlap = np.minimum(edges[1:], np.arange(1, given + 1)) - np.maximum(edges[:-1], np.arange(given))
        return overlap.clip(0) * wanted / given

    rows, columns = shares(height, pixels.shape[0]), shares(width, pixels.shape[1])
    return np.einsum("yr,rkc,xk->yxc", rows, pixels.astype(float), columns, optimize=True)


def save(path, pixels=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours() if pixels is None else pixels).save(path, **options)
    return path


@pytest.fixture(scope="module")
def demo():
    return DemoSource(128)


def test_a_thousand_names_split_700_200_100():
    assert [len(names) for names in split_names(NAMES, seed=0)] == [700, 200, 100]


def test_split_uses_every_name_once():
    split = split_names(NAMES, seed=3)
    assert sorted(split.train + split.val + split.test) == NAMES


def test_split_does_not_depend_on_the_order_of_listing():
    shuffled = np.random.default_rng(1).permutation(NAMES).tolist()
    assert split_names(shuffled, seed=0) == split_names(NAMES, seed=0)
    assert split_names(iter(NAMES[::-1]), seed=0) == split_names(NAMES, seed=0)


def test_split_is_the_same_in_every_call_and_changes_with_the_seed():
    assert split_names(NAMES, seed=4) == split_names(NAMES, seed=4)
    assert set(split_names(NAMES, seed=4).test) != set(split_names(NAMES, seed=5).test)


def test_split_is_shuffled():
    assert split_names(NAMES, seed=0).train != NAMES[:700]


def test_split_leaves_the_callers_list_and_the_global_generator_alone(global_random_state):
    names, before = list(NAMES), global_random_state()
    split_names(names, seed=0)
    assert names == NAMES
    assert global_random_state() == before


@pytest.mark.parametrize(
    ("count", "sizes"), [(3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1]), (10, [7, 2, 1]), (999, [699, 200, 100])]
)
def test_small_and_odd_counts(count, sizes):
    assert [len(names) for names in split_names(NAMES[:count], seed=0)] == sizes


def test_other_fractions():
    assert [len(names) for names in split_names(NAMES, seed=0, fractions=[0.5, 0.25, 0.25])] == [500, 250, 250]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_names_cannot_be_split(count):
    with pytest.raises(UserError, match=rf"too few photographs .*\({count}\)"):
        split_names(NAMES[:count], seed=0)


@pytest.mark.parametrize(
    "fractions", [[0.7, 0.2], [0.7, 0.2, 0.2], [0.8, 0.2, 0.0], [1.2, -0.1, -0.1], [0.25, 0.25, 0.25, 0.25]]
)
def test_fractions_that_are_no_split_are_refused(fractions):
    with pytest.raises(UserError, match=r"^fractions="):
        split_names(NAMES, seed=0, fractions=fractions)


def test_fractions_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(UserError, match=r"^fractions=.*train on"):
        split_names(NAMES[:3], seed=0, fractions=[0.1, 0.8, 0.1])


def test_digest_tells_splits_apart():
    split = Split(["a", "b"], ["c"], ["d"])
    assert split.digest() == Split(["a", "b"], ["c"], ["d"]).digest()
    others = [Split(["a"], ["b", "c"], ["d"]), Split(["b", "a"], ["c"], ["d"]), Split(["a", "b"], ["d"], ["c"])]
    assert len({split.digest(), *(other.digest() for other in others)}) == 4


def test_folder_is_searched_recursively_by_any_case_of_suffix(tmp_path):
    wanted = ["a.png", "b.JPG", "deep/er/c.JpEg", "deep/d.tif", "e.WEBP", "f.bmp", "g.tiff"]
    for name in wanted:
        save(tmp_path / name)
    assert FolderSource(tmp_path).names == sorted(wanted)


def test_hidden_and_other_files_are_passed_over(tmp_path):
    save(tmp_path / "seen.png")
    for name in (".hidden.png", ".cache/a.png", "deep/.thumbs/b.png", "deep/._c.jpg"):
        save(tmp_path / name)
    for name in ("notes.txt", "picture.gif", "png"):
        (tmp_path / name).write_text("")
    assert FolderSource(str(tmp_path)).names == ["seen.png"]


def test_linked_folder_is_not_followed(tmp_path):
    save(tmp_path / "root" / "a.png")
    save(tmp_path / "elsewhere" / "b.png")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    assert FolderSource(tmp_path / "root").names == ["a.png"]


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "photos" / "a.png")
    assert FolderSource("~/photos").names == ["a.png"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"root=.*nowhere"):
        FolderSource(tmp_path / "nowhere")


@pytest.mark.parametrize("root", ["", " "])
def test_a_folder_without_a_name_is_refused(root):
    with pytest.raises(UserError, match=r"root is empty"):
        FolderSource(root)


@pytest.mark.parametrize("turned", [False, True])
def test_a_mere_strip_is_no_photograph(tmp_path, turned):
    for name, length in (("strip.png", 201), ("long.png", 200)):
        pixels = colours(2, length)
        Image.fromarray(pixels.transpose(1, 0, 2) if turned else pixels).save(tmp_path / name)
    with pytest.raises(OSError, match=r"strip\.png: .* pixels are a strip and no photograph"):
        decode(tmp_path / "strip.png")
    assert sorted(decode(tmp_path / "long.png").shape) == [2, 3, 200]


def test_file_instead_of_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"root=.*a\.png"):
        FolderSource(save(tmp_path / "a.png"))


def test_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"root=.*holds no picture"):
        FolderSource(tmp_path)


def test_source_loads_the_pixels_of_a_name(tmp_path):
    pixels = colours()
    save(tmp_path / "deep" / "a.png", pixels)
    np.testing.assert_array_equal(FolderSource(tmp_path).load("deep/a.png"), pixels)


def test_without_an_index_or_a_cache_nothing_is_decoded_before_it_is_drawn(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    monkeypatch.setattr(Image, "open", None)
    assert FolderSource(tmp_path).check() == {}


def test_check_says_what_the_index_does(tmp_path):
    save(tmp_path / "whole.png")
    (tmp_path / "text.png").write_text("no picture")
    index_folder(tmp_path)
    assert FolderSource(tmp_path).check() == {"text.png": "it is no picture, or of a kind that cannot be read"}


@pytest.mark.parametrize("kind", [None, "ram", "disk"])
def test_what_is_broken_is_told_from_what_is_gone(tmp_path, kind):
    save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "nothing.png")
    source = FolderSource(tmp_path / "photos", cache=open_cache(kind, str(tmp_path / "cache")) if kind else None)
    with pytest.raises(BrokenPictureError, match=r"link\.png: it is a link to nothing$"):
        source.load("link.png")
    (tmp_path / "photos" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        source.load("a.png")
    with pytest.raises(UserError, match=r"^A photograph can no longer be read \(.*a\.png.*\); restore it"):
        load_again(source.load, "a.png")


@pytest.mark.parametrize(("number", "broken"), [(errno.EACCES, True), (errno.EIO, True), (errno.EMFILE, False)])
def test_the_file_is_not_blamed_for_what_the_machine_lacks(tmp_path, monkeypatch, number, broken):
    def fail(path):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match=os.strerror(number)) as error:
        decode(tmp_path / "a.png")
    assert isinstance(error.value, BrokenPictureError) == broken


def test_a_bar_of_threads_that_is_left_does_not_begin_what_waits():
    begun = []

    def check(name):
        begun.append(name)
        time.sleep(0.05)

    names = [str(number) for number in range(1000)]
    checked = each_of(names, check, "checking")
    assert next(checked) == ("0", None)
    checked.close()
    assert len(begun) < len(names)  # which would take some ten seconds


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png", "text.png", "empty.png", "missing.png"])
def test_decode_names_the_file_it_cannot_read(tmp_path, name):
    path = tmp_path / name
    if name.startswith("cut"):
        whole = save(path, colours(100, 100)).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif name != "missing.png":
        path.write_text("not a picture" if name == "text.png" else "")
    with pytest.raises(OSError, match=name):
        decode(path)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, orientation):
    stored = colours()
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    upright = decode(save(tmp_path / "a.png", stored, exif=exif))
    np.testing.assert_array_equal(upright, UPRIGHT[orientation](stored))


def test_transparency_is_put_on_white(tmp_path):
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [100, 50, 0, 128]]], dtype=np.uint8)
    decoded = decode(save(tmp_path / "a.png", pixels))
    assert decoded[0, 0].tolist() == [10, 20, 30]
    assert decoded[0, 1].tolist() == [255, 255, 255]
    share = 128 / 255
    np.testing.assert_allclose(decoded[0, 2], np.array([100, 50, 0]) * share + 255 * (1 - share), atol=1)


def test_transparent_grey_is_put_on_white(tmp_path):
    pixels = np.array([[[10, 255], [10, 0]]], dtype=np.uint8)
    assert decode(save(tmp_path / "a.png", pixels)).tolist() == [[[10] * 3, [255] * 3]]


def test_palette_is_looked_up(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 1, 2, 3, 0, 0, 255])
    image.putdata([1, 0, 2])
    image.save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png").tolist() == [[[1, 2, 3], [255, 0, 0], [0, 0, 255]]]


def test_transparent_palette_entry_becomes_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 1, 2, 3])
    image.putdata([1, 0])
    image.save(tmp_path / "a.png", transparency=0)
    assert decode(tmp_path / "a.png").tolist() == [[[1, 2, 3], [255, 255, 255]]]


def test_grey_is_repeated(tmp_path):
    grey = np.array([[0, 7, 255]], dtype=np.uint8)
    assert decode(save(tmp_path / "a.png", grey)).tolist() == [[[0] * 3, [7] * 3, [255] * 3]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled(tmp_path, suffix):
    grey = np.array([[0, 257, 200 * 257, 300, 65535]], dtype=np.uint16)
    assert decode(save(tmp_path / f"a{suffix}", grey)).tolist() == [[[v] * 3 for v in (0, 1, 200, 1, 255)]]


@pytest.mark.parametrize("more", [{"photometric": "miniswhite"}, {"photometric": "rgb", "planarconfig": "separate"}])
def test_a_deep_tiff_is_read_as_it_is_meant(tmp_path, more):
    shape = (3, 6, 8) if "planarconfig" in more else (6, 8)
    values = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values * 257, metadata=None, **more)
    wanted = values.transpose(1, 2, 0) if values.ndim == 3 else np.repeat(255 - values[..., None], 3, axis=-1)
    assert np.array_equal(decode(tmp_path / "a.tif"), wanted)


def test_colours_of_a_profile_become_srgb_unless_stored_values_are_asked_for(tmp_path):
    pixels = np.full((4, 5, 3), (150, 100, 100), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=wide())
    assert decode(tmp_path / "a.png")[0, 0, 0] > 155
    assert np.array_equal(decode(tmp_path / "a.png", profiles=False), pixels)


def test_a_raw_file_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 3), np.uint8), extratags=[(50706, 1, 4, (1, 4, 0, 0), True)])
    with pytest.raises(OSError, match="raw file"):
        decode(tmp_path / "a.tif")


def test_black_and_white_is_0_and_255(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png").tolist() == [[[255] * 3, [0] * 3]]


def test_cmyk_is_turned_into_rgb(tmp_path):
    image = Image.new("CMYK", (4, 1))
    image.putdata([(0, 0, 0, 0), (0, 255, 255, 0), (255, 255, 0, 0), (0, 0, 0, 255)])
    image.save(tmp_path / "a.tif")
    expected = [[[255, 255, 255], [255, 0, 0], [0, 0, 255], [0, 0, 0]]]
    assert decode(tmp_path / "a.tif").tolist() == expected


def test_decoded_picture_can_be_written_to(tmp_path):
    decoded = decode(save(tmp_path / "a.png"))
    decoded[0, 0] = 1
    assert decoded.dtype == np.uint8
    assert decoded[0, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("height", "width", "short_side", "expected"),
    [
        (90, 60, 60, (90, 60)),
        (90, 60, 61, (90, 60)),
        (90, 60, None, (90, 60)),
        (90, 60, 59, (88, 59)),  # 88.5, rounded to even
        (90, 60, 20, (30, 20)),
        (60, 90, 20, (20, 30)),
        (333, 217, 100, (153, 100)),
        (400, 401, 50, (50, 50)),
        (3, 200, 8, (3, 200)),
        (16, 800, 8, (8, 400)),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_shorter_side_is_reduced_to_what_is_wanted(tmp_path, suffix, height, width, short_side, expected):
    path = save(tmp_path / f"a{suffix}", smooth(height, width))
    assert decode(path, short_side).shape == (*expected, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("short_side", [40, 41, None])
def test_picture_that_is_small_enough_stays_bit_for_bit(tmp_path, suffix, short_side):
    path = save(tmp_path / f"a{suffix}", colours(57, 40))
    np.testing.assert_array_equal(decode(path, short_side), decode(path))


@pytest.mark.parametrize("short_side", [40, 33, 17])
def test_reduced_pixels_are_means_of_what_they_cover(tmp_path, short_side):
    pixels = colours(160, 80)
    path = save(tmp_path / "a.png", pixels)
    expected = area_averaged(pixels, 2 * short_side, short_side)
    np.testing.assert_allclose(decode(path, short_side), expected, atol=1)


@pytest.mark.parametrize(
    ("height", "width", "options"),
    [
        (600, 800, {}),
        (600, 800, {"progressive": True}),
        (600, 800, {"subsampling": 0}),
        (1201, 1603, {}),  # a scale rounds these up: a shift of less than a pixel
    ],
)
@pytest.mark.parametrize("share", [0.99, 0.67, 0.5, 0.45, 0.25, 0.2, 0.125])
def test_reduced_jpeg_is_close_to_one_decoded_in_full(tmp_path, height, width, options, share):
    path = save(tmp_path / "a.jpg", smooth(height, width), quality=90, **options)
    reduced = decode(path, int(height * share))
    expected = area_averaged(decode(path), *reduced.shape[:2])
    assert np.abs(reduced - expected).mean() < 1.5
    np.testing.assert_array_equal(decode(path, int(height * share)), reduced)


@pytest.mark.parametrize(
    ("short_side", "decoded"),
    [(151, (400, 300)), (150, (200, 150)), (100, (200, 150)), (75, (100, 75)), (38, (100, 75)), (20, (50, 38))],
)
def test_jpeg_is_decoded_at_the_smallest_scale_that_suffices(tmp_path, monkeypatch, short_side, decoded):
    path = save(tmp_path / "a.jpg", smooth(300, 400))
    sizes = []

    def note_size(image, data):
        sizes.append(image.size)
        return decode_opened(image, data)

    monkeypatch.setattr(sources, "decode_opened", note_size)
    decode(path, short_side)
    assert sizes == [decoded]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(("height", "width"), [(96, 64), (64, 96)])
def test_turned_pictures_are_reduced_upright(tmp_path, suffix, orientation, height, width):
    stored = smooth(height, width)
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    path = save(tmp_path / f"a{suffix}", stored, exif=exif)
    upright = UPRIGHT[orientation](stored)
    expected = area_averaged(upright, *(side // 4 for side in upright.shape[:2]))
    reduced = decode(path, 16)
    assert reduced.shape == expected.shape
    assert np.abs(reduced - expected).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_and_reduced(tmp_path, suffix):
    grey = np.repeat(np.array([[0, 100 * 257], [200 * 257, 65535]], dtype=np.uint16), 10, axis=0).repeat(10, axis=1)
    reduced = decode(save(tmp_path / f"a{suffix}", grey), 2)
    assert reduced.tolist() == [[[v] * 3 for v in row] for row in ([0, 100], [200, 255])]


def test_transparency_is_put_on_white_before_reducing(tmp_path):
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[:, 4:] = [0, 0, 0, 255]  # the left half is transparent black
    assert decode(save(tmp_path / "a.png", pixels), 2)[0].tolist() == [[255] * 3, [0] * 3]


def test_palette_is_looked_up_before_reducing(tmp_path):
    image = Image.new("P", (4, 4))
    image.putpalette([0, 0, 0, 100, 150, 200, 255, 255, 255])
    image.putdata([0, 1] * 8)
    image.save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 2)[0, 0].tolist() == [50, 75, 100]


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_cut_jpeg_is_refused_also_when_reduced(tmp_path, cut):
    path = save(tmp_path / "a.jpg", colours(200, 300))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    with pytest.raises(OSError, match=r"a\.jpg"):
        decode(path, 20)


def test_source_reduces_what_it_loads(tmp_path):
    path = save(tmp_path / "a.jpg", smooth(90, 120))
    np.testing.assert_array_equal(FolderSource(tmp_path, short_side=30).load("a.jpg"), decode(path, 30))
    np.testing.assert_array_equal(FolderSource(tmp_path).load("a.jpg"), decode(path))


@pytest.fixture(params=["ram", "disk"])
def cache(request, tmp_path):
    return RamCache() if request.param == "ram" else DiskCache(tmp_path / "cache")


@pytest.mark.parametrize("short_side", [None, 30])
def test_cached_photographs_are_those_decoded(tmp_path, cache, short_side):
    for name in ("a.png", "b.jpg", "deep/c.webp"):
        save(tmp_path / "photos" / name, colours(50, 70))
    plain = FolderSource(tmp_path / "photos", short_side)
    cached = FolderSource(tmp_path / "photos", short_side, cache)
    for name in plain.names * 2:
        np.testing.assert_array_equal(cached.load(name), plain.load(name))


def test_check_fills_memory_with_what_is_loaded_later_and_files_as_they_are_drawn(tmp_path, cache, caplog):
    kept = {name: smooth(40, 50, seed) for seed, name in enumerate(("a.png", "b.png"))}
    for name, pixels in kept.items():
        save(tmp_path / "photos" / name, pixels)
    source = FolderSource(tmp_path / "photos", 20, cache)
    with caplog.at_level(logging.INFO, logger="wm_lightning.data.sources"):
        assert source.check() == {}
    assert [record.getMessage() for record in caplog.records] == [f"cache: {cache}"]
    if isinstance(cache, DiskCache):
        assert list(cache.folder.iterdir()) == []
        for name in kept:
            source.load(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "open", None)  # nothing is decoded from here on
        for name, pixels in kept.items():
            np.testing.assert_allclose(source.load(name), area_averaged(pixels, 20, 25), atol=1)


def test_filling_memory_finds_what_is_broken_and_keeps_none_of_it(tmp_path):
    photos = tmp_path / "photos"
    whole = save(photos / "whole.jpg", colours(200, 150)).read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "text.png").write_text("not a picture")
    (photos / "empty.jpg").write_bytes(b"")
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(photos / "float.tiff")
    source = FolderSource(photos, 50, RamCache())
    found = source.check()
    assert sorted(found) == ["cut.jpg", "empty.jpg", "float.tiff", "text.png"]
    assert all(found.values())
    assert source.check() == found
    with pytest.raises(BrokenPictureError, match=r"cut\.jpg"):
        source.load("cut.jpg")
    (photos / "cut.jpg").write_bytes(whole)
    assert source.load("cut.jpg").shape == (67, 50, 3)


def test_demo_tiles_do_not_overlap_and_are_all_whole(demo):
    corners = {}
    for name in demo.names:
        picture, position = name.split("@")
        corners.setdefault(picture, []).append(tuple(int(number) for number in position.split(",")))
        assert demo.load(name).shape == (128, 128, 3)
    assert set(corners) == set(DemoSource.PICTURES)
    for places in corners.values():
        for number, (left, top) in enumerate(places):
            for other_left, other_top in places[number + 1 :]:
                assert abs(left - other_left) >= 128 or abs(top - other_top) >= 128


def test_demo_tile_is_what_its_name_says(demo):
    from skimage.data import astronaut

    picture = astronaut()
    np.testing.assert_array_equal(demo.load("astronaut.png@128,256"), picture[256:384, 128:256])


@pytest.mark.parametrize("tile", [96, 128])
def test_demo_fills_every_stage(tile):
    demo = DemoSource(tile)
    assert all(len(names) >= 4 for names in split_names(demo.names, seed=0))
    assert demo.check() == {}


def test_float_pictures_are_refused(tmp_path):
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(BrokenPictureError, match=r"float\.tiff: has floating-point"):
        decode(tmp_path / "float.tiff")
