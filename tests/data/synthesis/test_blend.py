import numpy as np
import pytest

from wm_lightning.data.synthesis.blend import Overlay, changed
from wm_lightning.data.synthesis.render import Layer, render
from wm_lightning.data.synthesis.spec import Shape, Text


def photograph(height=40, width=60, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def random_layer(height, width, top, left, seed):
    """As rendering makes them: no channel of the colour is above alpha, and parts are free."""
    generator = np.random.default_rng(seed)
    alpha = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    alpha[generator.uniform(size=(height, width)) < 0.3] = 0
    return Layer(alpha, (alpha * generator.uniform(size=(height, width, 3))).astype(np.uint8), top, left)


def even_layer(height, width, top, left, alpha, colour=0):
    even_alpha, even_colour = (np.full((height, width, 3), value, dtype=np.uint8) for value in (alpha, colour))
    return Layer(even_alpha, even_colour, top, left)


def overlay_of(*layers, height=40, width=60):
    overlay = Overlay(height, width)
    for layer in layers:
        assert overlay.put(layer)
    return overlay


@pytest.mark.parametrize(
    ("below", "alpha", "colour", "wanted"),
    [
        (100, 0, 0, 100),
        (100, 255, 200, 200),
        (0, 255, 255, 255),
        (255, 255, 0, 0),
        (200, 51, 20, 180),
        (255, 128, 128, 255),
        (255, 255, 255, 255),
        (10, 127, 0, 5),
    ],
)
def test_single_pixel(below, alpha, colour, wanted):
    overlay = overlay_of(even_layer(1, 1, 0, 0, alpha, colour), height=1, width=1)
    assert overlay.on(np.full((1, 1, 3), below, dtype=np.uint8)).ravel().tolist() == [wanted] * 3


def test_formula_holds_for_every_level_and_alpha():
    below, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    picture, alphas = np.dstack([below] * 3), np.dstack([alpha] * 3)
    for share in (0, 0.3, 1):
        colour = np.round(alphas * share).astype(np.uint8)
        out = overlay_of(Layer(alphas, colour, 0, 0), height=256, width=256).on(picture)
        exact = (1 - alphas / 255) * picture + colour
        assert np.abs(out - exact).max() <= 0.501


def test_channels_have_their_own_alpha_and_colour():
    layer = Layer(np.uint8([[[255, 0, 128]]]), np.uint8([[[10, 0, 128]]]), 0, 0)
    out = overlay_of(layer, height=1, width=1).on(np.uint8([[[100, 100, 100]]]))
    assert out.ravel().tolist() == [10, 100, 178]


def test_first_layer_is_taken_as_it_is():
    layer = random_layer(7, 9, 11, 23, seed=0)
    overlay = overlay_of(layer)
    for whole, part in ((overlay.alpha, layer.alpha), (overlay.colour, layer.colour)):
        np.testing.assert_array_equal(whole[11:18, 23:32], part)


def test_nothing_outside_the_box_is_touched():
    overlay = overlay_of(random_layer(7, 9, 11, 23, seed=0))
    out = overlay.on(photograph())
    outside = np.ones((40, 60), dtype=bool)
    outside[11:18, 23:32] = False
    np.testing.assert_array_equal(out[outside], photograph()[outside])
    assert not overlay.alpha[outside].any()
    assert not overlay.colour[outside].any()


@pytest.mark.parametrize("seed", range(5))
def test_layers_compose_as_if_put_on_the_photograph_one_after_the_other(seed):
    layers = [
        random_layer(40, 60, 0, 0, seed), random_layer(20, 25, 5, 8, seed + 10), random_layer(30, 30, 10, 30, seed + 20)
    ]  # fmt: skip
    exact = photograph(seed=seed).astype(float)
    for layer in layers:
        height, width = layer.alpha.shape[:2]
        box = slice(layer.top, layer.top + height), slice(layer.left, layer.left + width)
        exact[box] = (1 - layer.alpha / 255) * exact[box] + layer.colour
    out = overlay_of(*layers).on(photograph(seed=seed))
    assert np.abs(out - exact).max() <= 2


def test_later_layers_lie_on_top():
    overlay = overlay_of(even_layer(10, 10, 0, 0, 255, 50), even_layer(10, 10, 5, 5, 255, 200))
    out = overlay.on(photograph())
    assert (out[:5, :10] == 50).all()
    assert (out[5:15, 5:15] == 200).all()


def test_photograph_is_never_written_to():
    picture = photograph()
    picture.flags.writeable = False
    out = overlay_of(random_layer(40, 60, 0, 0, seed=1)).on(picture)
    assert out is not picture
    assert not np.array_equal(out, picture)
    np.testing.assert_array_equal(picture, photograph())


def test_photograph_without_marks_stays_what_it_is():
    np.testing.assert_array_equal(Overlay(40, 60).on(photograph()), photograph())


def test_part_of_a_larger_photograph_can_be_marked():
    large = photograph(100, 200)
    overlay = overlay_of(random_layer(40, 60, 0, 0, seed=1))
    for part in (large[20:60, 30:90], large[40:0:-1, 70:10:-1], large[::2, ::3][:40, :60]):
        np.testing.assert_array_equal(overlay.on(part), overlay.on(part.copy()))


@pytest.mark.parametrize("art", [Shape("rectangle", 0.5), Text("Sample", "NotoSans-Regular.ttf")])
@pytest.mark.parametrize("blend", ["normal", "screen", "multiply"])
def test_rendered_marks_blend_by_the_formula(mark, art, blend):
    layer = render(mark(art=art, opacity=0.6, angle=25, colour=(9, 99, 250), blend=blend), 40, 60)
    out = overlay_of(layer).on(photograph())
    height, width = layer.alpha.shape[:2]
    box = slice(layer.top, layer.top + height), slice(layer.left, layer.left + width)
    exact = (1 - layer.alpha / 255) * photograph()[box] + layer.colour
    assert layer.alpha.max() > 75
    assert np.abs(out[box] - exact).max() <= 0.501


def test_layer_that_lies_outside_changes_nothing(mark):
    overlay = overlay_of(render(mark(center=(3, 3)), 40, 60))
    assert overlay.coverage == 0
    np.testing.assert_array_equal(overlay.on(photograph()), photograph())


def test_coverage_is_the_share_under_marks_and_overlaps_count_once():
    overlay = Overlay(10, 10)
    assert overlay.coverage == 0
    overlay.put(even_layer(5, 4, 0, 0, 1))
    assert overlay.coverage == 0.2
    overlay.put(even_layer(5, 4, 0, 2, 255))
    assert overlay.coverage == 0.3
    sparse = np.zeros((5, 5, 3), dtype=np.uint8)
    sparse[0, 0, 2] = 1  # one channel is enough
    overlay.put(Layer(sparse, np.zeros_like(sparse), 5, 5))
    assert overlay.coverage == 0.31
    assert overlay.coverage == np.count_nonzero(overlay.alpha.any(axis=2)) / 100


def test_layer_over_the_cap_is_refused_and_leaves_the_overlay_as_it_was():
    overlay = overlay_of(random_layer(5, 4, 0, 0, seed=3), height=10, width=10)
    before = overlay.alpha.copy(), overlay.colour.copy(), overlay.coverage
    assert not overlay.put(even_layer(6, 6, 2, 2, 200, 100), most=0.4)
    np.testing.assert_array_equal(overlay.alpha, before[0])
    np.testing.assert_array_equal(overlay.colour, before[1])
    assert overlay.coverage == before[2]
    assert overlay.put(even_layer(6, 6, 2, 2, 200, 100), most=0.6)


def test_cap_may_be_reached_exactly_and_what_is_covered_already_is_free():
    overlay = Overlay(10, 10)
    assert not overlay.put(even_layer(5, 6, 0, 0, 9), most=0.29)
    assert overlay.put(even_layer(5, 6, 0, 0, 9), most=0.3)
    assert overlay.put(even_layer(5, 6, 0, 0, 9), most=0.3)
    assert not overlay.put(even_layer(1, 1, 9, 9, 9), most=0.3)
    assert overlay.put(even_layer(1, 1, 9, 9, 0), most=0.3)  # nothing to be seen


def test_layers_put_are_not_written_to():
    layer = random_layer(40, 60, 0, 0, seed=3)
    for plane in layer[:2]:
        plane.flags.writeable = False
    overlay_of(layer, random_layer(40, 60, 0, 0, seed=4), layer)


@pytest.mark.parametrize("threshold", [0, 1, 4, 40, 254, 255])
def test_changed_is_where_any_channel_differs_by_more_than_the_threshold(threshold):
    before = photograph()
    steps = np.random.default_rng(1).choice([-300, -41, -5, -1, 0, 0, 0, 0, 1, 2, 4, 5, 40, 300], before.shape)
    after = (before + steps).clip(0, 255).astype(np.uint8)
    wanted = (np.abs(before.astype(int) - after) > threshold).any(axis=2)
    found = changed(before, after, threshold)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, wanted)
    assert wanted.any() == (threshold < 255)


