from dataclasses import replace
from math import cos, radians, sin

import cv2
import numpy as np
import pytest
from PIL import Image

from wm_lightning.data.synthesis.render import render
from wm_lightning.data.synthesis.spec import Emblem, Logo, MarkSpec, Shape, Text, Tiling

SQUARE = Shape("rectangle")
ARTS = {
    "text": Text("Sample", "NotoSans-Regular.ttf"),
    "outline": Text("Sample", "NotoSans-Bold.ttf", "outline"),
    "shadow": Text("Two\nlines", "NotoSerif-Regular.ttf", "shadow"),
    "emboss": Text("Образец", "NotoSans-Bold.ttf", "emboss"),
    "spaced": Text("Sample", "NotoSans-Regular.ttf", spacing=0.3),
    "emblem": Emblem("ring", "mountain", "NotoSans-Bold.ttf", caption="Zumalo", thickness=0.0),
    "line": Shape("line", 0.02),
    "rectangle": Shape("rectangle", 0.4, 0.05),
    "circle": Shape("circle", 0.6),
}


def on_canvas(layer, height, width, plane="alpha"):
    """The layer's alpha or colour on the whole picture, (height, width, 3)."""
    canvas = np.zeros((height, width, 3), dtype=int)
    rows, columns = layer.alpha.shape[:2]
    canvas[layer.top : layer.top + rows, layer.left : layer.left + columns] = getattr(layer, plane)
    return canvas


def alpha_of(spec, height, width):
    """One plane, after checking that the three are equal."""
    canvas = on_canvas(render(spec, height, width), height, width)
    assert (canvas == canvas[..., :1]).all()
    return canvas[..., 0]


def box(height, width, top, bottom, left, right):
    expected = np.zeros((height, width), dtype=int)
    expected[top:bottom, left:right] = 255
    return expected


@pytest.fixture
def half_logo(tmp_path):
    """Left red and half transparent, right opaque blue."""
    pixels = np.zeros((32, 64, 4), dtype=np.uint8)
    pixels[:, :32], pixels[:, 32:] = (255, 0, 0, 128), (0, 0, 255, 255)
    Image.fromarray(pixels).save(tmp_path / "logo.png")
    return Logo(str(tmp_path / "logo.png"))


def test_rectangle_covers_exactly_its_pixels(mark):
    # The longer side is half of 40, the shorter half of that, around (20, 30).
    layer = render(mark(), 40, 60)
    np.testing.assert_array_equal(on_canvas(layer, 40, 60)[..., 0], box(40, 60, 15, 25, 20, 40))
    assert layer.alpha.shape == (10, 20, 3)
    np.testing.assert_array_equal(layer.colour, np.full((10, 20, 3), 255))


def test_centre_is_x_then_y(mark):
    alpha = alpha_of(mark(art=SQUARE, center=(0.75, 0.25), size=0.2), 40, 80)
    np.testing.assert_array_equal(alpha, box(40, 80, 6, 14, 56, 64))


@pytest.mark.parametrize(("height", "width"), [(100, 300), (300, 100), (100, 100)])
@pytest.mark.parametrize(
    ("natural", "aspect", "rows", "columns"),
    [(1, None, 80, 80), (0.5, None, 40, 80), (0.5, 1, 80, 80), (0.5, 2, 80, 40), (1, 0.25, 20, 80), (2, None, 80, 40)],
)
def test_size_is_the_longer_side_also_with_another_aspect(mark, height, width, natural, aspect, rows, columns):
    layer = render(mark(art=Shape("rectangle", natural), size=0.8, aspect=aspect), height, width)
    assert layer.alpha.shape == (rows, columns, 3)
    assert layer.alpha.min() > 127  # its edges are soft where it is stretched beyond its drawing
    assert layer.alpha[2:-2, 2:-2].min() == 255


