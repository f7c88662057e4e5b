"""Picture files of every kind, read and written back."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin

from tests.inference.awkward import BAD, CONVERTED, LOSSLESS, SRGB, XMP, exif, noise, smooth
from wm_lightning.errors import UserError
from wm_lightning.inference.encoding import encode_picture
from wm_lightning.inference.pictures import read_picture


def again(path, out, pixels=None):
    """Reads a file and writes it again; returns the picture and what was not kept."""
    picture = read_picture(path)
    content, lost = encode_picture(picture, picture.pixels if pixels is None else pixels(picture.pixels), out.suffix)
    out.write_bytes(content)
    return picture, lost


def raw(path):
    """Every value of a file, at its depth, in the order blue, green, red."""
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_file_keeps_every_value(tmp_path, name):
    path, out = tmp_path / name, tmp_path / f"out_{name}"
    LOSSLESS[name](path)
    _, lost = again(path, out)
    assert lost == []
    before, after = raw(path), raw(out)
    assert before.dtype == after.dtype
    assert np.array_equal(before, after)


@pytest.mark.parametrize("name", LOSSLESS)
def test_other_pixels_are_written_at_the_files_depth(tmp_path, name):
    path, out = tmp_path / name, tmp_path / f"out_{name}"
    LOSSLESS[name](path)
    picture, _ = again(path, out, lambda pixels: np.full_like(pixels, np.iinfo(pixels.dtype).max // 3))
    reread = read_picture(out)
    assert (reread.pixels == np.iinfo(reread.pixels.dtype).max // 3).all()
    assert reread.pixels.dtype == picture.pixels.dtype
    assert (reread.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None:
        assert np.array_equal(reread.alpha, picture.alpha)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_turned_file_is_worked_on_upright_and_written_as_it_was(tmp_path, orientation, suffix):
    path, out = tmp_path / f"turned{suffix}", tmp_path / f"out{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    smooth().save(path, exif=exif(orientation), **options)
    picture, _ = again(path, out)
    with Image.open(path) as before, Image.open(out) as after:
        assert np.array_equal(picture.pixels, np.asarray(ImageOps.exif_transpose(before)))
        assert after.getexif()[0x0112] == orientation
        assert before.size == after.size
        if suffix != ".jpg":
            assert np.array_equal(np.asarray(before), np.asarray(after))


def test_a_format_without_exif_gets_an_upright_picture(tmp_path):
    path, out = tmp_path / "turned.png", tmp_path / "out.bmp"
    smooth().save(path, exif=exif(6))
    _, lost = again(path, out)
    assert lost == ["no EXIF, ICC profile or XMP"]
    with Image.open(path) as before, Image.open(out) as after:
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(before)), np.asarray(after))


def test_a_turned_deep_tiff_is_too(tmp_path):
    path, out = tmp_path / "turned.tif", tmp_path / "out.tif"
    stored = noise(3, np.uint16)
    tifffile.imwrite(path, stored, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    picture, _ = again(path, out)
    assert np.array_equal(picture.pixels, np.rot90(stored, -1))
    with tifffile.TiffFile(out) as written:
        assert written.pages[0].tags[274].value == 6
        assert np.array_equal(written.asarray(), stored)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_profile_xmp_and_resolution_are_kept(tmp_path, suffix):
    path, out = tmp_path / f"with{suffix}", tmp_path / f"out{suffix}"
    more = {} if suffix == ".webp" else {"dpi": (300, 300)}
    more |= {} if suffix == ".tif" else {"xmp": XMP}
    smooth().save(path, exif=exif(), icc_profile=SRGB, **more)
    again(path, out)
    with Image.open(path) as before, Image.open(out) as after:
        assert dict(after.getexif())[0x010F] == dict(before.getexif())[0x010F] == "Maker"
        assert after.info["icc_profile"] == before.info["icc_profile"] == SRGB
        assert after.info.get("xmp") == before.info.get("xmp")
        assert after.info.get("dpi") == before.info.get("dpi")


def test_sixteen_bits_keep_their_profile_and_exif(tmp_path):
    path, out = tmp_path / "deep.png", tmp_path / "out.png"
    kinds = [cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_XMP]
    parts = [np.frombuffer(part, np.uint8) for part in (exif()[6:], SRGB, XMP)]
    _, content = cv2.imencodeWithMetadata(".png", noise(3, np.uint16), kinds, parts)
    path.write_bytes(content.tobytes())
    again(path, out)
    with Image.open(path) as before, Image.open(out) as after:
        assert after.info["icc_profile"] == before.info["icc_profile"] == SRGB
        assert after.getexif()[0x010F] == before.getexif()[0x010F] == "Maker"
    deep, out = tmp_path / "deep.tif", tmp_path / "out.tif"
    texts = [(315, 2, 0, "Ana", True)]
    options = {"photometric": "rgb", "iccprofile": SRGB, "resolution": (300, 300), "extratags": texts}
    tifffile.imwrite(deep, noise(3, np.uint16), **options)
    again(deep, out)
    with tifffile.TiffFile(out) as written:
        assert written.pages[0].tags[34675].value == SRGB
        assert written.pages[0].tags["XResolution"].value == (300, 1)
        assert written.pages[0].tags["Artist"].value == "Ana"


def test_a_jpeg_keeps_its_quality_sampling_and_kind(tmp_path):
    path, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    for quality, sampling, progressive in ((35, 2, True), (90, 0, False), (75, 1, False)):
        smooth().save(path, quality=quality, subsampling=sampling, progressive=progressive, comment=b"kept")
        again(path, out)
        with Image.open(path) as before, Image.open(out) as after:
            assert isinstance(before, JpegImagePlugin.JpegImageFile)
            assert isinstance(after, JpegImagePlugin.JpegImageFile)
            assert after.quantization == before.quantization
            assert JpegImagePlugin.get_sampling(after) == sampling
            assert after.info.get("progressive") == before.info.get("progressive")
            assert after.info["comment"] == b"kept"
            assert np.array_equal(np.asarray(before), np.asarray(after))  # blocks stay where no pixel changed


def test_a_sampling_that_cannot_be_written_keeps_all_colours(tmp_path):
    path, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    tall = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440]
    cv2.imwrite(str(path), np.asarray(smooth()), tall)
    with Image.open(path) as before:
        assert JpegImagePlugin.get_sampling(before) == -1
    again(path, out)
    with Image.open(path) as before, Image.open(out) as after:
        assert JpegImagePlugin.get_sampling(after) == 0
        assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).mean() <= 2


def test_png_texts_and_tiff_compression_are_kept(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Ana")
    smooth().save(tmp_path / "a.png", pnginfo=texts)
    again(tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as after:
        assert isinstance(after, PngImagePlugin.PngImageFile)
        assert after.text["Author"] == "Ana"
    smooth().save(tmp_path / "a.tif", compression="tiff_lzw")
    again(tmp_path / "a.tif", tmp_path / "b.tif")
    with Image.open(tmp_path / "b.tif") as after:
        assert after.info["compression"] == "tiff_lzw"


@pytest.mark.parametrize(("case", "note"), CONVERTED.items(), ids=lambda case: case[0] if len(case) == 2 else "")
def test_what_is_converted_is_said(tmp_path, case, note):
    name, make = case
    path, out = tmp_path / name, tmp_path / f"out_{name}"
    make(path)
    picture, _ = again(path, out)
    assert picture.notes == [note]
    with Image.open(path) as before, Image.open(out) as after:
        wanted = before.convert("RGBA" if before.has_transparency_data else "RGB")
        tolerance = 12 if path.suffix == ".jpg" else 0
        difference = np.asarray(wanted).astype(int) - np.asarray(after.convert(wanted.mode))
        assert np.abs(difference).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "suffix", "lost"),
    [
        ("rgba.png", ".jpg", ["transparency became white"]),
        ("deep_rgb.png", ".jpg", ["16 bits became 8"]),
        ("deep_rgba.tif", ".bmp", ["16 bits became 8", "transparency became white", "no EXIF, ICC profile or XMP"]),
        ("deep_rgb.tif", ".png", []),
        ("deep_rgba.png", ".tiff", []),
        ("rgb.bmp", ".webp", []),
        ("grey_alpha.png", ".webp", []),
    ],
)  # fmt: skip
def test_another_format_says_what_it_cannot_hold(tmp_path, name, suffix, lost):
    path, out = tmp_path / name, tmp_path / f"out{suffix}"
    LOSSLESS[name](path)
    picture, said = again(path, out)
    assert said == lost
    reread = read_picture(out)
    if not lost:
        assert np.array_equal(reread.pixels, picture.pixels)
    else:
        assert reread.alpha is None
        assert reread.pixels.dtype == np.uint8


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence_that_names_it(tmp_path, name):
    content, sentence = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as found:
        read_picture(path)
    said = str(found.value)
    assert said.startswith(f"{path} ")
    assert sentence in said
    assert said.endswith(".")
    assert "\n" not in said


def test_what_cannot_be_opened_is_one_sentence(tmp_path):
    for path in (tmp_path / "missing.jpg", tmp_path):
        with pytest.raises(UserError, match=f"^{path} cannot be read: ") as found:
            read_picture(path)
        assert str(found.value).endswith(".")


def test_a_phones_jpeg_of_several_pictures_is_its_first(tmp_path):
    path, out = tmp_path / "phone.jpg", tmp_path / "out.jpg"
    first, second = smooth(), ImageOps.mirror(smooth())
    first.save(path, "MPO", save_all=True, append_images=[second])
    picture, _ = again(path, out)
    assert picture.format == "JPEG"
    with Image.open(path) as before, Image.open(out) as after:
        assert isinstance(before, JpegImagePlugin.JpegImageFile)
        assert isinstance(after, JpegImagePlugin.JpegImageFile)
        assert after.quantization == before.quantization
        mirrored = ImageOps.mirror(after)
        assert np.abs(np.asarray(before.convert("RGB")).astype(int) - np.asarray(after)).mean() < 8
        assert np.abs(np.asarray(before.convert("RGB")).astype(int) - np.asarray(mirrored)).mean() > 20
