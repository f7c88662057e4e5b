"""What a file says beside its pixels is in the result, but for what no longer holds, which is named."""

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps, TiffImagePlugin

from tests.images.test_tiff import THUMBNAIL
from tests.images.test_tiff import exif as exif_with_thumbnail
from tests.inference.awkward import SRGB, XMP, chunk, encoded, exif, noise, smooth
from wm_lightning.errors import UserError
from wm_lightning.inference.encoding import file_of
from wm_lightning.inference.pictures import read_picture

XAP = b"http://ns.adobe.com/xap/1.0/\0"
RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="kept"%s>%s</rdf:Description>'
    "</rdf:RDF></x:xmpmeta>"
)
HDR = ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
CONTAINER = (
    '<Container:Directory xmlns:Container="http://ns.google.com/photos/1.0/container/" '
    'xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><rdf:Seq><rdf:li rdf:parseType="Resource">'
    '<Container:Item Item:Semantic="GainMap" Item:Length="9"/></rdf:li></rdf:Seq></Container:Directory>'
)
FILM = ' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" GCamera:Portrait="2"'
SMALL = (
    '<xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/"><rdf:Alt><rdf:li>iVBORw</rdf:li></rdf:Alt>'
    "</xmp:Thumbnails>"
)


def jpeg(*segments, image=None):
    content = encoded("JPEG", image)
    parts = b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments)
    return content[:20] + parts + content[20:]  # behind the first segment


def png(*chunks):
    content = encoded("PNG")
    return content[:33] + b"".join(chunks) + content[33:]


def resources(*numbers):
    """Photoshop's, of six bytes each."""
    return b"".join(
        b"8BIM" + struct.pack(">H", number) + b"\0\0" + struct.pack(">I", 6) + b"sixsix" for number in numbers
    )


def rewritten(folder, content, suffix, out=None):
    """Changes one pixel of a file; returns the result and what was not kept."""
    path = folder / f"picture{suffix}"
    path.write_bytes(content)
    picture = read_picture(path)
    pixels = picture.pixels.copy()
    pixels[3, 3] = np.iinfo(pixels.dtype).max - pixels[3, 3]
    return file_of(picture, pixels, out or suffix)


def opened(content):
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def test_what_a_jpeg_says_stays_to_the_byte(tmp_path):
    whole = RDF % ("", "long text " * 9_000)
    name = hashlib.md5(whole.encode()).hexdigest().upper().encode()
    first = RDF % (f' xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{name.decode()}"', "")
    extended = (
        b"http://ns.adobe.com/xmp/extension/\0" + name + struct.pack(">II", len(whole), 0) + whole[:60_000].encode()
    )
    segments = [
        (0xE1, exif()), (0xE1, XAP + first.encode()), (0xE1, extended), (0xE2, b"ICC_PROFILE\0\1\1" + SRGB),
        (0xED, b"Photoshop 3.0\0" + resources(1028)), (0xE4, b"of a maker"), (0xFE, b"a comment"),
        (0xE1, b"Exif\0\0" + exif()[6:] + b"x" * 65_400),
    ]  # fmt: skip
    content, lost = rewritten(tmp_path, jpeg(*segments), ".jpg")
    assert lost == []
    for _, data in segments:
        assert data in content
    assert opened(content).info["icc_profile"] == SRGB


