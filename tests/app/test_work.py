import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wm_lightning.app import work
from wm_lightning.app.boxes import belonging
from wm_lightning.app.outcomes import Outcome, pack
from wm_lightning.app.painting import Painting
from wm_lightning.app.sessions import AbandonedError
from wm_lightning.app.work import Cleaner, Settings, shipped_weights
from wm_lightning.errors import UserError
from wm_lightning.inference.cleaning import Cleaned
from wm_lightning.inference.marks import Mark

GENERAL = Settings("general")
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
    result = cleaner.clean(source, tmp_path / "results", Settings("general", strength))
    content, mask = predicted(source, "--strength", str(strength))
    assert result.file.name == name
    assert result.file.read_bytes() == content
    assert result.mask.read_bytes() == mask
    assert content != source.read_bytes()


def stroke(kind, *points, width=0.12):
    return {"kind": kind, "width": width, "points": list(points)}


def painted(*strokes):
    return Settings("general", painting=Painting.read(json.dumps(strokes)))


def test_what_is_painted_to_be_left_alone_is_the_command_s_mask(cleaner, marked, predicted, tmp_path):
    source, mask = tmp_path / "photo.png", tmp_path / "allowed.png"
    Image.fromarray(marked).save(source)
    settings = painted(stroke("leave", (0.1, 0.5), (0.4, 0.5)))
    result = cleaner.clean(source, tmp_path / "results", settings)
    left = settings.painting.left_alone(marked.shape[:2])
    Image.fromarray(np.where(left, 0, 255).astype(np.uint8)).save(mask)
    assert result.file.read_bytes() == predicted(source, "--mask", str(mask))[0]
    changed = (read(result.file) != marked).any(axis=-1)
    assert not changed[left].any()
    assert changed.mean() > 0.02
    assert result.findings.changed == pytest.approx(changed.mean())


def test_a_mask_that_is_given_is_the_command_s(cleaner, marked, predicted, tmp_path):
    source, mask = tmp_path / "photo.png", tmp_path / "allowed.png"
    Image.fromarray(marked).save(source)
    values = np.zeros(marked.shape[:2], np.uint8)
    values[:, :150] = 255
    Image.fromarray(values).save(mask)
    result = cleaner.clean(source, tmp_path / "results", GENERAL._replace(mask=mask))
    assert result.file.read_bytes() == predicted(source, "--mask", str(mask))[0]
    Image.fromarray(values[:100]).save(mask)
    with pytest.raises(UserError, match="The mask is 320x100, the picture 320x220 pixels; they must be equal"):
        cleaner.clean(source, tmp_path / "results", GENERAL._replace(mask=mask))


def test_where_a_mark_is_painted_no_evidence_is_asked_for(cleaner, marked, tmp_path):
    source = tmp_path / "photo.png"
    Image.fromarray(marked).save(source)
    doubting = GENERAL._replace(sensitivity=0.0)
    assert cleaner.clean(source, tmp_path / "a", doubting).findings.marks == ()
    there = painted(stroke("mark", (0.1, 0.5), (0.45, 0.5)))._replace(sensitivity=0.0)
    result = cleaner.clean(source, tmp_path / "b", there)
    changed = (read(result.file) != marked).any(axis=-1)
    inside = there.painting.marked(marked.shape[:2])
    assert changed[inside].mean() > 0.05
    assert not changed[~inside].any()
    assert result.findings.marks
    assert not result.unseen
    empty = painted(stroke("mark", (0.1, 0.05), (0.2, 0.05), width=0.03))
    assert cleaner.clean(source, tmp_path / "c", empty).unseen


