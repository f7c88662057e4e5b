from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wm_lightning.data.swcnn import OPACITIES, swcnn_pairs
from wm_lightning.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "data"
# By benchmark: photographs, scale, pairs, and the identity's figures as they were published
SWCNN = (SHARED / "swcnn" / "test", 1.5, 324, (28.9315, 24.4613, 21.5421, 18.4946), 1e-4)
PSLNET = (SHARED / "pslnet", 1.0, 252, (32.21, 27.74, 24.82, 21.70), 5e-3)


def psnr(pair):
    error = (pair.watermarked / 255.0 - pair.clean / 255.0) ** 2
    return -10 * np.log10(error.mean())


@pytest.fixture
def small_copy(tmp_path):
    """One even photograph of 200 x 170 and one opaque red square of 10 x 10 within a transparent border."""
    (tmp_path / "test").mkdir()
    (tmp_path / "watermark").mkdir()
    Image.new("RGB", (200, 170), (50, 50, 50)).save(tmp_path / "test" / "1.jpg", quality=100)
    mark = np.zeros((20, 20, 4), dtype=np.uint8)
    mark[5:15, 5:15] = (255, 0, 0, 100)
    Image.fromarray(mark).save(tmp_path / "watermark" / "1.png")
    return tmp_path


def pairs(folder, opacity, scale=1.5):
    return swcnn_pairs(folder / "test", folder / "watermark", opacity, scale)


def test_photographs_are_cropped_and_marks_enlarged_at_the_fixed_place(small_copy):
    (pair,) = pairs(small_copy, 1.0)
    assert pair.name == "1-1"
    assert pair.clean.shape == pair.watermarked.shape == (160, 192, 3)
    assert (pair.clean == 50).all()
    changed = (pair.watermarked != pair.clean).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    # The square is at 5..15 of 20, enlarged one and a half times: 7.5..22.5 from (128, 128); its edges are smoothed.
    assert 128 + 5 <= rows[0] <= 128 + 8
    assert 128 + 22 <= rows[-1] <= 128 + 25
    assert (rows[0], rows[-1]) == (columns[0], columns[-1])


@pytest.mark.parametrize("opacity", OPACITIES)
def test_the_middle_of_a_mark_is_blended_by_hand_with_red_and_blue_exchanged(small_copy, opacity):
    (pair,) = pairs(small_copy, opacity)
    alpha = int(255 * opacity) / 255
    # The file's first channel, red, meets the photograph's first, which is blue.
    expected = [(1 - alpha) * 50 + alpha * value for value in (255, 0, 0)]
    np.testing.assert_allclose(pair.watermarked[143, 143], expected, atol=1)


def test_psnr_of_the_small_copy_by_hand(small_copy):
    (pair,) = pairs(small_copy, 1.0)
    inside = pair.watermarked[136:150, 136:150].astype(float)
    assert (inside == (255, 0, 0)).all()
    # Inside, 14 x 14 pixels differ by 205, 50 and 50 levels; the smoothed edge adds at most two pixels on each side.
    least = 14 * 14 * (205**2 + 50**2 + 50**2) / (160 * 192 * 3 * 255**2)
    most = 18 * 18 * (205**2 + 50**2 + 50**2) / (160 * 192 * 3 * 255**2)
    assert -10 * np.log10(most) < psnr(pair) < -10 * np.log10(least)


def test_numbers_are_ordered_by_value(small_copy):
    for number in (2, 10):
        Image.new("RGB", (200, 170)).save(small_copy / "test" / f"{number}.jpg")
    assert [pair.name for pair in pairs(small_copy, 0.3)] == ["1-1", "2-1", "10-1"]


def test_a_folder_without_the_benchmark_is_named(tmp_path):
    with pytest.raises(UserError, match=r"test holds no \*\.jpg"):
        list(pairs(tmp_path, 0.3))


def test_at_its_own_size_a_mark_is_copied_pixel_by_pixel(small_copy):
    (pair,) = pairs(small_copy, 1.0, scale=1.0)
    marked = (pair.watermarked != pair.clean).any(axis=2)
    assert np.argwhere(marked).min(axis=0).tolist() == [133, 133]
    assert marked[133:143, 133:143].all()
    assert marked.sum() == 100


@pytest.mark.skipif(not SHARED.is_dir(), reason="the benchmarks are not beside this repository")
@pytest.mark.parametrize("benchmark", [SWCNN, PSLNET], ids=["swcnn", "pslnet"])
def test_the_identity_scores_what_was_published(benchmark):
    photographs, scale, count, published, within = benchmark
    for opacity, wanted in zip(OPACITIES, published, strict=True):
        scores = [psnr(pair) for pair in swcnn_pairs(photographs, SHARED / "swcnn" / "watermark", opacity, scale)]
        assert len(scores) == count
        assert np.mean(scores) == pytest.approx(wanted, abs=within)
