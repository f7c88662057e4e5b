import numpy as np
import pytest

from tests.mark.conftest import CORNER, photograph, put
from wm_lightning.mark.likelihood import cauchy_scale, differences, energy, scale_around


@pytest.mark.parametrize("scale", [0.01, 0.2])
def test_the_scale_of_what_is_cauchy_distributed(scale):
    drawn = scale * np.random.default_rng(0).standard_cauchy(100_000)
    assert cauchy_scale(drawn) == pytest.approx(scale, rel=0.02)


def test_differences_are_to_the_left_and_upper_neighbour():
    ramp = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    across, down = differences(ramp)
    assert across.shape == (3, 3, 1)
    assert down.shape == (2, 4, 1)
    assert (across == 1).all()
    assert (down == 4).all()


def test_a_picture_is_likeliest_beneath_its_own_mark(letters):
    marked = put(photograph(0), letters).astype(np.float32) / 255
    part = slice(CORNER[0], CORNER[0] + 22), slice(CORNER[1], CORNER[1] + 62)
    scale = scale_around(marked, np.pad(letters.alpha > 0, ((38, 36), (34, 32))))
    energies = {
        share: energy(marked[part], share * letters.alpha, share * letters.paint, scale)
        for share in (0.5, 0.8, 1, 1.2, 1.5)
    }
    with_it, without, count = energies[1]
    assert count > 300
    assert with_it < without
    assert min(energies, key=lambda share: energies[share][0] - energies[share][1]) == 1
