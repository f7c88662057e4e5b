import numpy as np
import pytest

from wm_lightning.data.synthesis.blend import blend, changed
from wm_lightning.data.synthesis.render import Layer, render


def photograph(height=40, width=60, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("below", "colour", "alpha", "wanted"),
    [
        (100, 200, 0.25, 125),
        (200, 100, 0.25, 175),
        (0, 255, 1, 255),
        (255, 0, 1, 0),
        (37, 255, 0, 37),
        (10, 20, 0.04, 10),
        (10, 20, 0.06, 11),
        (255, 255, 0.7, 255),
        (0, 0, 0.7, 0),
        (255, 0, 0.999, 0),
    ],
)
def test_single_pixel(below, colour, alpha, wanted):
    image = np.full((1, 1, 3), below, dtype=np.uint8)
    blend(image, Layer(np.array([[alpha]], dtype=np.float32), (colour,) * 3, 0, 0))
    assert image.ravel().tolist() == [wanted] * 3


def test_formula_holds_for_every_level():
    below, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.linspace(0, 1, 101, dtype=np.float32))
    image = np.stack([below] * 3, axis=2)
    blend(image, Layer(alpha, (0, 128, 255), 0, 0))
    for channel, colour in enumerate((0, 128, 255)):
        exact = (1 - alpha.astype(float)) * below + alpha.astype(float) * colour
        assert np.abs(image[..., channel] - exact).max() <= 0.501


def test_channels_take_their_own_colour():
    image = np.zeros((1, 1, 3), dtype=np.uint8)
    blend(image, Layer(np.ones((1, 1), dtype=np.float32), (10, 20, 30), 0, 0))
    assert image.ravel().tolist() == [10, 20, 30]


def test_nothing_outside_the_box_is_touched():
    image, before = photograph(), photograph()
    blend(image, Layer(np.full((7, 9), 0.5, dtype=np.float32), (255, 0, 128), 11, 23))
    outside = np.ones((40, 60), dtype=bool)
    outside[11:18, 23:32] = False
    np.testing.assert_array_equal(image[outside], before[outside])
    inside = before[11:18, 23:32]
    assert np.abs(image[11:18, 23:32] - (0.5 * inside + 0.5 * np.array([255, 0, 128]))).max() <= 0.501


def test_alpha_0_within_the_box_changes_nothing():
    image = photograph()
    alpha = np.zeros((7, 9), dtype=np.float32)
    alpha[3, 4] = 1
    blend(image, Layer(alpha, (0, 0, 0), 5, 6))
    assert np.argwhere(changed(photograph(), image)).tolist() == [[8, 10]]


def test_opaque_white_rectangle_paints_exactly_its_pixels(mark):
    image = photograph()
    blend(image, render(mark(), 40, 60))
    expected = photograph()
    expected[15:25, 20:40] = 255
    np.testing.assert_array_equal(image, expected)


def test_rendered_text_blends_by_the_formula(mark, fonts):
    spec = mark(
        kind="text", text="Sample", font=str(fonts / "DejaVuSans.ttf"), opacity=0.6, angle=25, colour=(9, 99, 250)
    )
    layer, image = render(spec, 40, 60), photograph()
    blend(image, layer)
    alpha = np.zeros((40, 60, 1))
    rows, columns = layer.alpha.shape
    alpha[layer.top : layer.top + rows, layer.left : layer.left + columns, 0] = layer.alpha
    exact = (1 - alpha) * photograph() + alpha * np.array(spec.colour)
    assert alpha.max() > 0.3
    assert np.abs(image - exact).max() <= 0.501


@pytest.mark.parametrize("center", [(-1, 0.5), (2, 0.5), (0.5, -1), (0.5, 2), (3, 3)])
def test_layer_that_lies_outside_changes_nothing(mark, center):
    image = photograph()
    blend(image, render(mark(center=center), 40, 60))
    np.testing.assert_array_equal(image, photograph())


def test_changed_is_where_any_channel_differs():
    before = np.zeros((2, 3, 3), dtype=np.uint8)
    after = before.copy()
    after[0, 1, 2] = 1
    after[1, 0] = 255
    assert changed(before, after).tolist() == [[False, True, False], [True, False, False]]
