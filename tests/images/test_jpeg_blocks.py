"""Coefficients of blocks that did not change, bit for bit."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from tests.inference.awkward import exif
from wm_lightning.images import jpeg_blocks
from wm_lightning.images.jpeg import head
from wm_lightning.inference.encoding import encode_picture
from wm_lightning.inference.pictures import read_picture

jpeglib = pytest.importorskip("jpeglib", reason="the extra [jpeg] is not installed")

SIZE = 117, 83  # width and height: blocks at the borders are not whole
HUFFMAN = 0xC4
MARK = slice(24, 40), slice(50, 60)


def photo(mode="RGB"):
    coarse = np.random.default_rng(0).integers(0, 256, (11, 14, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC).convert(mode)


def rewritten(path, out, change=True):
    picture = read_picture(path)
    pixels = picture.pixels.copy()
    if change:
        pixels[MARK] = 255 - pixels[MARK]
    content, lost = encode_picture(picture, pixels, ".jpg")
    out.write_bytes(content)
    return pixels, lost


def coefficients(path):
    picture = jpeglib.read_dct(str(path))
    return [getattr(picture, name) for name in ("Y", "Cb", "Cr")[: picture.num_components]]


KINDS = {
    "4:2:0": {"subsampling": 2},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0, "quality": 95},
    "grey": {},
    "progressive": {"progressive": True, "quality": 40},
    "progressive grey": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "optimized": {"optimize": True, "qtables": [list(range(1, 65)), list(range(2, 66))]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_without_a_change_keep_their_coefficients(tmp_path, kind):
    path, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    photo("L" if "grey" in kind else "RGB").save(path, **KINDS[kind])
    pixels, lost = rewritten(path, out)
    assert lost == []
    with Image.open(path) as before, Image.open(out) as after:
        assert isinstance(before, JpegImagePlugin.JpegImageFile)
        assert isinstance(after, JpegImagePlugin.JpegImageFile)
        assert (after.mode, after.quantization) == (before.mode, before.quantization)
        assert JpegImagePlugin.get_sampling(after) == JpegImagePlugin.get_sampling(before)
        assert after.info.get("progressive") == before.info.get("progressive")
        assert after.layer == before.layer  # numbers of components, sampling, and which tables are theirs
        away = np.abs(np.asarray(after.convert("RGB")).astype(int) - pixels)
        assert away[MARK].mean() < 25
        assert away[60:].max() == 0  # further away than chroma is smoothed
    for old, new in zip(coefficients(path), coefficients(out), strict=True):
        side = 8 if old.shape[1] == 15 else 16
        down = 8 if old.shape[0] == 11 else 16
        marked = np.zeros(old.shape[:2], bool)
        marked[24 // down : -(-40 // down), 50 // side : -(-60 // side)] = True
        differ = (old != new).any(axis=(2, 3))
        assert not differ[~marked].any()
        assert differ[marked].any()


def test_a_file_without_a_change_is_all_there(tmp_path):
    path, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    photo().save(path, quality=60, exif=exif(6), comment=b"kept")
    rewritten(path, out, change=False)
    for old, new in zip(coefficients(path), coefficients(out), strict=True):
        assert np.array_equal(old, new)
    with Image.open(path) as before, Image.open(out) as after:
        assert after.getexif() == before.getexif()
        assert after.info["comment"] == b"kept"


def test_a_turned_file_keeps_the_blocks_that_are_turned(tmp_path):
    path, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    photo().save(path, quality=60, subsampling=0, exif=exif(6))
    rewritten(path, out)
    differ = [(old != new).any(axis=(2, 3)) for old, new in zip(coefficients(path), coefficients(out), strict=True)]
    together = np.logical_or.reduce(differ)
    rows, columns = np.nonzero(together)
    # Upright (x, y) of a picture with orientation 6 is stored at row height - 1 - x, column y.
    assert (rows.min(), rows.max()) == ((83 - 60) // 8, (83 - 51) // 8)
    assert (columns.min(), columns.max()) == (24 // 8, 39 // 8)


@pytest.mark.parametrize("kind", ["sampling", "missing"])
def test_where_blocks_cannot_be_kept_it_is_said(tmp_path, kind, monkeypatch):
    path, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    if kind == "missing":
        photo().save(path)
        monkeypatch.setattr(jpeg_blocks, "AVAILABLE", False)
    else:  # one that Pillow cannot write
        tall = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440]
        cv2.imwrite(str(path), np.asarray(photo()), tall)
    _, lost = rewritten(path, out)
    assert lost == ["all of it was compressed anew"]
    with Image.open(out) as after:
        assert after.size == SIZE


def test_a_film_s_picture_without_huffman_tables_is_compressed_anew(tmp_path):
    path, out = tmp_path / "frame.jpg", tmp_path / "out.jpg"
    photo().save(path)
    file = path.read_bytes()
    segments, at = head(file)
    kept = [segment.file() for segment in segments if segment.marker != HUFFMAN]
    path.write_bytes(b"\xff\xd8" + b"".join(kept) + file[at:])
    pixels, lost = rewritten(path, out)
    assert lost == ["all of it was compressed anew"]
    assert np.abs(read_picture(out).pixels.astype(int) - pixels).mean() < 3


def test_colours_that_are_stored_as_they_are_stay_so(tmp_path):
    path, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    photo().save(path, keep_rgb=True)
    pixels, lost = rewritten(path, out)
    assert lost == ["all of it was compressed anew"]
    assert jpeglib.read_dct(str(out)).jpeg_color_space.name == "JCS_RGB"
    with Image.open(out) as after:
        assert np.abs(np.asarray(after)[48:].astype(int) - pixels[48:]).max() <= 4


def test_a_file_of_another_size_is_not_mixed():
    def saved(image):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG")
        return buffer.getvalue()

    changed = np.zeros(SIZE[::-1], bool)
    assert jpeg_blocks.with_kept_blocks(saved(photo()), saved(photo().resize((100, 83))), changed) is None
