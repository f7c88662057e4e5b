import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wm_lightning.app import work
from wm_lightning.app.painting import Painting
from wm_lightning.app.work import Cleaner, Outcome, pack, shipped_weights
from wm_lightning.errors import UserError

MARK = slice(95, 130), slice(40, 290)  # rows and columns around the letters


def read(path):
    with Image.open(path) as opened:
        return np.asarray(opened)


def rotated(marked, path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(marked)).save(path, quality=93, exif=exif)


def deep(marked, path):
    cv2.imwrite(str(path), marked[..., ::-1].astype(np.uint16) * 257)


def clear(marked, path):
    alpha = np.full(marked.shape[:2], 200, np.uint8)
    Image.fromarray(np.dstack((marked, alpha))).save(path, lossless=True)


def progressive(marked, path):
    Image.fromarray(marked).save(path, quality=80, progressive=True, comment=b"mine")


SAVED = {"turned (1).jpg": rotated, "deep.png": deep, "clear.webp": clear, "Größe 2.JPEG": progressive}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_a_download_is_what_the_command_writes_to_the_byte(cleaner, marked, predicted, tmp_path, name, strength):
    source = tmp_path / name
    SAVED[name](marked, source)
    result = cleaner.clean(source, tmp_path / "results", "general", strength)
    content, mask = predicted(source, "--strength", str(strength))
    assert result.file.name == name
    assert result.file.read_bytes() == content
    assert result.mask.read_bytes() == mask
    assert content != source.read_bytes()


@pytest.mark.parametrize("protects", [False, True])
def test_a_painting_is_the_command_s_mask(cleaner, marked, predicted, tmp_path, protects):
    source, mask = tmp_path / "photo.png", tmp_path / "allowed.png"
    Image.fromarray(marked).save(source)
    paint = np.zeros((110, 160), np.uint8)  # half the picture's size
    paint[:, :70] = 255
    painting = Painting(paint, protects)
    result = cleaner.clean(source, tmp_path / "results", "general", painting=painting)
    Image.fromarray(painting.mask(marked.shape[:2])).save(mask)
    assert result.file.read_bytes() == predicted(source, "--mask", str(mask))[0]
    changed = (read(result.file) != marked).any(axis=-1)
    left, right = changed[:, :138], changed[:, 142:]
    assert (right if protects else left).mean() > 0.02
    assert not (left if protects else right).any()
    assert result.findings.changed == pytest.approx(changed.mean())


def test_previews_are_upright_and_reduced(cleaner, marked, tmp_path):
    large = np.asarray(Image.fromarray(marked).resize((2000, 1375)))
    source = tmp_path / "large.jpg"
    rotated(large, source)
    result = cleaner.clean(source, tmp_path / "results", "general")
    assert result.findings.size == (2000, 1375)
    shown = [read(place) for place in (result.before, result.after, result.marks, result.canvas)]
    assert [picture.shape for picture in shown] == [(1100, 1600, 3)] * 4
    expected = np.asarray(Image.fromarray(large).resize((1600, 1100), Image.Resampling.BOX)).astype(int)
    assert np.abs(shown[0] - expected).mean() < 4
    with Image.open(result.file) as file:
        assert file.size == (1375, 2000)  # as the camera wrote it, with its own note on how to turn it
        assert file.getexif()[0x0112] == 6


def test_the_mask_is_drawn_in_red_where_the_mark_is(cleaner, marked, tmp_path):
    Image.fromarray(marked).save(tmp_path / "photo.png")
    result = cleaner.clean(tmp_path / "photo.png", tmp_path / "results", "general")
    shown = read(result.marks).astype(int)
    red = shown[..., 0] - shown[..., 1]
    found = read(result.mask)
    assert (red[found > 250] > 60).all()
    near = cv2.dilate((found > 0).astype(np.uint8), np.ones((19, 19))) > 0  # WebP's colours are coarser than its grey
    assert np.abs(red[~near]).max() < 10
    assert (~near).sum() > 5000
    assert (found[MARK] > 128).sum() > 0.6 * (found > 128).sum() > 800


