import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.mark.conftest import CORNER, letters, photograph, put  # noqa: F401 - a fixture
from wm_lightning import Remover
from wm_lightning.inference.known import NoEngine, needs_network, without_known
from wm_lightning.mark.known import KnownMark, save_mark

PART = slice(CORNER[0], CORNER[0] + 22), slice(CORNER[1], CORNER[1] + 62)


def error(cleaned, clean):
    return float(np.abs(cleaned.astype(float) - clean * 255)[PART].mean())


def test_a_network_is_needed_where_marks_are_sought_or_hide_something(letters):  # noqa: F811
    assert needs_network(None)
    assert not needs_network(letters)
    assert needs_network(replace(letters, alpha=np.minimum(letters.alpha * 2, 1)))


def test_the_blend_is_undone(letters):  # noqa: F811
    clean = photograph(0)
    marked = put(clean, letters)
    cleaned = without_known(NoEngine(), marked, letters)
    assert error(marked, clean) > 10
    assert error(cleaned.pixels, clean) < 0.6
    assert (cleaned.mask[PART][letters.alpha > 0.1] == 255).all()
    outside = np.ones(marked.shape[:2], bool)
    outside[PART] = False
    np.testing.assert_array_equal(cleaned.pixels[outside], marked[outside])
    (mark,) = cleaned.marks
    assert mark.certainty > 0.99


def test_a_picture_without_it_stays_to_the_bit(letters):  # noqa: F811
    clean = np.rint(photograph(1) * 255).astype(np.uint8)
    cleaned = without_known(NoEngine(), clean, letters)
    np.testing.assert_array_equal(cleaned.pixels, clean)
    assert not cleaned.mask.any()
    assert cleaned.marks == ()


def test_only_where_it_is_allowed_and_as_far(letters):  # noqa: F811
    clean = photograph(2)
    marked = put(clean, letters)
    allowed = np.zeros(marked.shape[:2], np.float32)
    allowed[:, : CORNER[1] + 30] = 1
    cleaned = without_known(NoEngine(), marked, letters, allowed).pixels
    np.testing.assert_array_equal(cleaned[:, CORNER[1] + 30 :], marked[:, CORNER[1] + 30 :])
    assert (cleaned[:, : CORNER[1] + 30] != marked[:, : CORNER[1] + 30]).any()
    half = without_known(NoEngine(), marked, letters, strength=0.5).pixels
    assert error(half, clean) == pytest.approx(error(marked, clean) / 2, rel=0.1)
    np.testing.assert_array_equal(without_known(NoEngine(), marked, letters, strength=0).pixels, marked)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_other_depths(letters, dtype):  # noqa: F811
    clean = photograph(3)
    marked = put(clean, letters).astype(np.float32) / 255
    deep = marked if dtype == np.float32 else np.rint(marked * 65535).astype(np.uint16)
    cleaned = without_known(NoEngine(), deep, letters).pixels
    assert cleaned.dtype == dtype
    shown = cleaned * 255.0 if dtype == np.float32 else cleaned / 257
    assert error(shown, clean) < 0.6


def test_what_it_hides_is_painted(letters, painter):  # noqa: F811
    hidden = KnownMark(np.where(letters.alpha > 0.2, 1, letters.alpha), letters.paint, letters.noise, letters.place)
    hidden = replace(hidden, paint=np.repeat(hidden.alpha[..., None], 3, axis=-1))
    clean = photograph(4) * 0.5
    marked = put(clean, hidden)
    cleaned = without_known(painter, marked, hidden).pixels
    # The painter takes white for marked and paints a quarter; what it does not see is inpainted.
    inside = hidden.alpha[1:-1, 1:-1] == 1
    assert np.abs(cleaned[PART][1:-1, 1:-1][inside].astype(float) - 64).mean() < 8
    assert (marked[PART][1:-1, 1:-1][inside] > 250).all()


def test_the_remover_takes_a_mark_or_its_file(letters, tmp_path):  # noqa: F811
    clean = photograph(5)
    marked = put(clean, letters)
    save_mark(letters, tmp_path / "my.mark")
    for mark in (letters, str(tmp_path / "my.mark")):
        result = Remover("nowhere.ckpt", mark=mark).remove(marked)  # which is not opened
        assert error(result.image, clean) < 0.6
        assert len(result.marks) == 1


def test_the_command_with_a_mark(letters, tmp_path, run):  # noqa: F811
    save_mark(letters, tmp_path / "my.mark")
    clean = [photograph(seed) for seed in (6, 7)]
    Image.fromarray(put(clean[0], letters)).save("marked.png")
    Image.fromarray(np.rint(clean[1] * 255).astype(np.uint8)).save("clean.png")
    status, out, err = run("marked.png", "clean.png", "-o", "out", "--mark", "my.mark", "--report", "found.json")
    assert (status, err) == (0, "")
    assert run.opened == []  # no network, as nothing is hidden
    found = json.loads(Path("found.json").read_text())
    assert [[mark["known"] for mark in one["marks"]] for one in found] == [[True], []]
    with Image.open("out/marked.png") as opened:
        assert error(np.asarray(opened), clean[0]) < 0.6
    assert Path("out/clean.png").read_bytes() == Path("clean.png").read_bytes()
    assert "--sensitivity" not in out  # which changes nothing here


def test_the_command_finds_the_mark_first(letters, tmp_path, run):  # noqa: F811
    for seed in range(12):
        Image.fromarray(put(photograph(seed), letters)).save(f"{seed:02}.png")
    status, out, _ = run(str(tmp_path), "-o", "out", "--same-mark")
    assert status == 0
    assert "on 12 of 12 pictures" in out
    errors = []
    for seed in range(12):
        with Image.open(f"out/{seed:02}.png") as opened:
            errors.append(error(np.asarray(opened), photograph(seed)))
    assert np.mean(errors) < 4


def test_the_command_refuses_what_is_no_mark(letters, run):  # noqa: F811
    Image.fromarray(put(photograph(0), letters)).save("one.png")
    status, _, err = run("one.png", "-o", "out", "--mark", "none.mark")
    assert (status, "no file none.mark" in err) == (1, True)
    status, _, err = run("one.png", "-o", "out", "--same-mark")
    assert (status, "one picture" in err) == (1, True)
    assert not Path("out").exists()
