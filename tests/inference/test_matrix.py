"""Format x depth x mode x orientation x metadata: what was written, as readers show it that share no code with it.

ImageMagick decodes the files before and after, exiftool reads what they say.
"""

import json
import shutil
import subprocess
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from tests.inference.awkward import exif
from wm_lightning.images import heif
from wm_lightning.images.decoding import turned
from wm_lightning.images.png_colours import numbered_profile
from wm_lightning.inference.encoding import encode_picture
from wm_lightning.inference.pictures import read_picture

SIZE = 44, 36  # width and height
WHERE = slice(4, 12), slice(6, 20)  # rows and columns of what is shown that are cleaned
P3 = numbered_profile(12, 13, grey=False)
GREY_22 = numbered_profile(1, 8, grey=True)  # grey, linear
MODES: dict[str, dict[int, tuple[str, ...]]] = {
    ".png": {8: ("L", "LA", "RGB", "RGBA"), 16: ("L", "RGB", "RGBA")},
    ".tif": {8: ("L", "RGB", "RGBA"), 16: ("L", "RGB", "RGBA")},
    ".jpg": {8: ("L", "RGB")},
    ".webp": {8: ("RGB", "RGBA")},
    ".avif": {8: ("L", "RGB", "RGBA")},
    ".heic": {8: ("L", "RGB", "RGBA"), 10: ("RGB", "RGBA")},
    ".bmp": {8: ("L", "RGB")},
    ".gif": {8: ("RGB", "RGBA")},
}
LOSSLESS = (".png", ".tif", ".webp", ".bmp", ".gif")
BARE = (".bmp", ".gif")  # which hold no EXIF, profile or XMP
SAID = ("IFD0:Make", "IFD0:Orientation", "ICC_Profile:ProfileDescription", "XMP-dc:Creator")
STORED = (  # what the pixels are stored as, in each format's words
    "PNG:BitDepth", "PNG:ColorType", "IFD0:BitsPerSample", "File:BitsPerSample", "File:BitDepth", "GIF:BitsPerPixel",
    "File:ColorComponents", "File:YCbCrSubSampling", "Meta:ImagePixelDepth", "Meta:ChromaFormat",
)  # fmt: skip
RDF = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator><rdf:Seq>'
    b"<rdf:li>A. Author</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
)


class Case(NamedTuple):
    suffix: str
    bits: int
    mode: str
    orientation: int = 1
    described: bool = False

    @property
    def name(self):
        return f"{self.suffix[1:]}_{self.bits}_{self.mode}_{self.orientation}_{self.described}{self.suffix}"


def cases():
    for suffix, depths in MODES.items():
        if suffix == ".heic" and not heif.AVAILABLE:
            continue
        for bits, modes in depths.items():
            for mode in modes:
                yield Case(suffix, bits, mode)
                if suffix in BARE:
                    continue
                turned = range(1, 9) if (bits, mode) == (8, "RGB") else (1, 6)
                yield from (Case(suffix, bits, mode, orientation, True) for orientation in turned)


def photo(case):
    """(H, W, n) of the case's depth: smooth, and transparent to the right."""
    image = Image.fromarray(np.random.default_rng(3).integers(60, 250, (5, 6, 3), dtype=np.uint8))
    image = image.resize(SIZE, Image.Resampling.BICUBIC)
    if case.suffix == ".gif":
        image = image.quantize(60).convert("RGB")
    image = image.convert(case.mode[0] if case.mode[0] == "L" else "RGB")
    planes = np.atleast_3d(np.asarray(image))
    if case.mode.endswith("A"):
        alpha = np.repeat(np.linspace(255, 40, SIZE[0])[None], SIZE[1], axis=0).astype(np.uint8)
        alpha = np.where(alpha > 128, 255, 0).astype(np.uint8) if case.suffix == ".gif" else alpha
        planes = np.concatenate((planes, alpha[..., None]), axis=-1)
    return planes if case.bits == 8 else planes.astype(np.uint16) * 257


