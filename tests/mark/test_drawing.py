from dataclasses import replace

import numpy as np
import pytest

from tests.mark.conftest import photograph, put
from wm_lightning.data.synthesis import ViewSpec, replay
from wm_lightning.data.synthesis.render import render
from wm_lightning.errors import UserError
from wm_lightning.mark.drawing import MarkFileSampler, MarkFileSynthesizer
from wm_lightning.mark.known import KnownMark, Spread, save_mark


@pytest.fixture(scope="module")
def pastel():
    """A mark of soft colours, some of which only brighten."""
    alpha = np.zeros((22, 62), np.float32)
    alpha[3:-3, 4:-4] = np.linspace(0.1, 0.45, 54, dtype=np.float32)
    paint = alpha[..., None] * np.array([0.9, 0.5, 0.2], np.float32)
    paint[8:12, 10:20] += 0.2
    return KnownMark(alpha, paint, np.zeros_like(alpha))


@pytest.fixture(scope="module")
def path(pastel, tmp_path_factory):
    place = tmp_path_factory.mktemp("marks") / "my.mark"
    save_mark(pastel, place)
    return str(place)


def test_a_mark_is_drawn_at_its_own_size_as_the_file_has_it(pastel, path):
    clean = np.rint(photograph(0, (128, 128)) * 255).astype(np.uint8)
    synthesizer = MarkFileSynthesizer(path, 128, scale=[1, 1], strength=[1, 1], jpeg=0, unmarked=0, mask_threshold=0)
    view = synthesizer(clean, np.random.default_rng(1))
    rows, columns = np.nonzero(view.alpha.max(axis=-1))
    corner = int(rows.min()) - 3, int(columns.min()) - 4
    expected = put(clean / 255, pastel, corner)
    assert np.abs(view.image.astype(int) - expected).max() <= 2  # bytes of mark, product and sum
    assert view.mask.mean() == pytest.approx(16 * 54 / 128**2, rel=0.02)
    again = replay(clean, view.spec)
    np.testing.assert_array_equal(again.image, view.image)


def test_a_mark_lies_within_the_picture_in_the_sizes_and_strengths_that_were_asked_for(path):
    sampler = MarkFileSampler(path, 100, scale=[0.5, 1.5], strength=[0.5, 2.0])
    generator = np.random.default_rng(0)
    sizes, opacities = [], []
    for _ in range(300):
        spec = sampler(generator)
        sizes.append(spec.size * 100 / 62)
        opacities.append(spec.opacity / sampler.mark.peak)
        layer = render(spec, 100, 100)
        assert max(layer.alpha.shape[:2]) >= np.floor(spec.size * 100)  # nothing is cut off
    assert (min(sizes), max(sizes)) == pytest.approx((0.5, 1.5), abs=0.05)
    assert np.mean(np.isclose(sizes, 1)) == pytest.approx(0.5, abs=0.1)
    assert (min(opacities), max(opacities)) == pytest.approx((0.5, 2), abs=0.05)


def test_a_mark_larger_than_the_picture_fills_it(path, caplog):
    MarkFileSynthesizer(path, 20)
    assert "set data.size higher" in caplog.text
    sampler, generator = MarkFileSampler(path, 20), np.random.default_rng(0)
    seen = [render(sampler(generator), 20, 20).alpha.shape[1] for _ in range(50)]
    assert set(seen) == {20}


def test_what_was_measured_is_drawn_and_a_little_more(pastel, tmp_path):
    spread = Spread((0.5, 2.0), (0.8, 1.0), 0.75, (70, 80))
    save_mark(replace(pastel, spread=spread), tmp_path / "my.mark")
    synthesizer = MarkFileSynthesizer(str(tmp_path / "my.mark"), 200)
    assert isinstance(synthesizer.sampler, MarkFileSampler)
    assert synthesizer.sampler.scale == pytest.approx((0.475, 2.1))
    assert synthesizer.sampler.strength == pytest.approx((0.72, 1.1))
    drawn = [synthesizer.degradation(np.random.default_rng(seed)) for seed in range(200)]
    compressed = [one for one in drawn if one is not None]
    assert len(compressed) / 200 == pytest.approx(0.75, abs=0.1)
    assert all(70 <= one.jpeg <= 80 and one.contrast == 1 for one in compressed)


def test_bad_files_and_ranges_are_refused(path, tmp_path):
    with pytest.raises(UserError, match="no file"):
        MarkFileSampler(str(tmp_path / "none.mark"), 64)
    empty = np.zeros((4, 4), np.float32)
    save_mark(KnownMark(empty, np.zeros((4, 4, 3), np.float32), empty), tmp_path / "empty.mark")
    with pytest.raises(UserError, match="empty mark"):
        MarkFileSampler(str(tmp_path / "empty.mark"), 64)
    with pytest.raises(UserError, match=r"synthesis\.scale"):
        MarkFileSampler(path, 64, scale=[2, 1])


def test_a_view_without_the_mark_is_as_it_was(path):
    clean = np.rint(photograph(1, (128, 128)) * 255).astype(np.uint8)
    view = MarkFileSynthesizer(path, 128, jpeg=0, unmarked=1)(clean, np.random.default_rng(0))
    np.testing.assert_array_equal(view.image, clean)
    assert view.spec == ViewSpec()
