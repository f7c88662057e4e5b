"""Pictures of four inks: what did not change keeps its inks, what did shows the colour that was wanted."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from tests.inference.awkward import exif, smooth
from wm_lightning.images.inks import Inks, inks_of
from wm_lightning.inference.encoding import encode_picture
from wm_lightning.inference.pictures import read_picture

WHERE = slice(2, 6), slice(3, 9)


def rich():
    """CMYK as printers make it: black takes part of the other inks' place."""
    rgb = np.asarray(smooth()).astype(float)
    black = (255 - rgb.max(axis=-1, keepdims=True)) * 0.7
    colours = 255 - rgb * 255 / (255 - black)
    return Image.frombytes("CMYK", smooth().size, np.concatenate((colours, black), axis=-1).astype(np.uint8).tobytes())


def rewritten(path, out, change=True):
    picture = read_picture(path)
    pixels = picture.pixels.copy()
    if change:
        pixels[WHERE] = 255 - pixels[WHERE] // 2
    content, lost = encode_picture(picture, pixels, out.suffix)
    out.write_bytes(content)
    return picture, pixels, lost


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate"])
def test_a_tiff_keeps_its_inks_to_the_bit_where_nothing_changed(tmp_path, orientation, compression):
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    rich().save(path, compression=compression, exif=exif(orientation))
    picture, pixels, lost = rewritten(path, out)
    assert (picture.notes, lost) == ([], [])
    before, after = tifffile.imread(path), tifffile.imread(out)
    assert after.shape == before.shape == (16, 24, 4)
    assert 0 < (before != after).any(axis=-1).sum() <= 24  # pixels that changed
    assert np.abs(read_picture(out).pixels.astype(int) - pixels).max() <= 2
    with Image.open(out) as opened:
        assert opened.mode == "CMYK"
        assert opened.info["compression"] == compression


def test_a_jpeg_of_inks_stays_one(tmp_path):
    path, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    rich().save(path, quality=95, exif=exif(), icc_profile=b"no profile at all, but of inks")
    _, pixels, lost = rewritten(path, out)
    assert lost == ["all of it was compressed anew"]
    with Image.open(path) as before, Image.open(out) as after:
        assert after.mode == "CMYK"
        assert getattr(after, "quantization", 0) == getattr(before, "quantization", 1)
        assert after.info["icc_profile"] == before.info["icc_profile"]
        assert after.info["adobe_transform"] == before.info["adobe_transform"]
        assert np.abs(np.asarray(before)[8:].astype(int) - np.asarray(after)[8:]).mean() < 4
    assert np.abs(read_picture(out).pixels.astype(int) - pixels).mean() < 6


def test_in_another_format_inks_become_colours_and_their_profile_stays_behind(tmp_path):
    path, out = tmp_path / "a.jpg", tmp_path / "b.png"
    rich().save(path, icc_profile=b"no profile at all, but of inks")
    _, pixels, lost = rewritten(path, out)
    assert "CMYK became RGB" in lost
    with Image.open(out) as after:
        assert after.mode == "RGB"
        assert "icc_profile" not in after.info
        assert np.array_equal(np.asarray(after), pixels)


def test_with_a_profile_changed_pixels_are_brought_back_through_it(monkeypatch):
    """A profile of inks is no part of Pillow: stand-ins say what goes through it."""
    through = []

    def apply(image, transform):
        through.append((image.mode, transform))
        return Image.new("CMYK", image.size, (9, 8, 7, 6))

    monkeypatch.setattr(ImageCms, "applyTransform", apply)
    stored, seen = np.zeros((4, 5, 4), np.uint8), np.full((4, 5, 3), 90, np.uint8)
    cleaned = seen.copy()
    cleaned[1, 2] = 10
    after = Inks("there", "back").stored(stored, seen, cleaned)
    assert through == [("RGB", "back")]
    assert after[1, 2].tolist() == [9, 8, 7, 6]
    after[1, 2] = 0
    assert not after.any()


def test_every_colour_can_be_made_with_any_black():
    generator = np.random.default_rng(0)
    seen = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    stored = generator.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    wanted = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    after = Inks().stored(stored, seen, wanted)
    shown = np.asarray(Inks().seen(Image.frombytes("CMYK", (64, 64), after.tobytes())))
    assert np.abs(shown.astype(int) - wanted).max() <= 2
    assert (after[..., 3] <= stored[..., 3]).all()


def test_a_broken_profile_says_nothing():
    assert inks_of(b"no profile") == Inks() == inks_of(None)
