"""Pictures are decoded as a viewer shows them: what is compared with is computed from what was written."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.inference.awkward import chunk
from wm_lightning.errors import UserError
from wm_lightning.images.decoding import decode_opened, size_of


def decoded(content):
    with Image.open(io.BytesIO(content)) as opened:
        return decode_opened(opened, content)


def values(*shape, top=65536, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def tiff(planes, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, planes, metadata=None, **options)
    return buffer.getvalue()


def png(planes, colour, bits, extra=b""):
    """A PNG file of (H, W, channels); fewer than 8 bits are packed."""
    height, width = planes.shape[:2]
    if bits == 16:
        rows = planes.astype(">u2").reshape(height, -1).view(np.uint8)
    elif bits == 8:
        rows = planes.astype(np.uint8).reshape(height, -1)
    else:
        each = np.unpackbits(planes.astype(np.uint8).reshape(height, width, 1), axis=-1)[..., 8 - bits :]
        rows = np.packbits(each.reshape(height, -1), axis=-1)
    data = np.concatenate((np.zeros((height, 1), np.uint8), rows), axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_grey_that_a_png_declares_transparent_is(bits):
    grey = values(6, 8, top=2**bits)
    transparent = int(grey[2, 3])
    planes = decoded(png(grey, 0, bits, chunk(b"tRNS", struct.pack(">H", transparent)))).planes
    top = 65535 if bits == 16 else 255
    assert np.array_equal(planes[..., 0], grey.astype(int) * top // (2**bits - 1))
    assert np.array_equal(planes[..., 1], np.where(grey == transparent, 0, top))


@pytest.mark.parametrize("bits", [8, 16])
def test_the_colour_that_a_png_declares_transparent_is(bits):
    colours = values(6, 8, 3, top=2**bits)
    planes = decoded(png(colours, 2, bits, chunk(b"tRNS", colours[2, 3].astype(">u2").tobytes()))).planes
    assert np.array_equal(planes[..., :3], colours)
    assert np.argwhere(planes[..., 3] == 0).tolist() == [[2, 3]]


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)])
def test_a_deep_png_keeps_its_channels_and_values(colour, channels):
    planes = values(6, 8, channels)
    assert np.array_equal(decoded(png(planes, colour, 16)).planes, planes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "more", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"bigtiff": True}, {"tile": (16, 16)}]
)
def test_a_tiff_in_which_0_is_white_is_no_negative(dtype, more):
    stored = values(20, 24, top=np.iinfo(dtype).max + 1, dtype=dtype)
    content = tiff(stored, photometric="miniswhite", **more)
    if more.get("byteorder") == ">" and dtype == np.uint16:
        with pytest.raises(OSError, match="cannot identify"):  # which Pillow has no mode for
            decoded(content)
        return
    assert np.array_equal(decoded(content).planes[..., 0], np.iinfo(dtype).max - stored)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    "more", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"bigtiff": True}, {"tile": (16, 16)}]
)
def test_a_tiff_that_holds_its_channels_apart_is_put_together(dtype, channels, more):
    stored = values(channels, 20, 24, top=np.iinfo(dtype).max + 1, dtype=dtype)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    planes = decoded(tiff(stored, photometric="rgb", planarconfig="separate", **extra, **more)).planes
    assert np.array_equal(planes, stored.transpose(1, 2, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_that_a_tiff_multiplied_by_alpha_are_divided_by_it(dtype):
    top = np.iinfo(dtype).max
    stored = np.empty((2, 2, 4), dtype)
    stored[..., :3], stored[..., 3] = top // 4, top // 2
    planes = decoded(tiff(stored, photometric="rgb", extrasamples=["assocalpha"])).planes
    assert np.abs(planes[..., :3].astype(int) - top // 2).max() <= 2
    assert (planes[..., 3] == top // 2).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_channel_that_is_no_alpha_is_left_out_and_it_is_said(dtype):
    stored = values(5, 6, 4, top=np.iinfo(dtype).max + 1, dtype=dtype)
    planes, _, _, notes, _ = decoded(tiff(stored, photometric="rgb", extrasamples=["unspecified"]))
    assert np.array_equal(planes, stored[..., :3])
    assert notes == ("a channel beside the colours was left out",)


def test_a_channel_beside_alpha_is_left_out_and_it_is_said():
    stored = values(5, 6, 5, top=256, dtype=np.uint8)
    found = decoded(tiff(stored, photometric="rgb", extrasamples=["unassalpha", "unspecified"]))
    assert np.array_equal(found.planes, stored[..., :4])
    assert found.notes == ("a channel beside the colours was left out",)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_refused_whatever_declares_it(transfer):
    numbers = bytes([9, transfer, 0, 1])
    profile = bytes(128) + struct.pack(">I4sII", 1, b"cicp", 144, 12) + b"cicp" + bytes(4) + numbers
    named = chunk(b"iCCP", b"name\0\0" + zlib.compress(struct.pack(">I", len(profile)) + profile[4:]))
    for extra in (chunk(b"cICP", numbers), named):
        with pytest.raises(UserError, match=r"^is an HDR picture \(PQ or HLG\), whose values"):
            decoded(png(values(2, 2, 3, top=256), 2, 8, extra))


def test_twelve_bits_of_grey_become_sixteen():
    stored = values(4, 8, top=4096)
    packed = np.unpackbits(stored.astype(">u2").view(np.uint8).reshape(4, 8, 2), axis=-1)[..., 4:]
    content = bytearray(tiff(np.packbits(packed.reshape(4, -1), axis=-1), photometric="minisblack"))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as file:
        tags = file.pages.first.tags
        struct.pack_into("<H", content, tags[258].valueoffset, 12)
        struct.pack_into("<H", content, tags[256].valueoffset, 8)
    planes, _, _, notes, _ = decoded(bytes(content))
    assert np.array_equal(planes[..., 0], np.rint(stored * (65535 / 4095)))
    assert notes == ("12 bits became 16",)


def test_deep_inks_become_inks_of_eight_bits_and_it_is_said():
    planes, _, _, notes, inks = decoded(tiff(np.zeros((4, 5, 4), np.uint16), photometric="separated"))
    assert (planes == 255).all()
    assert inks.shape == (4, 5, 4)
    assert not inks.any()
    assert notes == ("16 bits became 8",)


def picture(height, width):
    return values(height, width, 3, top=256, dtype=np.uint8)


def small_first(large_below, version=False, reduced=1):
    """A small picture, then a large one, in a folder below the first or behind it."""
    buffer = io.BytesIO()
    more = [(50706, 1, 4, (1, 4, 0, 0), True)] if version else []
    with tifffile.TiffWriter(buffer) as file:
        below = {"subifds": 1} if large_below else {}
        file.write(picture(12, 16), photometric="rgb", subfiletype=reduced, extratags=more, metadata=None, **below)
        file.write(picture(24, 32), photometric="rgb", metadata=None)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        small_first(True, version=True), small_first(True), small_first(True, reduced=0), small_first(False),
        tiff(picture(4, 5), photometric="rgb", extratags=[(50706, 1, 4, (1, 4, 0, 0), True)]),
        tiff(values(4, 5), photometric="cfa", extratags=[(33421, 3, 2, (2, 2), True)]),
    ],
    ids=["dng", "below", "below, unsaid", "behind", "dng without a preview", "of a sensor"],
)  # fmt: skip
def test_a_tiff_whose_first_picture_is_not_its_own_is_refused(content):
    with pytest.raises((UserError, OSError), match=r"raw file or shows a small picture first|cannot identify"):
        decoded(content)


def test_a_tiff_with_reduced_copies_is_its_first_picture():
    buffer, full = io.BytesIO(), picture(24, 32)
    with tifffile.TiffWriter(buffer) as file:
        file.write(full, photometric="rgb", subifds=1, metadata=None)
        file.write(picture(12, 16), photometric="rgb", subfiletype=1, metadata=None)
    assert np.array_equal(decoded(buffer.getvalue()).planes, full)


@pytest.mark.parametrize("more", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("apart", [False, True])
def test_a_deep_tiff_that_is_cut_short_is_no_picture(apart, more):
    planes = values(3, 64, 64) if apart else values(64, 64, 3)
    content = tiff(planes, photometric="rgb", planarconfig="separate" if apart else "contig", **more)
    with pytest.raises(OSError, match="truncated"):
        decoded(content[:-9000])


def test_the_size_that_a_file_tells(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.jpg")
    (tmp_path / "text.jpg").write_bytes(b"no picture")
    assert size_of(tmp_path / "photo.jpg") == (40, 30)
    assert size_of(tmp_path / "text.jpg") == size_of(tmp_path / "none.jpg") == (0, 0)