def test_a_mark_that_is_switched_off_comes_back_and_without_any_the_file_is_as_it_was(cleaner, marked, tmp_path):
    source = tmp_path / "photo.png"
    both = np.concatenate((marked, marked[::-1]))
    Image.fromarray(both).save(source)
    result = cleaner.clean(source, tmp_path / "a", GENERAL)
    marks = result.findings.marks
    assert len(marks) >= 2
    again = cleaner.without(source, tmp_path / "b", result, {0})
    left, top, right, bottom = marks[0].box
    inside = slice(top, bottom), slice(left, right)
    before, now = read(result.file), read(again.file)
    assert (before[inside] != both[inside]).any()
    assert np.array_equal(now[inside], both[inside])
    assert np.array_equal(now[: top - 12], before[: top - 12])
    assert np.array_equal(now[bottom + 12 :], before[bottom + 12 :])
    assert (now != both).any()
    assert again.findings.marks == marks[1:]
    assert not read(again.mask)[inside].any()
    assert cleaner.without(source, tmp_path / "c", result, ()).file.read_bytes() == result.file.read_bytes()
    none = cleaner.without(source, tmp_path / "d", result, range(len(marks)))
    assert none.file.read_bytes() == source.read_bytes()


def test_a_box_within_another_is_switched_by_itself():
    outer, inner = (0, 0, 10, 10), (2, 2, 5, 5)
    marks = [Mark(inner, 0.9, 9), Mark(outer, 0.9, 50)]
    changed = np.ones((12, 12), np.bool_)
    assert belonging(marks, {1}, changed).sum() == 144 - 9  # with its rim
    assert belonging(marks, {0}, changed).sum() == 9
    changed[:4] = False
    assert belonging(marks, {0}, changed).sum() == 3


def test_a_rim_belongs_to_the_nearest_mark():
    marks = [Mark((0, 0, 4, 4), 0.9, 9), Mark((10, 0, 14, 4), 0.9, 9)]
    rims = belonging(marks, {1}, np.ones((4, 20), np.bool_))
    assert rims[0].tolist() == [False] * 7 + [True] * 13


def test_a_picture_that_takes_too_long_is_given_up(marked, tmp_path):
    Image.fromarray(marked).save(tmp_path / "photo.png")
    hasty = Cleaner(["general"], "cpu", max_minutes=1e-9)
    with pytest.raises(UserError, match=r"^photo\.png takes more than 1e-09 minutes, the limit here"):
        hasty.clean(tmp_path / "photo.png", tmp_path / "out", GENERAL)


def test_a_job_that_nobody_waits_for_does_no_tile(cleaner, marked, tmp_path, monkeypatch):
    Image.fromarray(marked).save(tmp_path / "photo.png")
    monkeypatch.setattr(type(cleaner.engines["general"]), "correct", lambda *_: pytest.fail("it went on"))

    def gone(tiles):
        raise AbandonedError("closed")

    with pytest.raises(AbandonedError):
        cleaner.clean(tmp_path / "photo.png", tmp_path / "out", GENERAL, gone)
    with pytest.raises(AbandonedError):
        list(cleaner.clean_each([tmp_path / "photo.png"] * 2, tmp_path / "out", GENERAL, gone))


def test_an_error_that_nobody_thought_of_is_a_sentence_too(cleaner, marked, tmp_path, monkeypatch):
    Image.fromarray(marked).save(tmp_path / "photo.png")
    monkeypatch.setattr(work, "clean", lambda *_: 1 / 0)
    (outcome,) = cleaner.clean_each([tmp_path / "photo.png"], tmp_path / "out", GENERAL)
    assert outcome.error == "photo.png failed: ZeroDivisionError: division by zero."


def test_previews_are_upright_and_reduced(cleaner, marked, tmp_path, monkeypatch):
    def clean(engine, pixels, *_):  # no network has to look at so large a picture
        changed = pixels.copy()
        changed[:8, :8] = 0
        return Cleaned(changed, np.zeros(pixels.shape[:2], np.uint8))

    monkeypatch.setattr(work, "clean_pixels", clean)
    large = np.asarray(Image.fromarray(marked).resize((2000, 1375)))
    source = tmp_path / "large.jpg"
    rotated(large, source)
    result = cleaner.clean(source, tmp_path / "results", GENERAL)
    assert result.findings.size == (2000, 1375)
    shown = [read(place) for place in (result.before, result.after, result.marks)]
    assert [picture.shape for picture in shown] == [(1100, 1600, 3)] * 3
    expected = np.asarray(Image.fromarray(large).resize((1600, 1100), Image.Resampling.BOX)).astype(int)
    assert np.abs(shown[0] - expected).mean() < 4
    with Image.open(result.file) as file:
        assert file.size == (1375, 2000)  # as the camera wrote it, with its own note on how to turn it
        assert file.getexif()[0x0112] == 6