def test_changed_takes_every_difference_without_a_threshold():
    before = np.zeros((2, 3, 3), dtype=np.uint8)
    after = before.copy()
    after[0, 1, 2] = 1
    after[1, 0] = 255
    assert changed(before, after).tolist() == [[False, True, False], [True, False, False]]


def test_layer_beside_another_is_taken_as_it_is_and_keeps_it():
    overlay = Overlay(20, 20)
    ring = even_layer(12, 12, 0, 0, 200, 90)
    ring.alpha[2:-2, 2:-2] = ring.colour[2:-2, 2:-2] = 0
    assert overlay.put(ring)
    assert overlay.put(even_layer(4, 4, 4, 4, 100, 50))  # in its opening: nothing below
    assert overlay.put(even_layer(4, 4, 14, 14, 30, 20))
    assert (overlay.alpha[4:8, 4:8] == 100).all()
    assert (overlay.colour[14:18, 14:18] == 20).all()
    np.testing.assert_array_equal(overlay.alpha[:2, :12], 200)
    assert overlay.coverage == (144 - 64 + 16 + 16) / 400


def test_a_layer_over_part_of_another_keeps_what_shows_through():
    overlay = Overlay(10, 10)
    overlay.put(even_layer(10, 5, 0, 0, 200, 90))
    overlay.put(even_layer(10, 10, 0, 0, 0, 0))  # nothing to be seen, over a part that is covered
    assert (overlay.alpha[:, :5] == 200).all()
    assert overlay.coverage == 0.5
