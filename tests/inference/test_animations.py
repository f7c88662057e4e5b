"""Animations and files of several pages: every picture of them is read, cleaned and written."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageSequence

from tests.inference.awkward import SRGB, XMP, exif, noise
from wm_lightning.errors import TooLargeError, UnsupportedError, UserError
from wm_lightning.images.png import SIGNATURE, chunks
from wm_lightning.inference.encoding import encode_picture
from wm_lightning.inference.pictures import read_picture

DURATIONS = [40, 100, 70, 200]  # milliseconds
WHERE = slice(2, 6), slice(3, 9)  # rows and columns that are cleaned


def moving(mode="RGB", count=4):
    """A disc that goes over a scene of few colours, or over nothing."""
    pictures = []
    for number in range(count):
        scene = Image.new("RGBA", (32, 20), (0, 0, 0, 0) if mode == "RGBA" else (60, 90, 30))
        draw = ImageDraw.Draw(scene)
        draw.rectangle((0, 12, 31, 19), (20 * number, 40, 200))
        draw.ellipse((4 + 5 * number, 3, 14 + 5 * number, 13), (250, 200, 10))
        pictures.append(scene.convert(mode))
    return pictures


def save(path, pictures, **options):
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **{"duration": DURATIONS, **options})


def shown(path):
    """Every picture of a file as Pillow shows it, and for how long."""
    with Image.open(path) as opened:
        pairs = [(np.asarray(one.convert("RGBA")), one.info.get("duration")) for one in ImageSequence.Iterator(opened)]
        return [pixels for pixels, _ in pairs], [time for _, time in pairs], opened.info.get("loop")


def darker(picture):
    """Its pixels with a rectangle that is darker on each frame."""
    cleaned = []
    for one in (picture, *picture.further):
        pixels = one.pixels.copy()
        pixels[WHERE] //= 2
        cleaned.append(pixels)
    return cleaned


def rewritten(path, out):
    picture = read_picture(path)
    pixels, *further = darker(picture)
    content, lost = encode_picture(picture, pixels, out.suffix, further)
    out.write_bytes(content)
    return picture, lost


CASES = {
    "opaque.gif": ("RGB", {"loop": 0}),
    "seen_through.gif": ("RGBA", {"loop": 3, "disposal": 2}),
    "once.gif": ("RGB", {}),
    "grey.gif": ("L", {"loop": 0}),
    "opaque.png": ("RGB", {"loop": 2}),
    "seen_through.png": ("RGBA", {"loop": 0}),
    "grey.apng": ("L", {"loop": 0, "format": "PNG"}),
    "still_first.png": ("RGB", {"loop": 0, "default_image": True}),
    "without_times.webp": ("RGB", {"lossless": True, "duration": 0}),
    "opaque.webp": ("RGB", {"loop": 5, "lossless": True}),
    "seen_through.webp": ("RGBA", {"loop": 0, "lossless": True, "exact": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_frame_is_cleaned_and_all_else_stays(tmp_path, name):
    mode, options = CASES[name]
    path, out = tmp_path / name, tmp_path / f"out_{name}"
    pictures = moving(mode, 5 if "default_image" in options else 4)
    save(path, pictures, **options)
    picture, lost = rewritten(path, out)
    before, times, loop = shown(path)
    after, times_after, loop_after = shown(out)
    assert lost == picture.notes == []
    assert (times_after, loop_after) == (times, loop)
    assert len(after) == len(before) == len(pictures)
    for old, new in zip(before, after, strict=True):
        there = np.zeros(old.shape[:2], bool)
        there[WHERE] = True
        visible = old[..., 3] > 0
        assert np.array_equal(old[~there & visible], new[~there & visible])
        assert np.array_equal(old[..., 3], new[..., 3])
        assert np.array_equal(old[there & visible][:, :3] // 2, new[there & visible][:, :3])


def test_a_gif_keeps_its_comment_and_its_own_palette_for_what_did_not_change(tmp_path):
    path, out = tmp_path / "full.gif", tmp_path / "out.gif"
    scene = Image.fromarray(noise(3)).resize((64, 48)).quantize(256)
    scene.save(path, comment=b"by A. Author")
    rewritten(path, out)
    (before,), (after,) = shown(path)[0], shown(out)[0]
    there = np.zeros(before.shape[:2], bool)
    there[WHERE] = True
    assert np.array_equal(before[~there], after[~there])
    wanted = before[there][:, :3] // 2
    assert np.abs(after[there][:, :3].astype(int) - wanted).mean() < 40  # the nearest of colours that are there
    with Image.open(out) as opened:
        assert (opened.mode, opened.info["comment"]) == ("P", b"by A. Author")


def test_frame_rates_of_apng_that_are_no_milliseconds_stay(tmp_path):
    path, out = tmp_path / "a.png", tmp_path / "b.png"
    save(path, moving())
    content = path.read_bytes().replace(b"\0\1\0\x19", b"\0\1\0\x1e")  # 1/25 s becomes 1/30 s
    assert content.count(b"\0\1\0\x1e") == 1
    path.write_bytes(SIGNATURE + b"".join(chunk.file() for chunk in chunks(content)))
    rewritten(path, out)
    controls = [data for kind, data in chunks(out.read_bytes()) if kind == b"fcTL"]
    assert controls[0][20:24] == b"\0\1\0\x1e"


def test_exif_profile_and_turning_of_an_animation_stay(tmp_path):
    for name in ("a.png", "a.webp"):
        path, out = tmp_path / name, tmp_path / f"out_{name}"
        options = {"lossless": True} if name.endswith("webp") else {}
        save(path, moving(), exif=exif(6), icc_profile=SRGB, xmp=XMP, **options)
        picture, _ = rewritten(path, out)
        assert picture.pixels.shape == picture.further[0].pixels.shape == (32, 20, 3)
        with Image.open(path) as before, Image.open(out) as after:
            assert after.getexif() == before.getexif()
            assert after.info["icc_profile"] == SRGB
            assert after.size == before.size


def test_an_animation_in_another_format_is_its_first_picture_and_says_so(tmp_path):
    path = tmp_path / "a.gif"
    save(path, moving())
    picture = read_picture(path)
    content, lost = encode_picture(picture, picture.pixels, ".png")
    assert lost == ["only the first of its pictures was taken"]
    with Image.open(io.BytesIO(content)) as opened:
        assert getattr(opened, "n_frames", 1) == 1
    assert read_picture(path, first=True).notes == lost


def test_only_a_gif_is_written_as_gif(tmp_path):
    path = tmp_path / "a.png"
    moving()[0].save(path)
    picture = read_picture(path)
    with pytest.raises(UnsupportedError, match="is no GIF, and cannot be written as one of 256 colours"):
        encode_picture(picture, picture.pixels, ".gif")


def test_pages_of_a_tiff_keep_size_depth_texts_and_compression_each(tmp_path):
    path, out = tmp_path / "pages.tif", tmp_path / "out.tif"
    deep, grey = noise(3, np.uint16), noise(1)[..., 0][:9]
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise(3), photometric="rgb", compression="zlib", description="one", metadata=None)
        writer.write(deep, photometric="rgb", extratags=[(274, 3, 1, 6, True)], resolution=(300, 300))
        writer.write(grey, photometric="minisblack")
        writer.write(noise(3)[::2, ::2], photometric="rgb", subfiletype=1)
    picture, lost = rewritten(path, out)
    assert [one.pixels.shape for one in (picture, *picture.further)] == [(16, 24, 3), (24, 16, 3), (9, 24, 3)]
    assert lost == ["a small copy or a mask among its pages was left out"]
    with tifffile.TiffFile(out) as written:
        assert [page.shape for page in written.pages] == [(16, 24, 3), (16, 24, 3), (9, 24)]
        assert written.pages[0].tags["ImageDescription"].value == "one"
        assert written.pages[1].tags["Orientation"].value == 6
        assert written.pages[1].tags["XResolution"].value == (300, 1)
        assert np.array_equal(written.pages[1].asarray()[:, 6:], deep[:, 6:])
        assert np.array_equal(written.pages[2].asarray()[6:], grey[6:])
    with Image.open(out) as opened:
        assert getattr(opened, "n_frames", 1) == 3
        assert opened.info["compression"] == "tiff_adobe_deflate"


def test_a_page_that_cannot_be_read_refuses_the_file(tmp_path):
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise(3), photometric="rgb")
        writer.write(noise(3).astype(np.float32), photometric="rgb")
    with pytest.raises(UserError, match=r"pages\.tif "):
        read_picture(path)


def test_animations_are_as_large_as_their_pictures_together(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    save(path, moving())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(TooLargeError, match=r"has more than 0\.0014 megapixels, its pictures together; take it apart"):
        read_picture(path)
