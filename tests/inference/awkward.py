"""Picture files of every kind, made for the tests."""

import io
import os
import struct
import time
import zlib

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms, ImageOps

from wm_lightning.inference.pictures import read_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note>kept</note></x:xmpmeta>'
SIZE = 24, 16  # width and height


def noise(channels=3, dtype=np.uint8, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, np.iinfo(dtype).max + 1, (SIZE[1], SIZE[0], channels)).astype(dtype)


def smooth(mode="RGB"):
    coarse = Image.fromarray(np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    return coarse.resize(SIZE, Image.Resampling.BICUBIC).convert(mode)


def exif(orientation=1):
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "Maker"
    return tags.tobytes()


LOSSLESS = {
    "grey.png": lambda p: Image.fromarray(noise(1)[..., 0]).save(p),
    "grey_alpha.png": lambda p: Image.fromarray(noise(2)).save(p),
    "rgb.png": lambda p: Image.fromarray(noise(3)).save(p),
    "rgba.png": lambda p: Image.fromarray(noise(4)).save(p),
    "deep_grey.png": lambda p: cv2.imwrite(str(p), noise(1, np.uint16)),
    "deep_rgb.png": lambda p: cv2.imwrite(str(p), noise(3, np.uint16)),
    "deep_rgba.png": lambda p: cv2.imwrite(str(p), noise(4, np.uint16)),
    "grey.tif": lambda p: Image.fromarray(noise(1)[..., 0]).save(p),
    "rgb.tif": lambda p: Image.fromarray(noise(3)).save(p, compression="tiff_lzw"),
    "rgba.tiff": lambda p: Image.fromarray(noise(4)).save(p),
    "deep_grey.tif": lambda p: tifffile.imwrite(p, noise(1, np.uint16)[..., 0]),
    "deep_rgb.tif": lambda p: tifffile.imwrite(p, noise(3, np.uint16), photometric="rgb"),
    "deep_rgba.tif": lambda p: tifffile.imwrite(p, noise(4, np.uint16), photometric="rgb", extrasamples=["unassalpha"]),
    "grey.bmp": lambda p: Image.fromarray(noise(1)[..., 0]).save(p),
    "rgb.bmp": lambda p: Image.fromarray(noise(3)).save(p),
    "rgb.webp": lambda p: Image.fromarray(noise(3)).save(p, lossless=True),
    "rgba.webp": lambda p: Image.fromarray(noise(4)).save(p, lossless=True, exact=True),
}  # fmt: skip


def cmyk(path):
    smooth("CMYK").save(path)


def palette(path):
    smooth().quantize(16).save(path)


def palette_alpha(path):
    smooth().quantize(16).save(path, transparency=3)


def bilevel(path):
    smooth("1").save(path)


def animated(path):
    first, second = smooth(), ImageOps.mirror(smooth())
    first.save(path, save_all=True, append_images=[second], lossless=True)


CONVERTED = {
    ("palette.png", palette): "the palette became colours",
    ("palette_alpha.png", palette_alpha): "the palette became colours",
    ("bilevel.png", bilevel): "black and white became grey",
}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb():
    """Eighty bytes that claim to be 1.6 gigapixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def encoded(kind, image=None, **options):
    buffer = io.BytesIO()
    (image or smooth()).save(buffer, kind, **options)
    return buffer.getvalue()


def interlaced():
    """A PNG whose rows come in seven passes, of one colour."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 1)
    passes = ((1, 1), (1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8))  # rows, and pixels in each
    rows = b"".join((b"\0" + b"\x20\x40\x60" * width) * height for height, width in passes)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def flipped(content, place):
    """A file in which one byte is another."""
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


BAD = {
    "empty.jpg": (b"", "is empty"),
    "text.png": (b"not a picture", "is no picture that can be read"),
    "short.jpg": (encoded("JPEG")[:400], "is damaged or cut short"),
    "short.png": (encoded("PNG")[:200], "is damaged or cut short"),
    "short.webp": (encoded("WEBP")[:60], "is damaged or cut short"),
    "short.tif": (encoded("TIFF")[:200], "is damaged or cut short"),
    "short.bmp": (encoded("BMP")[:200], "is damaged or cut short"),
    "header.jpg": (encoded("JPEG")[:4], "is a JPEG file, but damaged or of a kind that cannot be read"),
    "bomb.png": (bomb(), "has more than 179 megapixels"),
    "paper.pdf": (b"%PDF-1.7\n1 0 obj", "is a PDF file; save its pages as pictures first: `pdfimages -all`"),
    "later.jxl": (b"\xff\x0a\xfa\x07", "is a JPEG XL file"),
    "boxed.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n", "is a JPEG XL file"),
    "camera.raf": (b"FUJIFILMCCD-RAW 0201", "is a raw (RAF) file; develop it, and save it as TIFF or JPEG"),
    "camera.orf": (b"IIRS\x08\0\0\0", "is a raw (ORF) file"),
    "camera.rw2": (b"IIU\0\x18\0\0\0", "is a raw (RW2) file"),
    "camera.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "is a raw (CR3) file"),
    "short.gif": (encoded("GIF")[:60], "is a GIF file, but damaged or of a kind that cannot be read"),
    "cut.gif": (encoded("GIF")[:-200], "is damaged or cut short"),
    "floats.tif": (encoded("TIFF", Image.new("F", SIZE)), "floating-point"),
    "wide.tif": (encoded("TIFF", Image.new("I", SIZE)), "32-bit"),
}


