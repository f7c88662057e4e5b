from typing import get_args

import numpy as np
import pytest

from wm_lightning.data.synthesis import emblems
from wm_lightning.data.synthesis.emblems import draw_emblem, ellipse
from wm_lightning.data.synthesis.spec import Emblem, Frame, Symbol

FONT = "NotoSans-Bold.ttf"
FRAMES, SYMBOLS = get_args(Frame), get_args(Symbol)
# Area of a filled frame as a share of its square.
AREAS = {
    "disc": np.pi / 4, "ring": np.pi / 4, "square": 1.0, "rounded": 1 - (4 - np.pi) * 0.2**2,
    "hexagon": 3 * 3**0.5 / 8, "diamond": 0.5,
}  # fmt: skip


def emblem(frame="disc", symbol="star", pixels=128, **options):
    return draw_emblem(Emblem(frame, symbol, FONT, **{"initials": "AB", **options}), pixels)


def extent(plane):
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_frame_goes_with_every_symbol(frame, symbol):
    for thickness in (0.0, 0.04, 0.1):
        plane = emblem(frame, symbol, thickness=thickness)
        assert plane.shape == (128, 128)
        assert plane.dtype == np.uint8
        assert plane.max() == 255
        assert 0.02 < plane.mean() / 255 < 0.98


def test_every_combination_looks_different():
    drawn = [emblem(frame, symbol, 64).tobytes() for frame in FRAMES for symbol in SYMBOLS]
    assert len(set(drawn)) == len(FRAMES) * len(SYMBOLS)


@pytest.mark.parametrize("frame", AREAS)
def test_filled_frame_has_its_area_with_the_symbol_cut_out(frame):
    whole = emblem(frame, thickness=0.0).astype(float)
    # A symbol that is too small to count: initials of one narrow stroke.
    nearly_whole = emblem(frame, "initials", initials=".", thickness=0.0).astype(float)
    corner = nearly_whole.copy()
    corner[38:90, 38:90] = 255  # the symbol lies within
    assert corner.mean() / 255 == pytest.approx(AREAS[frame], abs=0.02)
    assert whole[64, 64] == 0  # a star's middle
    assert (whole <= corner + 1e-9).all()


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if frame != "none"])
def test_cut_out_symbol_is_the_same_as_the_drawn_one(frame):
    inside = slice(48, 80)
    cut, drawn = (emblem(frame, "star", thickness=value)[inside, inside] for value in (0.0, 0.04))
    np.testing.assert_array_equal(cut, 255 - drawn)


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if frame != "none"])
def test_thicker_lines_cover_more(frame):
    thin, thick = (emblem(frame, thickness=value).mean() for value in (0.04, 0.1))
    assert thin < thick


def test_square_frame_is_a_line_of_its_thickness_along_the_edges():
    plane = emblem("square", thickness=0.0625)
    edges = np.ones((128, 128), dtype=bool)
    edges[8:-8, 8:-8] = False
    assert (plane[edges] == 255).all()
    assert not plane[8:20].any(axis=0)[8:-8].any()


def test_ring_has_a_second_circle_inside():
    def crossings(frame):
        middle = emblem(frame, "initials", initials="I", thickness=0.06)[64, :40] > 127
        return np.count_nonzero(np.diff(middle.astype(int), prepend=0) == 1)

    assert crossings("disc") == 1
    assert crossings("ring") == 2


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_symbol_without_a_frame_fills_the_square(symbol):
    top, bottom, left, right = extent(emblem("none", symbol, initials="M"))
    assert max(bottom - top, right - left) >= 0.75 * 128


def test_disc_is_the_same_from_all_sides():
    plane = emblem("disc", "initials", initials=".", thickness=0.06).astype(int)
    plane[40:88, 40:88] = 0
    for turned in (plane[::-1], plane[:, ::-1], plane.T):
        assert np.abs(turned - plane).max() < 128  # OpenCV's edges are not quite symmetrical


def test_shield_stands_on_its_point():
    plane = emblem("shield", thickness=0.0)
    assert (plane[10] > 0).sum() > 2 * (plane[-6] > 0).sum()


def test_initials_are_what_is_written():
    one, two = emblem(symbol="initials", initials="A"), emblem(symbol="initials", initials="Q")
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(emblem(symbol="star", initials="A"), emblem(symbol="star", initials="Q"))


@pytest.mark.parametrize("caption", ["Zumalo", "A", "A VERY LONG NAME OF A COMPANY"])
@pytest.mark.parametrize("pixels", [64, 300])
def test_caption_stands_below_and_the_whole_keeps_its_size(caption, pixels):
    plane = emblem("square", caption=caption, pixels=pixels)
    assert max(plane.shape) == pytest.approx(pixels, abs=2 + 0.04 * pixels)
    # The badge touches the top; a gap is free of ink from side to side; the caption touches the bottom.
    inked = plane.any(axis=1)
    assert inked[0]
    assert inked[-3:].any()
    gaps = np.flatnonzero(np.diff(inked.astype(int)) == -1)
    assert gaps.size
    assert gaps[-1] > 0.5 * pixels


def test_badge_and_caption_share_their_middle():
    plane = emblem("disc", caption="Zumalo", pixels=256)
    below = np.flatnonzero(~plane.any(axis=1))[-1]
    for part in (plane[:below], plane[below + 1 :]):
        _, _, left, right = extent(part)
        assert (left + right) / 2 == pytest.approx(plane.shape[1] / 2, abs=4)


@pytest.mark.parametrize("pixels", [1, 2, 3, 5, 8, 13])
def test_smallest_emblems_can_be_drawn(pixels):
    for frame in FRAMES:
        for symbol in SYMBOLS:
            for options in ({"thickness": 0.0}, {"thickness": 0.1}, {"caption": "Name"}):
                plane = emblem(frame, symbol, pixels, **options)
                assert plane.ndim == 2
                assert plane.size


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9), (2, 2), (9, 1), (40, 20), (41, 21), (64, 64)])
def test_ellipse_touches_all_four_sides(width, height):
    plane = ellipse(width, height)
    assert plane.shape == (height, width)
    for side in (plane[0], plane[-1], plane[:, 0], plane[:, -1]):
        assert side.max() > 0
    if min(width, height) >= 20:
        assert plane.mean() / 255 == pytest.approx(np.pi / 4, rel=0.05)


@pytest.mark.parametrize("frame", ["none", "disc", "ring", "rounded", "shield"])
@pytest.mark.parametrize("thickness", [0.0, 0.1])
def test_what_is_drawn_upon_does_not_come_back(frame, thickness):
    art = Emblem(frame, "leaf", FONT, thickness=thickness)
    first = draw_emblem(art, 128)
    before = first.copy()
    first[...] = 77
    np.testing.assert_array_equal(draw_emblem(art, 128), before)


def test_large_emblems_are_not_remembered(forget):
    forget()
    draw_emblem(Emblem("ring", "star", FONT), 2048)
    sizes = [function.cache_info().currsize for function in (emblems._remembered_lines, emblems._remembered_symbol)]
    assert sizes == [0, 0]


@pytest.mark.parametrize("caption", ["A", "Zumalo", "A VERY LONG NAME OF A COMPANY"])
def test_badge_has_one_side_and_a_caption_at_most_a_fifth(caption):
    plane = draw_emblem(Emblem("square", "star", FONT, caption=caption), 300)
    inked = plane.any(axis=1)
    side = np.flatnonzero(~inked)[0]  # the badge touches the top
    assert side == 300 - 60 - 18
    assert plane.shape[0] - side - 18 <= 60
    assert not inked[side : side + 18].any()