@pytest.mark.parametrize(
    ("segment", "said", "gone", "stays"),
    [
        ((0xE1, b"Exif\0\0" + exif_with_thumbnail()), "thumbnail", THUMBNAIL, b"Ana"),
        ((0xE1, XAP + (RDF % ("", SMALL)).encode()), "thumbnail", b"Thumbnails", b'dc:format="kept"'),
        ((0xE0, b"JFXX\0\x13\1\1abc"), "thumbnail", b"JFXX", b"JFIF"),
        ((0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\1\1abc"), "thumbnail", b"abc", b"JFIF\0\1\2\1\0\x48\0\x48\0\0"),
        ((0xED, b"Photoshop 3.0\0" + resources(1028, 1036, 1033)), "thumbnail", b"\x04\x0c\0\0", b"\x04\x04\0\0"),
        ((0xE1, XAP + (RDF % (HDR, CONTAINER)).encode()), "gain map", b"GainMap", b'dc:format="kept"'),
        ((0xE1, XAP + (RDF % (HDR, "")).encode()), "gain map", b"hdr", b'dc:format="kept"'),
        ((0xE1, XAP + (RDF % (FILM, "")).encode()), "film", b"MotionPhoto", b'GCamera:Portrait="2"'),
        ((0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"), "gain map", b"21496", b"JFIF"),
        ((0xEB, b"JP\0\1\0\0\0\1 jumb c2pa "), "content credentials", b"c2pa", b"JFIF"),
        ((0xE1, XAP + b"<broken hdr-gain-map" + HDR.encode()), "XMP", b"hdr", b"JFIF"),
    ],
)  # fmt: skip
def test_what_shows_the_mark_or_no_longer_holds_is_left_out_of_a_jpeg_and_named(tmp_path, segment, said, gone, stays):
    content, lost = rewritten(tmp_path, jpeg(segment), ".jpg")
    assert lost == [f"its {said} {'were' if said.endswith('s') else 'was'} left out"]
    assert gone not in content
    assert stays in content
    assert opened(content).size == smooth().size


def test_a_second_picture_goes_with_what_says_where_it_is(tmp_path):
    buffer = io.BytesIO()
    smooth().save(buffer, "MPO", save_all=True, append_images=[ImageOps.mirror(smooth())])
    content, lost = rewritten(tmp_path, buffer.getvalue(), ".jpg")
    assert lost == ["only the first of its pictures was taken"]
    assert b"MPF\0" not in content
    assert opened(content).format == "JPEG"


def test_what_lies_behind_a_jpeg_is_named(tmp_path):
    assert rewritten(tmp_path, jpeg() + b"\0\0\n", ".jpg")[1] == []
    content, lost = rewritten(tmp_path, jpeg() + b"\0a film", ".jpg")
    assert lost == ["its data behind the picture was left out"]
    assert b"a film" not in content
    small = rewritten(tmp_path, jpeg((0xE1, b"Exif\0\0" + exif_with_thumbnail())) + b"a film", ".jpg")[1]
    assert small == ["its thumbnail was left out", "its data behind the picture was left out"]


def test_what_a_png_says_stays_to_the_byte(tmp_path):
    chunks = [
        chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"iCCP", b"name\0\0" + zlib.compress(SRGB)),
        chunk(b"pHYs", struct.pack(">IIB", 300, 200, 0)), chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + XMP),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)), chunk(b"tEXt", b"Author\0Ana"),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"long")), chunk(b"eXIf", exif()[6:]), chunk(b"teSt", b"kept"),
        chunk(b"tIME", bytes([7, 230, 1, 2, 3, 4, 5])), chunk(b"bKGD", bytes(6)), chunk(b"sBIT", bytes([5, 6, 5])),
    ]  # fmt: skip
    content, lost = rewritten(tmp_path, png(*chunks, chunk(b"teST", b"of these pixels")), ".png")
    assert lost == []
    assert [one for one in chunks if one not in content] == []
    assert b"of these pixels" not in content


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_thumbnails_and_what_is_announced_go_in_other_formats_too(tmp_path, suffix):
    buffer, xmp = io.BytesIO(), (RDF % (HDR, SMALL)).encode()
    if suffix == ".tif":
        more = [(700, 1, len(xmp), xmp, True), (34377, 1, 72, resources(1028, 1036, 1033, 1050), True)]
        tifffile.imwrite(buffer, noise(3), photometric="rgb", metadata=None, extratags=more)
        content = buffer.getvalue()
    elif suffix == ".png":
        content = png(chunk(b"eXIf", exif_with_thumbnail()), chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + xmp))
    else:
        content = encoded("WEBP", exif=exif_with_thumbnail(), xmp=xmp)
    content, lost = rewritten(tmp_path, content, suffix)
    assert sorted(lost) == ["its gain map was left out", "its thumbnail was left out"]
    for gone in (THUMBNAIL, b"hdrgm", b"Thumbnails"):
        assert gone not in content
    assert b'dc:format="kept"' in content
    assert b"Ana" in content or suffix == ".tif"


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("big", "order"), [(False, "<"), (True, "<"), (False, ">")])
def test_a_tiff_keeps_its_tags_and_folders(tmp_path, deep, big, order):
    tags = [
        (315, 2, 0, "Ana", True),
        (700, 1, len(XMP), XMP, True),
        (33723, 7, 9, b"long IPTC", True),
        (65000, 3, 2, (5, 600), True),
    ]
    buffer = io.BytesIO()
    planes = noise(3, np.uint16 if deep else np.uint8)
    options = {"resolution": (300, 200), "resolutionunit": 3, "iccprofile": SRGB, "byteorder": order, "bigtiff": big}
    tifffile.imwrite(buffer, planes, photometric="rgb", metadata=None, extratags=tags, **options)
    content, lost = rewritten(tmp_path, buffer.getvalue(), ".tif")
    assert lost == []
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        found = file.pages.first.tags
        assert [found[number].value for number in (315, 33723, 65000, 34675)] == ["Ana", b"long IPTC", (5, 600), SRGB]
        assert bytes(found[700].value) == XMP
        width = found[282].value[0] / found[282].value[1] * {2: 1, 3: 2.54}[found[296].value]
        assert width == pytest.approx(762, rel=0.001)
        assert file.asarray().shape == planes.shape
        assert file.asarray().dtype == planes.dtype