def make(case, path):
    planes, told = photo(case), {}
    profile = GREY_22 if case.mode[0] == "L" else P3
    if case.described:
        told = {"exif": exif(case.orientation), "icc_profile": profile, "xmp": RDF}
    squeezed = planes[..., 0] if planes.shape[-1] == 1 else planes
    if case.suffix == ".heic" and case.bits > 8:
        import pillow_heif

        pillow_heif.from_bytes(f"{case.mode};16", SIZE, planes.tobytes()).save(path, quality=95, chroma=444, **told)
    elif case.bits == 16 and case.suffix == ".png":
        swapped = squeezed[..., [2, 1, 0, 3][: planes.shape[-1]]] if planes.shape[-1] > 1 else squeezed
        kinds = [cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_XMP] if told else []
        parts = [np.frombuffer(part, np.uint8) for part in (exif(case.orientation)[6:], profile, RDF)] if told else []
        _, content = cv2.imencodeWithMetadata(".png", np.ascontiguousarray(swapped), kinds, parts)
        path.write_bytes(content.tobytes())
    elif case.bits == 16:
        tags = [(274, 3, 1, case.orientation, True), (271, 2, 0, "Maker", True), (700, 1, len(RDF), RDF, True)]
        options = {"iccprofile": profile, "extratags": tags} if told else {}
        extra = ["unassalpha"] if case.mode.endswith("A") else None
        kind = "rgb" if planes.shape[-1] > 2 else "minisblack"
        tifffile.imwrite(path, squeezed, photometric=kind, extrasamples=extra, metadata=None, **options)
    else:
        heif.register()
        lossy = {"quality": 95, "subsampling": "4:0:0" if case.mode == "L" else "4:4:4"}
        how = {
            ".webp": {"lossless": True, "exact": True},
            ".jpg": lossy,
            ".avif": lossy,
            ".heic": {"quality": 95, "chroma": 444},
        }
        if case.suffix == ".jpg" and case.mode == "L":
            del lossy["subsampling"]
        if case.suffix == ".tif" and told:
            given = Image.Exif()
            given[274], given[271], given[700] = case.orientation, "Maker", RDF
            told = {"exif": given.tobytes(), "icc_profile": profile}
        if case.suffix == ".png" and told:
            texts = PngImagePlugin.PngInfo()
            texts.add_itxt("XML:com.adobe.xmp", RDF.decode())
            told["pnginfo"] = texts
        Image.fromarray(squeezed).save(path, **how.get(case.suffix, {}), **told)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Every case before and after it was written again with a darker rectangle; and what was told of it."""
    top = tmp_path_factory.mktemp("matrix")
    before, after, told = top / "before", top / "after", {}
    for folder in (before, after):
        folder.mkdir()
    for case in cases():
        make(case, before / case.name)
        picture = read_picture(before / case.name)
        pixels = picture.pixels.copy()
        pixels[WHERE] //= 2
        content, lost = encode_picture(picture, pixels, case.suffix)
        (after / case.name).write_bytes(content)
        told[case] = picture.notes + lost
    return before, after, told


def mogrify():
    path = shutil.which("mogrify")
    if (
        path is None
        or b"ImageMagick" not in subprocess.run([path, "-version"], capture_output=True, check=False).stdout
    ):
        pytest.skip("ImageMagick is not installed")
    return path


@pytest.fixture(scope="module")
def shown(folders):
    """What ImageMagick shows of each file before and after, upright, (H, W, 4) in 0..1."""
    program, found = mogrify(), {}
    for folder in folders[:2]:
        out = folder.with_name(f"{folder.name}_shown")
        out.mkdir()
        files = [str(folder / case.name) for case in folders[2]]
        how = ["-auto-orient", "-alpha", "set", "-depth", "16", "-define", "png:format=png64", "-format", "png"]
        subprocess.run([program, *how, "-path", str(out), *files], check=True, capture_output=True, timeout=600)
        found[folder.name] = {
            case: as_shown(case, cv2.imread(str((out / case.name).with_suffix(".png")), cv2.IMREAD_UNCHANGED) / 65535)
            for case in folders[2]
        }
    return found


def as_shown(case, pixels):
    """Turns what ImageMagick does not: it reads no orientation of PNG and WebP."""
    unturned = case.suffix in (".png", ".webp") and pixels.shape[:2] == SIZE[::-1]
    return turned(pixels, case.orientation) if unturned else pixels


def test_nothing_is_lost_in_any_case(folders):
    assert {case.name: notes for case, notes in folders[2].items() if notes} == {}
    assert len(folders[2]) > 90


def test_imagemagick_shows_what_it_showed_less_the_mark(shown):
    wrong = []
    for case, before in shown["before"].items():
        after = shown["after"][case]
        there = np.zeros(before.shape[:2], bool)
        there[WHERE] = True
        if before.shape != after.shape or before.shape[0] != SIZE[case.orientation < 5]:
            wrong.append((case.name, before.shape, after.shape))
            continue
        visible = before[..., 3:] > 0
        away = np.abs(before - after) * visible
        most, alpha = away[~there].max(), np.abs(before[..., 3] - after[..., 3]).max()
        limit = 0 if case.suffix in LOSSLESS else 0.25
        blurred = away[~there].mean() > 0.012
        darker = after[there][:, :3].mean() / before[there][:, :3].mean()
        if (
            most > limit or blurred or alpha > min(limit, 0.06) or not 0.15 < darker < 0.75
        ):  # 0.22 where values are linear
            wrong.append((case.name, round(most, 3), round(away[~there].mean(), 4), round(alpha, 3), round(darker, 2)))
    assert wrong == []


def test_exiftool_reads_what_it_read(folders):
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed")
    before, after, told = folders
    read = []
    for folder in (before, after):
        ask = [program, "-j", "-n", "-G1", *(f"-{key}" for key in (*SAID, *STORED)), "-Error", str(folder)]
        answer = subprocess.run(ask, check=False, capture_output=True, timeout=600)
        read.append({one["SourceFile"].rpartition("/")[2]: one for one in json.loads(answer.stdout)})
    wrong = []
    for case in told:
        old, new = (one[case.name] for one in read)
        for key in (*SAID, *STORED):
            wanted = 1 if key == "IFD0:Orientation" and key in old and case.suffix == ".heic" else old.get(key)
            if new.get(key) != wanted:  # HEIC is turned by what it holds beside EXIF, and written upright
                wrong.append((case.name, key, old.get(key), new.get(key)))
        moved = ["IFD0:Orientation"] if case.suffix == ".avif" else []  # Pillow says it beside EXIF
        missing = [key for key in SAID if key not in {*old, *moved}] if case.described else []
        wrong += [(case.name, "not there to begin with", missing)] if missing else []
        if "ExifTool:Error" in new:
            wrong.append((case.name, new["ExifTool:Error"]))
    assert wrong == []