def test_the_mask_is_drawn_in_red_where_the_mark_is(cleaner, marked, tmp_path):
    Image.fromarray(marked).save(tmp_path / "photo.png")
    result = cleaner.clean(tmp_path / "photo.png", tmp_path / "results", GENERAL)
    shown = read(result.marks).astype(int)
    red = shown[..., 0] - shown[..., 1]
    found = read(result.mask)
    assert (red[found > 250] > 60).all()
    near = cv2.dilate((found > 0).astype(np.uint8), np.ones((19, 19))) > 0  # WebP's colours are coarser than its grey
    for left, top, right, bottom in (mark.box for mark in result.findings.marks):
        near[max(top - 30, 0) : bottom + 10, max(left - 10, 0) : right + 10] = True  # its outline and number
    assert np.abs(red[~near]).max() < 10
    assert (~near).sum() > 5000
    assert (found[MARK] > 128).sum() > 0.6 * (found > 128).sum() > 800


def test_it_tells_how_far_it_is(cleaner, marked, tmp_path):
    for size, least in ((320, 220), 1), ((1300, 900), 4):
        Image.fromarray(marked).resize(size).save(tmp_path / "photo.jpg")
        told = []
        cleaner.clean(tmp_path / "photo.jpg", tmp_path / "results", GENERAL, tell=told.append)
        assert told == sorted(told)
        assert told[-1] >= least


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(cleaner, tmp_path, monkeypatch):
    Image.new("L", (2500, 2000)).save(tmp_path / "large.png")
    monkeypatch.setattr(work, "read_picture", lambda path: pytest.fail("it was decoded"))
    with pytest.raises(UserError) as error:
        cleaner.clean(tmp_path / "large.png", tmp_path / "results", GENERAL)
    assert str(error.value) == "large.png has 5.0 megapixels; at most 4 are taken here, so reduce it first."


def test_so_is_a_large_heic(cleaner, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra [heif] is not installed")
    pillow_heif.from_bytes("RGB", (2500, 2000), bytes(15_000_000)).save(tmp_path / "large.heic")
    with pytest.raises(UserError, match=r"^large\.heic has 5\.0 megapixels"):
        cleaner.clean(tmp_path / "large.heic", tmp_path / "results", GENERAL)


def test_a_picture_at_the_limit_is_taken(tmp_path):
    Image.new("L", (100, 100)).save(tmp_path / "photo.png")
    result = Cleaner(["general"], "cpu", max_megapixels=0.01).clean(tmp_path / "photo.png", tmp_path / "out", GENERAL)
    assert result.findings.size == (100, 100)
    assert result.findings.changed == 0


def test_errors_name_the_file_without_its_folder(cleaner, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError) as error:
        cleaner.clean(tmp_path / "broken.jpg", tmp_path / "results", GENERAL)
    assert str(error.value) == "broken.jpg is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP."
    assert not (tmp_path / "results").exists()


def test_many_pictures_go_on_after_a_broken_one(cleaner, marked, predicted, tmp_path):
    sources = [tmp_path / str(number) / "photo.png" for number in range(3)]
    for number, source in enumerate(sources):
        source.parent.mkdir()
        Image.fromarray(np.roll(marked, 3 * number, axis=0)).save(source)
    sources[1].write_bytes(sources[1].read_bytes()[:200])
    outcomes = list(cleaner.clean_each(sources, tmp_path / "results", GENERAL))
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