def test_a_camera_s_folder_goes_with_a_deep_tiff_and_from_it(tmp_path):
    content, lost = rewritten(tmp_path, jpeg((0xE1, b"Exif\0\0" + exif_with_thumbnail(thumbnail=b""))), ".jpg", ".tif")
    assert lost == []
    assert float(opened(content).getexif().get_ifd(34665)[0x829A]) == 1 / 250
    for suffix in (".tif", ".jpg", ".png", ".webp"):
        again, lost = rewritten(tmp_path, content, ".tif", suffix)
        assert lost == []
        assert float(opened(again).getexif().get_ifd(34665)[0x829A]) == 1 / 250
        assert opened(again).getexif()[315] == "Ana"


@pytest.mark.parametrize("out", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_xmp_and_profile_go_from_any_format_to_any(tmp_path, suffix, out):
    more = {"exif": exif(), "icc_profile": SRGB}
    if suffix == ".tif":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700], tags[271] = XMP, "Maker"
        more = {"tiffinfo": tags, "icc_profile": SRGB}
    kinds = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".webp": "WEBP"}
    content = encoded(kinds[suffix], **more, **({} if suffix == ".tif" else {"xmp": XMP}))
    if suffix == ".png":  # whose XMP Pillow does not write
        content = content[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + XMP) + content[33:]
    content, lost = rewritten(tmp_path, content, suffix, out)
    assert lost == []
    image = opened(content)
    assert image.getexif()[271] == "Maker"
    assert image.info["icc_profile"] == SRGB
    assert XMP in content


def test_what_another_format_has_no_place_for_is_named(tmp_path):
    long = chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + XMP.replace(b"kept", b"kept" * 20_000))
    block = exif()[6:] + bytes(70_000)
    content = png(long, chunk(b"eXIf", block), chunk(b"tEXt", b"Author\0Ana"))
    _, lost = rewritten(tmp_path, content, ".png", ".jpg")
    assert lost == ["no texts", "no EXIF, which is too long for JPEG", "no XMP, which is too long for JPEG"]
    content = jpeg((0xED, b"Photoshop 3.0\0" + resources(1028)), (0xFE, b"a comment"))
    assert rewritten(tmp_path, content, ".jpg", ".png")[1] == ["no IPTC", "no comment"]