def write(content):
    return lambda path: path.write_bytes(content)


def phone(path):
    """A JPEG of several pictures, as phones write it."""
    smooth().save(path, "MPO", save_all=True, append_images=[ImageOps.mirror(smooth())])


def turned(path):
    smooth().save(path, exif=exif(6))


def described(path):
    smooth().save(path, exif=exif(), icc_profile=SRGB, xmp=XMP, dpi=(300, 300))


AWKWARD = {
    **LOSSLESS,
    **dict(CONVERTED.keys()),
    "cmyk.jpg": cmyk,
    "cmyk.tif": cmyk,
    "animated.webp": animated,
    "animated.png": animated,
    "animated.gif": animated,
    "other.gif": write(encoded("GIF")),
    "gif_named.png": write(encoded("GIF")),
    "photo.avif": lambda p: smooth().save(p, quality=95),
    **{name: write(content) for name, (content, _) in BAD.items()},
    "one_pixel.png": lambda p: Image.new("RGB", (1, 1), "navy").save(p),
    "one_row.jpg": lambda p: smooth().resize((300, 1)).save(p),
    "one_column.webp": lambda p: smooth().resize((1, 300)).save(p, lossless=True),
    "grey.jpg": lambda p: smooth("L").save(p),
    "progressive.jpg": lambda p: smooth().save(p, progressive=True, quality=40),
    "full_colour.jpg": lambda p: smooth().save(p, subsampling="4:4:4"),
    "turned.jpg": turned,
    "turned.png": turned,
    "turned.tif": turned,
    "described.jpg": described,
    "described.png": described,
    "described.webp": described,
    "phone.jpg": phone,
    "really_jpeg.png": write(encoded("JPEG")),
    "really_png.jpg": write(encoded("PNG")),
    "CAPITALS.JPG": write(encoded("JPEG")),
    "name with spaces, é and 水.png": write(encoded("PNG")),
    "two_bits.png": lambda p: smooth().quantize(4).save(p, bits=2),
    "interlaced.png": lambda p: p.write_bytes(interlaced()),
    "lossy.webp": lambda p: smooth().save(p, quality=60),
    "big_endian.tif": lambda p: tifffile.imwrite(p, noise(3), photometric="rgb", byteorder=">"),
    "tiled.tif": lambda p: tifffile.imwrite(p, noise(3), photometric="rgb", tile=(16, 16)),
    "pages.tif": lambda p: smooth().save(p, save_all=True, append_images=[smooth()]),
    "deflated.tif": lambda p: smooth().save(p, compression="tiff_adobe_deflate"),
    "lab.tif": lambda p: smooth("LAB").save(p),
    "palette.bmp": lambda p: smooth().quantize(16).save(p),
    "bilevel.bmp": lambda p: smooth("1").save(p),
    "alpha.bmp": lambda p: Image.fromarray(noise(4)).save(p),
    "page.svg": write(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "later.jp2": write(encoded("JPEG2000")),
    "half_header.png": write(encoded("PNG")[:20]),
    "tail_missing.jpg": write(encoded("JPEG")[:-30]),
    "tail_added.png": write(encoded("PNG") + b"more than the picture"),
    "wrong_checksum.png": write(flipped(encoded("PNG"), 60)),
}  # fmt: skip


def wait_or_grow(first, *rest):
    """Hangs, or asks for much memory, as a library may that reads a picture."""
    if first.name == "hang.png":
        time.sleep(600)
    if first.name == "grow.png":
        return bytearray(2**32)
    return read_picture(first)


def exit_for_crash(first, *rest):
    """Ends the process that reads or writes a picture, as a C library does."""
    if any(part is not None for part in rest) or first.name == "crash.png":
        os.abort()
    if first.name == "exit.png":
        os._exit(3)
    return read_picture(first)
