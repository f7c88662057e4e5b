"""The mean over mirrored and turned copies."""

import numpy as np
import pytest

from wm_lightning.errors import UserError
from wm_lightning.inference import remover as module
from wm_lightning.inference.correction import Correction
from wm_lightning.inference.remover import open_engine
from wm_lightning.inference.tta_engine import AugmentedEngine
from wm_lightning.tta import COPIES


class Everywhere:
    """Knows no direction: each pixel is changed by its own values alone."""

    knows_layers = True

    def __init__(self):
        self.seen = []

    def correct(self, picture):
        assert picture.flags["C_CONTIGUOUS"]
        self.seen.append(picture)
        return Correction(0.5 * picture, -0.25 * picture, picture[..., :1])


class ByPlace:
    """Says where a pixel lies: row and column, as it sees them."""

    knows_layers = False

    def correct(self, picture):
        height, width = picture.shape[:2]
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        return Correction(np.repeat(rows[..., None], 3, -1), np.repeat(columns[..., None], 3, -1), rows[..., None])


@pytest.fixture
def picture():
    return np.random.default_rng(0).random((5, 8, 3), np.float32)


@pytest.mark.parametrize("copies", COPIES)
def test_what_knows_no_direction_is_found_again(picture, copies):
    engine = Everywhere()
    found = AugmentedEngine(engine, copies).correct(picture)
    for part, expected in zip(found.planes, engine.correct(picture).planes, strict=True):
        assert part.dtype == np.float32
        assert part == pytest.approx(expected, abs=1e-6)
    seen = {one.tobytes() + bytes(one.shape) for one in engine.seen}
    assert len(seen) == copies  # each another, the picture itself among them
    assert {one.shape for one in engine.seen} == ({(5, 8, 3), (8, 5, 3)} if copies == 8 else {(5, 8, 3)})


@pytest.mark.parametrize(
    ("copies", "rows", "columns"),
    [(1, np.arange(5), np.arange(8)), (2, np.arange(5), np.full(8, 3.5)), (4, np.full(5, 2), np.full(8, 3.5))],
)
def test_directions_cancel_out_one_by_one(picture, copies, rows, columns):
    gain, offset, mask = AugmentedEngine(ByPlace(), copies).correct(picture).planes
    assert gain[..., 0] == pytest.approx(np.broadcast_to(rows[:, None], (5, 8)))
    assert offset[..., 0] == pytest.approx(np.broadcast_to(columns[None], (5, 8)))
    assert np.array_equal(mask[..., 0], gain[..., 0])


def test_eight_copies_take_the_mean_of_both_orientations(picture):
    gain, offset, _ = AugmentedEngine(ByPlace(), 8).correct(picture).planes
    assert gain == pytest.approx((2 + 3.5) / 2)
    assert offset == pytest.approx((2 + 3.5) / 2)


def test_nothing_found_stays_nothing(picture):
    class Blind(Everywhere):
        def correct(self, picture):
            return Correction.none(*picture.shape[:2])

    assert not any(part.any() for part in AugmentedEngine(Blind(), 8).correct(picture).planes)


def test_an_engine_is_opened_with_augmentation(monkeypatch):
    engine = Everywhere()
    monkeypatch.setattr(module, "_open_engine", lambda *arguments: engine)
    assert open_engine("general") is engine
    opened = open_engine("general", tta=4)
    assert isinstance(opened, AugmentedEngine)
    assert (opened.engine, opened.copies, opened.knows_layers) == (engine, 4, True)
    with pytest.raises(UserError, match=r"^tta=3 must be one of 1, 2, 4, 8\.$"):
        open_engine("general", tta=3)
