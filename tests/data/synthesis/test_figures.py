import numpy as np
import pytest

from wm_lightning.data.synthesis import figures


@pytest.mark.parametrize("side", [17, 64])
def test_sparkle_has_four_points_and_is_slim_between_them(side):
    drawn = figures.sparkle(side)
    middle = side // 2
    for row, column in ((0, middle), (-1, middle), (middle, 0), (middle, -1)):
        assert drawn[row, max(0, column - 1) : column + 2 or None].any()
    assert drawn[middle, middle] == 255
    assert not drawn[: side // 5, : side // 5].any()
    assert 0.1 < (drawn > 127).mean() < 0.35
    assert np.abs(drawn.astype(int) - drawn[::-1]).mean() < 12


def test_code_has_three_finders_and_its_own_modules():
    drawn = figures.code(3, 21, 63)
    assert drawn.shape == (63, 63)
    modules = drawn[1::3, 1::3] > 0
    np.testing.assert_array_equal(np.repeat(np.repeat(modules, 3, 0), 3, 1), drawn > 0)
    finder = np.array([[1] * 7, [1, *[0] * 5, 1], *[[1, 0, 1, 1, 1, 0, 1]] * 3, [1, *[0] * 5, 1], [1] * 7])
    for part in (modules[:7, :7], modules[:7, -7:], modules[-7:, :7]):
        np.testing.assert_array_equal(part, finder)
    assert not modules[7, :8].any()
    assert 0.3 < modules[9:, 9:].mean() < 0.7
    np.testing.assert_array_equal(drawn, figures.code(3, 21, 63))
    assert not np.array_equal(drawn, figures.code(4, 21, 63))


@pytest.mark.parametrize(("form", "share"), [("square", 1), ("rounded", 0.98), ("circle", np.pi / 4), ("pill", 0.92)])
def test_plates_fill_their_box(form, share):
    drawn = figures.plate(form, 41, 121)
    for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert edge.max() > 120
    assert (drawn[0, 0] == 255) == (form == "square")
    assert drawn.mean() / 255 == pytest.approx(share, abs=0.03)
    assert drawn[20, 60] == 255


@pytest.mark.parametrize("form", ["square", "rounded", "circle", "pill"])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 3)])
def test_plates_can_be_as_small_as_a_pixel(form, size):
    assert figures.plate(form, *size).shape == size
    assert figures.plate(form, *size).any()


def test_lines_of_a_cell_go_on_in_the_next_one():
    cross = np.tile(figures.net("cross", 40, 60, 3), (2, 2))
    for step in np.linspace(5, 75, 30):
        assert cross[int(step), int(step * 1.5)] > 100
    grid = figures.net("grid", 40, 60, 3)
    assert grid[:3].all()
    assert grid[:, :3].all()
    assert not grid[3:, 3:].any()
    assert not figures.net("none", 8, 8, 1).any()