def test_it_tells_how_far_it_is(cleaner, marked, tmp_path):
    for size, least in ((320, 220), 1), ((1300, 900), 4):
        Image.fromarray(marked).resize(size).save(tmp_path / "photo.jpg")
        told = []
        cleaner.clean(tmp_path / "photo.jpg", tmp_path / "results", "general", tell=told.append)
        assert told == list(range(1, len(told) + 1))
        assert len(told) >= least


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(cleaner, tmp_path, monkeypatch):
    Image.new("L", (2500, 2000)).save(tmp_path / "large.png")
    monkeypatch.setattr(work, "read_picture", lambda path: pytest.fail("it was decoded"))
    with pytest.raises(UserError) as error:
        cleaner.clean(tmp_path / "large.png", tmp_path / "results", "general")
    assert str(error.value) == "large.png has 5.0 megapixels; at most 4 are taken here, so reduce it first."


def test_a_picture_at_the_limit_is_taken(tmp_path):
    Image.new("L", (100, 100)).save(tmp_path / "photo.png")
    result = Cleaner(["general"], "cpu", max_megapixels=0.01).clean(tmp_path / "photo.png", tmp_path / "out", "general")
    assert result.findings.size == (100, 100)
    assert result.findings.changed == 0


def test_errors_name_the_file_without_its_folder(cleaner, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError) as error:
        cleaner.clean(tmp_path / "broken.jpg", tmp_path / "results", "general")
    assert str(error.value) == "broken.jpg is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP."
    assert not (tmp_path / "results").exists()


def test_many_pictures_go_on_after_a_broken_one(cleaner, marked, predicted, tmp_path):
    sources = [tmp_path / str(number) / "photo.png" for number in range(3)]
    for number, source in enumerate(sources):
        source.parent.mkdir()
        Image.fromarray(np.roll(marked, 3 * number, axis=0)).save(source)
    sources[1].write_bytes(sources[1].read_bytes()[:200])
    outcomes = list(cleaner.clean_each(sources, tmp_path / "results", "general"))
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert outcomes[1].error.startswith("photo.png is damaged or cut short")
    assert all(outcome.findings.changed > 0.01 for outcome in (outcomes[0], outcomes[2]))
    packed = pack(outcomes, tmp_path / "cleaned.zip")
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == ["photo.png", "photo-2.png"]
        for name, source in (("photo.png", sources[0]), ("photo-2.png", sources[2])):
            assert archive.read(name) == predicted(source)[0]


def test_packed_names_never_meet(tmp_path):
    outcomes = []
    for number, name in enumerate(["a.png", "a-2.png", "A.png", "a.png"]):
        file = tmp_path / str(number) / name
        file.parent.mkdir()
        file.write_text(str(number))
        outcomes.append(Outcome(name, file))
    with zipfile.ZipFile(pack(outcomes, tmp_path / "all.zip")) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.png": b"0", "a-2.png": b"1", "A-3.png": b"2", "a-4.png": b"3",
        }  # fmt: skip


def test_the_weights_of_the_project_are_offered_the_default_first():
    names = shipped_weights()
    assert names[0] == "general"
    assert set(names) == {path.stem for path in (Path(__file__).parents[2] / "weights").glob("*.safetensors")}
    assert list(Cleaner(names, "cpu").engines) == names


def test_weights_that_are_missing_or_cannot_be_told_apart_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.safetensors"):
        Cleaner([str(tmp_path / "nowhere.safetensors")], "cpu")
    with pytest.raises(UserError, match=r"^weights names general twice; rename one of the files\.$"):
        Cleaner(["general", "general"], "cpu")


def test_no_picture_within_the_limit_has_a_larger_file(tmp_path):
    cleaner = Cleaner(["general"], "cpu", max_megapixels=0.05)
    noise = np.random.default_rng(0).integers(0, 65536, (200, 250, 4)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "noise.tiff"), noise, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    assert 400_000 < (tmp_path / "noise.tiff").stat().st_size < cleaner.max_bytes