@pytest.mark.parametrize(("width", "suffix", "most"), [(16_384, ".webp", 16_383), (65_501, ".jpg", 65_500)])
def test_a_picture_that_a_format_cannot_hold_is_one_sentence(tmp_path, width, suffix, most):
    path = tmp_path / "wide.png"
    Image.new("L", (width, 1)).save(path)
    picture = read_picture(path)
    with pytest.raises(UserError, match=f"^{path} is {width}x1 pixels, and .* holds at most {most} a side; "):
        file_of(picture, picture.pixels, suffix)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_compression_that_takes_black_and_white_alone_becomes_another(tmp_path, compression):
    content = encoded("TIFF", smooth("1"), compression=compression)
    content, lost = rewritten(tmp_path, content, ".tif")
    assert lost == ["black and white became grey", f"compression {compression} became deflate"]
    assert opened(content).mode == "L"


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_exif_that_makes_no_sense_turns_nothing(tmp_path, suffix):
    block = b"II*\xff\x08\0\0\0" + bytes(20)
    content = jpeg((0xE1, b"Exif\0\0" + block)) if suffix == ".jpg" else encoded("WEBP", exif=block)
    content, lost = rewritten(tmp_path, content, suffix)
    assert lost == []
    assert Image.open(io.BytesIO(content)).size == smooth().size


def test_an_orientation_that_is_no_number_is_none(tmp_path):
    text = b"II*\0\x08\0\0\0" + struct.pack("<HHHI4sI", 1, 0x0112, 2, 2, b"6\0\0\0", 0)
    content, lost = rewritten(tmp_path, jpeg((0xE1, b"Exif\0\0" + text)), ".jpg")
    assert lost == []
    assert opened(content).size == smooth().size
    assert text in content


def test_what_is_in_numbers_of_a_palette_goes_with_it_and_is_named(tmp_path):
    file = encoded("PNG", image=smooth().quantize(9))
    at = file.index(b"IDAT") - 4
    content, lost = rewritten(tmp_path, file[:at] + chunk(b"bKGD", b"\1") + file[at:], ".png")
    assert lost == ["the palette became colours", "its background colour was left out"]
    assert b"bKGD" not in content


@pytest.mark.parametrize("said", [{}, {"resolution": (300, 200)}])
def test_a_tiff_says_no_more_of_its_resolution_than_it_did(tmp_path, said):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, noise(3), photometric="rgb", metadata=None, **said)
    data = bytearray(buffer.getvalue())
    if not said:  # tifffile says 1 of itself
        for tag, kind in ((282, 5), (283, 5), (296, 3)):
            at = data.index(struct.pack("<HH", tag, kind))
            data[at : at + 2] = struct.pack("<H", 65000 + tag)
    content, _ = rewritten(tmp_path, bytes(data), ".tif")
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        assert (282 in file.pages.first.tags) is bool(said)


def test_a_deep_tiff_keeps_its_compression_or_says_what_it_became(tmp_path):
    for compression, number, notes in (
        (None, 1, []),
        ("zlib", 8, []),
        ("lzma", 8, ["compression lzma became deflate"]),
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, noise(3).astype(np.uint16), photometric="rgb", metadata=None, compression=compression)
        content, lost = rewritten(tmp_path, buffer.getvalue(), ".tif")
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            assert (file.pages.first.compression, lost) == (number, notes)


def test_small_copies_below_a_tiff_are_named(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(noise(3), photometric="rgb", subifds=1, metadata=None)
        file.write(noise(3)[::2, ::2].copy(), photometric="rgb", subfiletype=1, metadata=None)
    content, lost = rewritten(tmp_path, (tmp_path / "in.tif").read_bytes(), ".tif")
    assert lost == ["its small copies were left out"]
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        assert 330 not in file.pages.first.tags