@pytest.mark.parametrize("size", [0.11, 0.3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("name", ["text", "shadow", "emblem", "circle", "line"])
def test_longer_side_of_any_art_is_the_size(mark, name, size):
    layer = render(mark(art=ARTS[name], size=size), 250, 300)
    assert max(layer.alpha.shape) == pytest.approx(250 * size, abs=2)


def test_angle_turns_counterclockwise(mark):
    # Only the right half is there; a quarter turn counterclockwise takes it to the top, and so on.
    half = {"size": 0.5, "occlusion": (0.0, 0.0, 0.5, 1.0)}
    for angle, place in {
        0: (15, 25, 20, 30), 90: (10, 20, 15, 25), 180: (15, 25, 10, 20), 270: (20, 30, 15, 25), -90: (20, 30, 15, 25),
    }.items():  # fmt: skip
        np.testing.assert_allclose(alpha_of(mark(**half, angle=angle), 40, 40), box(40, 40, *place), atol=1)


def test_turning_keeps_the_area_and_the_centre(mark):
    alpha = alpha_of(mark(art=Shape("rectangle", 0.4), angle=30), 200, 200)
    assert alpha.sum() / 255 == pytest.approx(100 * 40, rel=0.02)
    rows, columns = np.mgrid[:200, :200] + 0.5
    assert (alpha * rows).sum() / alpha.sum() == pytest.approx(100, abs=0.3)
    assert (alpha * columns).sum() / alpha.sum() == pytest.approx(100, abs=0.3)
    # Its longer axis points up to the right: rows fall where columns grow.
    slope = (alpha * (rows - 100) * (columns - 100)).sum() / (alpha * (columns - 100) ** 2).sum()
    assert slope < -0.3


@pytest.mark.parametrize("opacity", [0.01, 0.1, 0.35, 0.5, 0.999, 1.0])
def test_opacity_is_the_alpha_to_one_level(mark, opacity):
    alpha = alpha_of(mark(opacity=opacity), 40, 60)
    np.testing.assert_allclose(alpha, opacity * box(40, 60, 15, 25, 20, 40), atol=1)


def test_alpha_field_is_stretched_over_the_picture(mark):
    field = np.array([[1.0, 0.2, 0.6], [0.4, 0.8, 0.0]])
    # Samples lie at the middles of equal parts, the ends held.
    down = np.interp((np.arange(20) + 0.5) / 20, [0.25, 0.75], [0, 1])[:, None]
    across = (np.arange(60) + 0.5) / 60
    upper, lower = (np.interp(across, [1 / 6, 0.5, 5 / 6], row) for row in field)
    expected = 255 * 0.8 * ((1 - down) * upper + down * lower)
    spec = {"alpha_field": tuple(map(tuple, field.tolist())), "opacity": 0.8, "art": SQUARE}
    np.testing.assert_allclose(alpha_of(mark(**spec, size=4), 20, 60), expected, atol=2)
    # It belongs to the picture: a mark elsewhere has there what a mark all over has.
    elsewhere = alpha_of(mark(**spec, size=0.4, center=(0.8, 0.4)), 20, 60)
    np.testing.assert_allclose(elsewhere[4:12, 44:52], expected[4:12, 44:52], atol=2)
    assert not elsewhere[:, :44].any()


def test_occluded_part_is_missing(mark):
    alpha = alpha_of(mark(size=0.4, occlusion=(0.25, 0.0, 0.5, 0.5)), 80, 80)
    np.testing.assert_array_equal(alpha, box(80, 80, 32, 48, 24, 56) - box(80, 80, 32, 40, 32, 40))


@pytest.mark.parametrize("side", [80, 800])
def test_part_that_is_missing_once_is_there_the_next_time(mark, side, forget):
    spec = mark(art=ARTS["text"], size=0.9)
    forget()
    whole = alpha_of(spec, side, side)
    assert alpha_of(replace(spec, occlusion=(0, 0, 0.5, 1)), side, side).sum() < whole.sum()
    np.testing.assert_array_equal(alpha_of(spec, side, side), whole)


@pytest.mark.parametrize("center", [(0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1), (0, 0), (1, 1), (0.9, 0.2)])
def test_clipping_shows_the_right_part_of_the_mark(mark, center):
    spec = {"art": ARTS["outline"], "size": 0.8, "angle": 20, "colour": (255, 0, 0)}
    whole, moved = (render(mark(**spec, center=place), 100, 100) for place in ((0.5, 0.5), center))
    down, right = (round(100 * (share - 0.5)) for share in (center[1], center[0]))
    for plane in ("alpha", "colour"):
        before, after = on_canvas(whole, 100, 100, plane), on_canvas(moved, 100, 100, plane)
        expected = np.zeros_like(before)
        expected[max(0, down) : 100 + min(0, down), max(0, right) : 100 + min(0, right)] = before[
            max(0, -down) : 100 - max(0, down), max(0, -right) : 100 - max(0, right)
        ]
        np.testing.assert_allclose(after, expected, atol=9)  # OpenCV places pixels to a 32nd
        assert 0 < after.sum() < before.sum()


@pytest.mark.parametrize("center", [(-1, 0.5), (2, 0.5), (0.5, -1), (0.5, 2), (3, 3)])
def test_mark_outside_the_picture_is_empty(mark, center):
    layer = render(mark(center=center), 40, 40)
    assert layer.alpha.size == layer.colour.size == 0


@pytest.mark.parametrize("name", ["text", "outline", "emblem", "circle", "rectangle"])
def test_equal_spec_on_a_larger_picture_is_the_same_mark_larger(mark, name):
    spec = mark(art=ARTS[name], size=0.8, angle=17, center=(0.6, 0.45), opacity=0.9, colour=(255, 160, 0))
    small, large = render(spec, 160, 240), render(spec, 320, 480)
    for plane in ("alpha", "colour"):
        reduced = on_canvas(large, 320, 480, plane).reshape(160, 2, 240, 2, 3).mean(axis=(1, 3))
        difference = np.abs(reduced - on_canvas(small, 160, 240, plane))
        assert difference.mean() < 0.03 * 255  # lines have whole pixels, and small letters are hinted
        assert reduced.max() > 100


def test_logo_keeps_its_own_colours_or_is_tinted(mark, half_logo):
    own = render(mark(art=half_logo, colour=None, opacity=0.5), 64, 64)
    np.testing.assert_allclose(own.alpha[8, [4, 27], 0], [64, 128], atol=1)
    np.testing.assert_allclose(own.colour[8, [4, 27]], [(64, 0, 0), (0, 0, 128)], atol=1)
    tinted = render(mark(art=half_logo, colour=(0, 255, 100), opacity=0.5), 64, 64)
    np.testing.assert_array_equal(tinted.alpha, own.alpha)
    np.testing.assert_allclose(tinted.colour[8, [4, 27]], [(0, 64, 25), (0, 128, 50)], atol=1)


def test_all_else_is_white_without_a_colour(mark):
    layer = render(mark(art=ARTS["text"], colour=None), 64, 64)
    np.testing.assert_array_equal(layer.colour, layer.alpha)


@pytest.mark.parametrize("name", ["outline", "shadow", "emboss"])
@pytest.mark.parametrize("opacity", [1.0, 0.5])
def test_second_colour_shows_only_where_the_first_leaves_it_free(mark, name, opacity):
    spec = {"art": ARTS[name], "size": 0.9, "opacity": opacity, "angle": 10}
    layer = render(mark(**spec, colour=(255, 0, 0), second_colour=(0, 255, 0)), 200, 200)
    first, second = layer.colour[..., 0].astype(int), layer.colour[..., 1].astype(int)
    full = round(255 * opacity)
    assert first.max() == second.max() == pytest.approx(full, abs=1)
    assert not layer.colour[..., 2].any()
    np.testing.assert_allclose(layer.alpha[..., 0], first + second, atol=1)
    assert layer.alpha.max() <= full + 1
    assert second[first >= full].max() <= 1  # also where the mark is half transparent
    # The first colour lies where it does without a second.
    alone = render(mark(**spec, colour=(255, 0, 0), second_colour=(0, 0, 0)), 200, 200)
    np.testing.assert_array_equal(alone.colour[..., 0], first)
    np.testing.assert_array_equal(alone.alpha, layer.alpha)


@pytest.mark.parametrize("name", ["text", "outline", "emboss", "emblem", "circle", "logo"])
@pytest.mark.parametrize("blend", ["normal", "screen", "multiply"])
def test_blend_modes_agree_with_their_formulas(mark, half_logo, name, blend):
    art = half_logo if name == "logo" else ARTS[name]
    colour = None if name == "logo" else (200, 90, 30)
    spec = {"art": art, "size": 0.9, "angle": 25, "opacity": 0.7, "colour": colour, "second_colour": (20, 60, 250)}
    photograph = np.random.default_rng(0).integers(0, 256, (100, 100, 3)) / 255
    normal = render(mark(**spec), 100, 100)
    coverage, painted = (on_canvas(normal, 100, 100, plane) / 255 for plane in ("alpha", "colour"))
    wanted = {
        "normal": (1 - coverage) * photograph + painted,
        "screen": 1 - (1 - photograph) * (1 - painted),
        "multiply": photograph * (1 - coverage + painted),  # a (1 - c) is coverage without what is painted
    }[blend]
    layer = render(mark(**spec, blend=blend), 100, 100)
    alpha, put = (on_canvas(layer, 100, 100, plane) / 255 for plane in ("alpha", "colour"))
    np.testing.assert_allclose(255 * ((1 - alpha) * photograph + put), 255 * wanted, atol=1.5)


def tiled_rectangles(spec, height, width, period, shift, mark_size):
    """How deep each pixel lies in a tiled rectangle by geometry, in pixels; negative outside."""
    turn = radians(spec.angle)
    rows, columns = np.mgrid[:height, :width] + 0.5
    x, y = columns - spec.center[0] * width, rows - spec.center[1] * height
    across, down = x * cos(turn) - y * sin(turn), x * sin(turn) + y * cos(turn)
    number = np.round(down / period[1])
    down -= number * period[1]
    across -= shift * (number % 2)
    across -= np.round(across / period[0]) * period[0]
    return np.minimum(mark_size[0] / 2 - np.abs(across), mark_size[1] / 2 - np.abs(down))


@pytest.mark.parametrize("angle", [0, 90, 33, -45, 160, 271.5])
@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("center", [(0.5, 0.5), (0.03, 0.98)])
def test_repetitions_lie_where_geometry_says_on_the_whole_picture(mark, angle, shift, center):
    # 12 x 6 on 120 x 90, 6 apart across and 9 down.
    spec = mark(size=12 / 90, angle=angle, center=center, tiling=Tiling((0.5, 0.75), shift))
    alpha = alpha_of(spec, 90, 120)
    depth = tiled_rectangles(spec, 90, 120, (18, 15), 18 * shift, (12, 6))
    assert alpha[depth > 1].min() == 255
    assert alpha[depth < -1].max() == 0
    assert (depth > 1).mean() > 0.1


def test_tiled_mark_has_the_period_and_the_shift_asked_for(mark):
    spec = mark(size=16 / 64, opacity=0.5, art=ARTS["circle"], tiling=Tiling((0.5, 0.25), 0.5))
    alpha = alpha_of(spec, 64, 160)
    single = render(mark(size=16 / 64, art=ARTS["circle"]), 64, 160).alpha.shape
    right, down = single[1] + 8, single[0] + 4
    np.testing.assert_allclose(alpha[:, right:], alpha[:, :-right], atol=1)
    np.testing.assert_allclose(alpha[down:, right // 2 :], alpha[:-down, : -(right // 2)], atol=1)
    np.testing.assert_allclose(alpha[2 * down :], alpha[: -2 * down], atol=1)
    assert np.abs(alpha[down:] - alpha[:-down]).max() > 100


@pytest.mark.parametrize("kind", ["grid", "bars"])
def test_grids_and_bars_run_over_the_whole_picture(mark, kind):
    spec = mark(art=Shape(kind, thickness=0.125), size=0.5, tiling=Tiling(), center=(0.25, 0.5))
    alpha = alpha_of(spec, 64, 96)
    # A cell of 32 pixels lies around (24, 32), its lines of 4 at its upper and left edges.
    lines = np.zeros((64, 96), dtype=int)
    lines[16:20] = lines[48:52] = 255
    if kind == "grid":
        for left in (8, 40, 72):
            lines[:, left : left + 4] = 255
    np.testing.assert_array_equal(alpha, lines)


@pytest.mark.parametrize("tiling", [None, Tiling((0.3, 0.3), 0.5)])
@pytest.mark.parametrize("name", [*ARTS, "grid"])
def test_smallest_and_thinnest_pictures_get_a_layer_within_them(mark, name, tiling):
    art = ARTS.get(name, Shape("grid", thickness=0.05))
    for height, width in ((1, 1), (2, 2), (3, 3), (1, 200), (200, 1), (3, 150)):
        for size, angle, aspect in ((0.01, 0, None), (1, 37, 0.2), (4, -120, 5)):
            layer = render(mark(art=art, size=size, angle=angle, aspect=aspect, tiling=tiling), height, width)
            assert layer.alpha.shape == layer.colour.shape
            assert layer.alpha.dtype == layer.colour.dtype == np.uint8
            assert layer.top + layer.alpha.shape[0] <= height
            assert layer.left + layer.alpha.shape[1] <= width


@pytest.mark.parametrize(("height", "width", "size"), [(150, 190, 4.0), (2500, 2000, 0.9), (12, 6000, 1.0)])
def test_large_pictures_can_be_marked(mark, height, width, size):
    for options in ({"angle": 30}, {"angle": 5, "tiling": Tiling((0.5, 0.5))}):
        layer = render(mark(art=ARTS["outline"], size=size, **options), height, width)
        assert layer.alpha.max() > 200


def test_a_disc_larger_than_its_picture_covers_it(mark):
    disc = render(mark(art=Shape("circle"), size=4), 1500, 1500).alpha
    assert disc.shape == (1500, 1500, 3)
    assert disc.min() == 255


@pytest.mark.parametrize("name", ARTS)
def test_equal_specs_give_equal_pixels_whatever_was_drawn_before(name, forget):
    spec = MarkSpec(ARTS[name], angle=13.3, size=0.7, occlusion=(0.1, 0.2, 0.4, 1), colour=(10, 200, 30))
    forget()
    first = render(spec, 90, 70)
    for other in ARTS.values():  # also the same art in other sizes
        render(MarkSpec(other, size=0.6, tiling=Tiling()), 81, 137)
    second = render(spec, 90, 70)
    forget()
    for again in (second, render(spec, 90, 70)):
        for plane in ("alpha", "colour"):
            np.testing.assert_array_equal(getattr(first, plane), getattr(again, plane))
        assert first[2:] == again[2:]


def test_number_of_threads_does_not_matter(mark):
    threads = cv2.getNumThreads()
    drawn = []
    for count in (1, 3):
        cv2.setNumThreads(count)
        drawn.append(render(mark(art=ARTS["emblem"], angle=40, size=1.5, tiling=Tiling((0.1, 0.1))), 300, 400).alpha)
    cv2.setNumThreads(threads)
    np.testing.assert_array_equal(*drawn)


def test_strongly_reduced_stripes_become_an_even_grey(mark, monkeypatch):
    board = np.zeros((1024, 1024, 1), dtype=np.uint8)
    board[::2] = 255  # passed over, it would be black or white
    monkeypatch.setattr("wm_lightning.data.synthesis.render.stencil", lambda art, pixels: board)
    for size in (0.3, 0.5, 0.55, 0.9):
        alpha = render(mark(art=Shape("rectangle"), size=size), 100, 100).alpha[3:-3, 3:-3, 0].astype(int)
        assert np.abs(alpha - 127).max() <= 3


def test_tiled_emblem_has_the_period_and_the_shift_asked_for(mark):
    art = Emblem("ring", "mountain", "NotoSans-Bold.ttf")  # 16 pixels square on this picture
    spec = mark(size=16 / 64, opacity=0.5, art=art, tiling=Tiling((0.5, 0.25), 0.5))
    alpha = render(spec, 64, 160).alpha[..., 0].astype(int)
    np.testing.assert_allclose(alpha[:, 24:], alpha[:, :-24], atol=1)
    np.testing.assert_allclose(alpha[20:, 12:], alpha[:-20, :-12], atol=1)
    np.testing.assert_allclose(alpha[40:], alpha[:-40], atol=1)
    assert np.abs(alpha[20:] - alpha[:-20]).max() > 100
