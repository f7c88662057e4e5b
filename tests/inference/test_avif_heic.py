"""AVIF and HEIC: read as viewers show them, written with all that they say."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from tests.inference.awkward import SRGB, XMP, encoded, exif, noise, smooth
from wm_lightning.errors import UnreadableError, UnsupportedError
from wm_lightning.images.boxes import described
from wm_lightning.inference.encoding import encode_picture
from wm_lightning.inference.pictures import read_picture

pillow_heif = pytest.importorskip("pillow_heif", reason="the extra [heif] is not installed")

SUFFIXES = [".avif", ".heic"]
WHERE = slice(2, 6), slice(3, 9)


@pytest.fixture(autouse=True)
def _heif_is_opened():
    pillow_heif.register_heif_opener()


def saved(path, image, **options):
    pillow = {"quality": 95, "subsampling": "4:4:4"} if path.suffix == ".avif" else {"quality": 95, "chroma": 444}
    image.save(path, **pillow, **options)
    return path


def deep(path, channels, bits=10, **options):
    """A HEIC of more than 8 bits."""
    mode = {1: "L;16", 3: "RGB;16", 4: "RGBA;16"}[channels]
    values = noise(channels, np.uint16) // 4096 * 4096
    pillow_heif.from_bytes(mode, (24, 16), values.tobytes()).save(
        path, quality=-1, chroma=444, matrix_coefficients=0, bit_depth=bits, **options
    )
    return path


def rewritten(path, out=None):
    """Writes a file with a dark rectangle; returns the picture, the file as it is read again, and what was lost."""
    picture = read_picture(path)
    pixels = picture.pixels.copy()
    pixels[WHERE] //= 4
    content, lost = encode_picture(picture, pixels, (out or path).suffix)
    out = out or path.with_name(f"out_{path.name}")
    out.write_bytes(content)
    again = read_picture(out)
    before, after = (one.pixels[8:] / np.iinfo(one.pixels.dtype).max for one in (picture, again))
    outside = np.abs(before - after).mean()
    assert outside < 0.02, outside
    top = np.iinfo(again.pixels.dtype).max / np.iinfo(picture.pixels.dtype).max
    assert again.pixels[WHERE].mean() < picture.pixels[WHERE].mean() * top / 2
    return picture, again, lost


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_modes_and_metadata_stay(tmp_path, suffix, mode):
    image = smooth().convert(mode)
    if mode == "RGBA":
        image.putalpha(smooth("L"))
    given = {} if mode == "L" else {"icc_profile": SRGB}
    options = {"subsampling": "4:0:0"} if mode == "L" and suffix == ".avif" else {}
    path = tmp_path / f"a{suffix}"
    image.save(path, quality=95, exif=exif(), xmp=XMP, **{"subsampling": "4:4:4", **options}, **given)
    picture, again, lost = rewritten(path)
    assert (lost, picture.notes) == ([], [])
    assert again.grey == picture.grey == (mode == "L")
    assert (again.alpha is not None) == (mode == "RGBA")
    if mode == "RGBA":
        assert np.abs(again.alpha.astype(int) - picture.alpha).max() < 16
    assert again.metadata.exif == picture.metadata.exif != b""
    assert again.metadata.xmp == picture.metadata.xmp == XMP
    assert again.metadata.profile == picture.metadata.profile == given.get("icc_profile", b"")
    assert described(again.file).chroma == described(picture.file).chroma
    assert again.options == picture.options


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_files_look_the_same(tmp_path, suffix, orientation):
    path = saved(tmp_path / f"a{suffix}", smooth(), exif=exif(orientation))
    picture, again, _ = rewritten(path)
    upright = Image.open(io.BytesIO(encoded("PNG", exif=exif(orientation))))
    wanted = np.asarray(ImageOps.exif_transpose(upright))
    assert np.abs(picture.pixels.astype(int) - wanted).mean() < 5
    assert again.orientation == picture.orientation
    content, _ = encode_picture(picture, picture.pixels, ".jpg")
    with Image.open(io.BytesIO(content)) as jpeg:
        shown = np.asarray(ImageOps.exif_transpose(jpeg))
    assert np.abs(shown.astype(int) - wanted).mean() < 6


@pytest.mark.parametrize(("channels", "bits"), [(3, 10), (4, 12), (1, 10)])
def test_deep_heic_stays_deep_and_lossless(tmp_path, channels, bits):
    path = deep(tmp_path / "a.heic", channels, bits)
    picture, again, lost = rewritten(path)
    assert lost == []
    assert picture.pixels.dtype == again.pixels.dtype == np.uint16
    assert again.options["bit_depth"] == picture.options["bit_depth"] == bits
    assert np.array_equal(again.pixels[8:], picture.pixels[8:])


def test_white_of_ten_bits_is_white(tmp_path):
    path = tmp_path / "a.heic"
    white = np.full((16, 24, 3), 65535, np.uint16)
    pillow_heif.from_bytes("RGB;16", (24, 16), white.tobytes()).save(path, quality=-1, chroma=444)
    assert read_picture(path).pixels.min() == 65535


def test_other_formats_become_heic_and_say_what_is_less(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(3, np.uint16) // 8192 * 8192, photometric="rgb")
    _, again, lost = rewritten(tmp_path / "a.tif", tmp_path / "a.heic")
    assert lost == ["16 bits became 10"]
    assert again.pixels.dtype == np.uint16
    smooth().save(tmp_path / "a.jpg", exif=exif(6))
    picture, again, _ = rewritten(tmp_path / "a.jpg", tmp_path / "b.heic")
    assert again.pixels.shape == picture.pixels.shape == (24, 16, 3)
    assert b"Maker" in again.metadata.exif
    assert Image.open(tmp_path / "b.heic").getexif()[0x0112] == 1
    _, again, lost = rewritten(tmp_path / "a.tif", tmp_path / "a.avif")
    assert lost == ["16 bits became 8"]


def test_wide_colours_that_are_declared_by_numbers_are_seen_and_stay(tmp_path):
    path = saved(tmp_path / "a.avif", Image.new("RGB", (24, 16), (20, 200, 30)))
    wide = path.read_bytes().replace(b"nclx\x00\x01\x00\r", b"nclx\x00\x0c\x00\r")
    path.write_bytes(wide)
    picture, again, lost = rewritten(path)
    assert lost == []
    assert picture.stored is not picture.pixels
    assert picture.pixels[10, 10, 1] > picture.stored[10, 10, 1]  # P3's green is beyond that of sRGB
    name = ImageCms.getProfileName(ImageCms.ImageCmsProfile(io.BytesIO(again.metadata.profile)))
    assert name.strip()


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_refused_by_a_sentence(tmp_path, transfer):
    path = saved(tmp_path / "a.avif", smooth())
    path.write_bytes(path.read_bytes().replace(b"nclx\x00\x01\x00\r", b"nclx" + struct.pack(">HH", 9, transfer)))
    with pytest.raises(UnsupportedError, match=r"a\.avif is an HDR picture \(PQ or HLG\)"):
        read_picture(path)


def test_further_pictures_and_thumbnails_of_heic_are_named(tmp_path):
    path = tmp_path / "a.heic"
    # The primary is the second: it is the one that viewers show.
    smooth().save(path, save_all=True, append_images=[Image.new("RGB", (24, 16), "navy")], primary_index=1, quality=90)
    picture = read_picture(path)
    assert picture.notes == ["only the first of its pictures was taken"]
    assert picture.pixels[..., 2].mean() > 100
    assert picture.pixels[..., 0].mean() < 10
    large = smooth().resize((240, 160))
    large.save(path, thumbnails=[64], quality=90)
    picture, again, _ = rewritten(path)
    assert picture.notes == ["its thumbnail was left out"]
    assert again.notes == []


def test_damaged_heic_and_avif_are_a_sentence(tmp_path):
    for suffix in SUFFIXES:
        content = saved(tmp_path / f"a{suffix}", smooth()).read_bytes()
        for number, bad in enumerate((content[: len(content) // 2], content[:40])):
            path = tmp_path / f"bad{number}{suffix}"
            path.write_bytes(bad)
            with pytest.raises(UnreadableError, match=rf"bad{number}\{suffix} is "):
                read_picture(path)
