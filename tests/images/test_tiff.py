"""Tags, read and carried; thumbnails, taken out."""

import io
import struct

import pytest
import tifffile
from PIL import Image

from tests.inference.awkward import noise
from wm_lightning.images.tiff import as_exif, read_tags, with_tags, without_thumbnail

THUMBNAIL = b"\xff\xd8a small picture\xff\xd9"


def exif(order="<", thumbnail=THUMBNAIL, behind=b""):
    """EXIF of an artist, with a camera's folder, and a thumbnail."""
    first = struct.pack(f"{order}H", 2)
    first += struct.pack(f"{order}HHI", 315, 2, 4) + b"Ana\0" + struct.pack(f"{order}HHII", 34665, 4, 1, 38)
    camera = struct.pack(f"{order}HHHIII", 1, 0x829A, 5, 1, 56, 0) + struct.pack(f"{order}II", 1, 250)
    at = 38 + len(camera)
    second = struct.pack(f"{order}H", 2) + struct.pack(f"{order}HHII", 0x0201, 4, 1, at + 30)
    second += struct.pack(f"{order}HHII", 0x0202, 4, 1, len(thumbnail)) + bytes(4)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    following = struct.pack(f"{order}I", at if thumbnail else 0)
    return head + first + following + camera + (second + thumbnail if thumbnail else b"") + behind


@pytest.mark.parametrize("order", "<>")
def test_tags_are_the_same_after_they_were_carried(order):
    tags = read_tags(as_exif(read_tags(exif(order))))
    assert tags == read_tags(exif("<"))
    assert tags[315].value == b"Ana\0"
    assert tags[34665].below[0x829A].value == struct.pack("<II", 1, 250)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("behind", [b"", b"notes of a maker"])
def test_a_thumbnail_is_taken_out_and_all_else_stays_where_it_is(order, behind):
    whole = exif(order, behind=behind)
    without, had = without_thumbnail(whole)
    assert had
    assert b"small picture" not in without
    assert without[8:34] == whole[8:34]
    assert without[38:56] == whole[38:56]
    assert without.endswith(behind)
    assert read_tags(without) == read_tags(whole)
    assert without_thumbnail(without) == (without, False)
    assert without_thumbnail(exif(order, b"")) == (exif(order, b""), False)


@pytest.mark.parametrize("content", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"no EXIF at all", exif()[:30]])
def test_what_makes_no_sense_stays(content):
    assert without_thumbnail(content) == (content, False)


def test_a_tiff_gets_tags_and_keeps_its_own():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, noise(3), photometric="rgb", metadata=None)
    file = with_tags(buffer.getvalue(), {**read_tags(exif(">")), 256: read_tags(exif())[315]})
    with Image.open(io.BytesIO(file)) as opened:
        assert opened.size == (24, 16)
        assert opened.getexif()[315] == "Ana"
        assert float(opened.getexif().get_ifd(34665)[0x829A]) == 1 / 250
        assert opened.tobytes() == noise(3).tobytes()
