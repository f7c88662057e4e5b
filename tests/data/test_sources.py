import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from wm_lightning.data.sources import DemoSource, FolderSource, Split, decode, split_names
from wm_lightning.errors import UserError

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
    with pytest.raises(UserError, match=f"^{count} photographs"):
        split_names(NAMES[:count], seed=0)


@pytest.mark.parametrize(
    "fractions", [[0.7, 0.2], [0.7, 0.2, 0.2], [0.8, 0.2, 0.0], [1.2, -0.1, -0.1], [0.25, 0.25, 0.25, 0.25]]
)
def test_fractions_that_are_no_split_are_refused(fractions):
    with pytest.raises(UserError, match=r"data\.fractions"):
        split_names(NAMES, seed=0, fractions=fractions)


def test_fractions_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(UserError, match=r"data\.fractions.*train on"):
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
    with pytest.raises(UserError, match=r"data\.root=.*nowhere"):
        FolderSource(tmp_path / "nowhere")


def test_file_instead_of_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"data\.root=.*a\.png"):
        FolderSource(save(tmp_path / "a.png"))


def test_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"data\.root=.*holds no picture"):
        FolderSource(tmp_path)


def test_source_loads_the_pixels_of_a_name(tmp_path):
    pixels = colours()
    save(tmp_path / "deep" / "a.png", pixels)
    np.testing.assert_array_equal(FolderSource(tmp_path).load("deep/a.png"), pixels)


def test_check_finds_what_cannot_be_decoded(tmp_path):
    pixels = colours(200, 150)
    whole = save(tmp_path / "whole.jpg", pixels).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    whole = save(tmp_path / "whole.png", pixels).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert FolderSource(tmp_path).check() == ["cut.jpg", "cut.png", "empty.jpg", "text.png"]


def test_check_finds_nothing_among_intact_files(tmp_path):
    for name in ("a.png", "b.jpg", "c.webp", "d.tif", "e.bmp"):
        save(tmp_path / name, colours(21, 33))
    assert FolderSource(tmp_path).check() == []


@pytest.mark.parametrize(("height", "width"), [(7, 200), (200, 7), (1, 1)])
def test_check_takes_jpegs_below_eight_pixels(tmp_path, height, width):
    save(tmp_path / "a.jpg", colours(height, width))
    assert FolderSource(tmp_path).check() == []


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
    assert demo.check() == []


def test_float_pictures_are_refused_by_check_and_decode(tmp_path):
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(tmp_path / "float.tiff")
    assert FolderSource(tmp_path).check() == ["float.tiff"]
    with pytest.raises(OSError, match=r"float\.tiff: floating-point"):
        decode(tmp_path / "float.tiff")
