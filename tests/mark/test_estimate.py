import cv2
import numpy as np
import pytest
from PIL import Image

from tests.mark.conftest import CORNER, SIZE, photograph, put
from wm_lightning.errors import UserError
from wm_lightning.mark.estimate import estimate_mark
from wm_lightning.mark.known import KnownMark, Place
from wm_lightning.mark.placing import place_mark


def save_all(folder, pictures):
    paths = []
    for number, picture in enumerate(pictures):
        pixels = picture if picture.dtype == np.uint8 else np.rint(picture * 255).astype(np.uint8)
        paths.append(folder / f"{number:02}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def off(mark, truth, corner=CORNER, size=None):
    """Returns the mean error of a mark's opacity where the true one is visible."""
    row, column = (round(value) for value in mark.place.corner_on(size or (96, 128)))
    own, theirs = np.zeros((2, 300, 300), np.float32)
    own[row : row + mark.alpha.shape[0], column : column + mark.alpha.shape[1]] = mark.alpha
    theirs[corner[0] : corner[0] + truth.alpha.shape[0], corner[1] : corner[1] + truth.alpha.shape[1]] = truth.alpha
    return float(np.abs(own - theirs)[theirs > 0.02].mean())


def test_the_mark_of_pictures_some_without(letters, tmp_path):
    pictures = [put(photograph(seed), letters) for seed in range(16)] + [photograph(seed) for seed in (20, 21, 22)]
    paths = save_all(tmp_path, pictures)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    told = []
    mark = estimate_mark([*paths, tmp_path / "broken.png"], told.append)
    assert off(mark, letters) < 0.05
    assert (mark.pictures, mark.carriers) == (19, 16)
    assert sum("broken.png" in line and "skipped" in line for line in told) >= 1
    again = estimate_mark([tmp_path / "broken.png", *reversed(paths)])
    np.testing.assert_array_equal(again.alpha, mark.alpha)


def test_the_mark_of_pictures_of_several_sizes(letters, tmp_path):
    sizes = [(96, 128), (128, 96), (110, 150)]
    pictures = []
    for seed in range(18):
        height, width = sizes[seed % 3]
        pictures.append(put(photograph(seed, (height, width)), letters, (height - 30, width - 70)))
    mark = estimate_mark(save_all(tmp_path, pictures))
    assert mark.place.anchor == (1.0, 1.0)
    assert off(mark, letters, (66, 58)) < 0.05


def test_a_mark_that_grows_is_measured_on_the_largest_pictures(letters, tmp_path):
    """Those of half the size would show it blurred."""
    large = [put(photograph(seed), letters) for seed in range(20)]
    pictures = large + [cv2.resize(put(photograph(20 + seed), letters), (64, 48)) for seed in range(20)]
    told = []
    mark = estimate_mark(save_all(tmp_path, pictures), told.append)
    assert mark.place.width == 128
    assert mark.carriers > 20
    assert any("the 20 largest" in line for line in told)
    assert off(mark, letters) < 0.05
    alone = estimate_mark(save_all(tmp_path, large))
    np.testing.assert_allclose(mark.alpha.sum(), alone.alpha.sum(), rtol=0.02)


def test_a_faint_mark_that_grows_is_measured_on_pictures_enough(letters, tmp_path):
    """On ten of 30 noisy pictures, half of what surrounds it would be taken for a part of it."""
    faint = KnownMark(letters.alpha / 4, letters.paint / 4, letters.noise, letters.place)
    rng, pictures = np.random.default_rng(0), []
    for seed in range(30):
        marked = put(photograph(seed), faint) + rng.normal(0, 6, (*SIZE, 3))
        marked = np.rint(marked.clip(0, 255)).astype(np.uint8)
        pictures.append(cv2.resize(marked, (112, 84), interpolation=cv2.INTER_AREA) if seed % 3 else marked)
    mark = estimate_mark(save_all(tmp_path, pictures))
    assert mark.place.width == 128
    assert mark.alpha.max() < 0.2
    assert mark.area.sum() < 1.5 * faint.area.sum()


def test_the_mark_of_pictures_that_have_it_anywhere(letters, tmp_path):
    rng = np.random.default_rng(0)
    pictures = [put(photograph(seed), letters, tuple(rng.integers(0, (70, 60)))) for seed in range(14)]
    mark = estimate_mark(save_all(tmp_path, pictures))
    assert mark.place == Place()
    assert mark.carriers >= 11
    assert mark.alpha.max() == pytest.approx(0.4, abs=0.06)
    clean = photograph(40)
    placed = place_mark(put(clean, letters, (11, 23)).astype(np.float32) / 255, mark)
    before = np.abs(
        put(clean, letters, (11, 23))[placed.rows, placed.columns] / 255 - clean[placed.rows, placed.columns]
    )
    beneath = (put(clean, letters, (11, 23))[placed.rows, placed.columns] / 255 - placed.paint) / (
        1 - placed.alpha[..., None]
    )
    assert np.abs(beneath - clean[placed.rows, placed.columns]).mean() < 0.2 * before.mean()


def test_a_second_mark_is_told_of(letters, tmp_path):
    other = letters.alpha[:, ::-1]
    other = KnownMark(other, np.repeat(other[..., None], 3, axis=-1), np.zeros_like(other))
    pictures = [put(photograph(seed), letters, (4, 4)) for seed in range(14)]
    pictures += [put(photograph(seed), other, (70, 60)) for seed in range(20, 27)]
    told = []
    mark = estimate_mark(save_all(tmp_path, pictures), told.append)
    assert mark.carriers == 14
    assert mark.place.corner_on(SIZE) == pytest.approx((0, 0), abs=8)
    (line,) = (line for line in told if "7 of the 7 other pictures share another mark" in line)
    assert "another size: 14.png, 15.png, 16.png and 4 more; to have it" in line


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_pictures(letters, tmp_path, count):
    paths = save_all(tmp_path, [put(photograph(seed), letters) for seed in range(count)])
    with pytest.raises(UserError, match="at least 5"):
        estimate_mark(paths)


def test_pictures_that_share_nothing(tmp_path):
    with pytest.raises(UserError, match=r"share no mark.*; or let wm-predict seek marks"):
        estimate_mark(save_all(tmp_path, [photograph(seed) for seed in range(12)]))


@pytest.mark.parametrize("moved", [0, 1])
@pytest.mark.parametrize("kind", ["blank", "stripes", "checks"])
def test_blank_and_periodic_pictures_share_no_mark(kind, moved, tmp_path):
    rows, columns = np.indices(SIZE) // 8
    cells = {"blank": np.ones(SIZE, int), "stripes": columns % 2, "checks": (rows + columns) % 2}[kind]
    pictures = [np.roll(255 * cells[..., None].repeat(3, axis=-1), moved * by, axis=1) for by in range(6)]
    with pytest.raises(UserError, match=r"share no mark|hides all"):
        estimate_mark(save_all(tmp_path, [one.astype(np.uint8) for one in pictures]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sizes", [[(1, 1)], [(1, 20), (96, 900)], [(2, 30), (30, 2), (96, 2100)]])
def test_thin_pictures_share_no_mark(sizes, tmp_path):
    pictures = [photograph(number, sizes[number % len(sizes)]) for number in range(9)]
    with pytest.raises(UserError, match="share no mark"):
        estimate_mark(save_all(tmp_path, pictures))


def test_a_shared_frame_is_no_mark(tmp_path):
    pictures = [photograph(seed) for seed in range(12)]
    for picture in pictures:
        picture[:8], picture[-8:], picture[:, :8], picture[:, -8:] = 1, 1, 0, 0.5
    with pytest.raises(UserError, match=r"share no mark|hides all"):
        estimate_mark(save_all(tmp_path, pictures))


@pytest.mark.parametrize("moved", [False, True])
def test_an_opaque_mark_leaves_nothing_to_recover(letters, tmp_path, moved):
    alpha = letters.alpha / letters.alpha.max() if moved else (letters.alpha > 0.2).astype(np.float32)
    opaque = KnownMark(alpha, np.repeat(alpha[..., None], 3, axis=-1) * 0.9, np.zeros_like(alpha), Place())
    corners = np.random.default_rng(0).integers(0, (70, 60), (12, 2)) if moved else [CORNER] * 12
    paths = save_all(tmp_path, [put(photograph(seed), opaque, corner) for seed, corner in enumerate(corners)])
    with pytest.raises(UserError, match="hides all"):
        estimate_mark(paths)
