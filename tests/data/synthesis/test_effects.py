import numpy as np
import pytest

from wm_lightning.data.synthesis.effects import REACH, painted, put, with_effect
from wm_lightning.data.synthesis.spec import BLACK, WHITE, Part, Shape

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def square():
    """A full square of 20 pixels with margins of 12."""
    plane = np.zeros((44, 44), dtype=np.uint8)
    plane[12:32, 12:32] = 255
    return plane


def part(**options):
    return Part(Shape("rectangle"), **options)


def test_painting_multiplies_colour_with_coverage_and_opacity():
    coverage = np.array([[0, 100, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(
        painted(coverage, (255, 51, 0)), [[[0, 0, 0, 0], [100, 20, 0, 100], [255, 51, 0, 255]]]
    )
    np.testing.assert_array_equal(painted(coverage, WHITE, 0.4)[0, :, 3], [0, 40, 102])


def test_gradient_leads_from_one_colour_at_the_top_to_another_at_the_bottom():
    drawn = painted(np.full((11, 3), 255, dtype=np.uint8), RED, gradient=BLUE)
    assert drawn[0, 0].tolist() == [255, 0, 0, 255]
    assert drawn[5, 0].tolist() == [128, 0, 128, 255]
    assert drawn[10, 0].tolist() == [0, 0, 255, 255]
    assert (np.diff(drawn[:, 0, 0].astype(int)) < 0).all()


def test_over_is_exact_and_never_brighter_than_its_coverage():
    generator = np.random.default_rng(0)
    planes = generator.integers(0, 256, (2, 9, 7), dtype=np.uint8)
    below, above = painted(planes[0], (200, 100, 0), 0.8), painted(planes[1], (10, 250, 90), 0.5)
    canvas = below.copy()
    put(canvas, above, 0, 0)
    exact = above + below * (1 - above[..., 3:] / 255)
    assert np.abs(canvas - exact).max() <= 0.5 + 1e-6
    assert (canvas[..., :3] <= canvas[..., 3:]).all()


@pytest.mark.parametrize(("top", "left"), [(-2, -3), (3, 4), (-9, 0), (9, 9), (1, 1)])
def test_what_reaches_over_the_canvas_is_cut_off(top, left):
    canvas = np.zeros((5, 6, 4), dtype=np.uint8)
    put(canvas, painted(np.full((4, 4), 255, dtype=np.uint8), WHITE), top, left)
    expected = np.zeros((5, 6), dtype=np.uint8)
    for row in range(max(0, top), min(5, top + 4)):
        for column in range(max(0, left), min(6, left + 4)):
            expected[row, column] = 255
    np.testing.assert_array_equal(canvas[..., 3], expected)


@pytest.mark.parametrize("effect", [effect for effect in REACH if effect not in ("none", "emboss")])
def test_effects_lie_around_a_drawing_and_not_below_it(square, effect):
    plain = with_effect(square, part(colour=RED, opacity=0.5), 0)
    drawn = with_effect(square, part(colour=RED, opacity=0.5, effect=effect, effect_colour=BLUE), 6)
    inside = square > 0
    np.testing.assert_array_equal(drawn[inside], plain[inside])
    around = drawn[~inside]
    assert around[:, 3].any()
    assert (drawn[..., :3] <= drawn[..., 3:]).all()
    assert not drawn[:4].any()  # an effect does not reach further than told
    assert not drawn[:, 40:, 3].any()


def test_outline_has_its_width_colour_and_opacity(square):
    drawn = with_effect(square, part(colour=WHITE, effect="outline", effect_colour=BLUE, effect_opacity=0.6), 5)
    assert drawn[22, 7].tolist() == [0, 0, 153, 153]
    assert drawn[22, 6].tolist() == [0, 0, 0, 0]
    hollow = with_effect(square, part(opacity=0.0, effect="outline"), 5)
    assert not hollow[square > 0].any()
    assert hollow[22, 7, 3] == 255


def test_shadow_lies_below_and_to_the_right(square):
    drawn = with_effect(square, part(effect="shadow"), 8)[..., 3].astype(int)
    assert drawn[33:, 33:].sum() > 0
    assert drawn[:12].sum() == drawn[:, :12].sum() == 0


def test_glow_fades_on_all_sides(square):
    drawn = with_effect(square, part(effect="glow", effect_colour=WHITE), 10)[..., 3].astype(int)
    np.testing.assert_array_equal(drawn, drawn[::-1, ::-1])
    falling = drawn[22, 31:42]
    assert (np.diff(falling) <= 0).all()
    assert len(set(falling.tolist())) > 4


def test_double_outline_has_the_second_colour_within_the_first(square):
    drawn = with_effect(square, part(colour=RED, effect="double", effect_colour=BLUE), 8)
    assert drawn[22, 10].tolist() == [0, 0, 255, 255]
    assert drawn[22, 5].tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize("own", [False, True])
def test_emboss_leaves_all_but_a_light_and_a_dark_edge_alone(square, own):
    given = np.dstack([square // 2, square, square // 3, square]) if own else square
    drawn = with_effect(given, part(effect="emboss", opacity=0.8), 3)
    assert drawn[13, 20].tolist() == [204, 204, 204, 204]
    assert drawn[30, 20].tolist() == [0, 0, 0, 204]
    assert not drawn[15:29, 15:29].any()
    assert not drawn[square == 0].any()


def test_drawings_keep_their_own_colours_unless_they_are_given_one(square):
    own = np.dstack([square // 2, square, square // 3, square])
    np.testing.assert_array_equal(with_effect(own, part(), 0), own)
    faint = with_effect(own, part(opacity=0.5), 0)
    assert faint[20, 20].tolist() == [64, 128, 42, 128]
    for colour in (WHITE, BLACK, RED):
        assert with_effect(own, part(colour=colour), 0)[20, 20].tolist() == [*colour, 255]
