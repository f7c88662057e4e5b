import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from wm_lightning.data.synthesis.render import render

needs_raqm = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow lacks Raqm")


def on_canvas(layer, height, width):
    """The layer's alpha on the whole picture."""
    canvas = np.zeros((height, width), dtype=np.float32)
    rows, columns = layer.alpha.shape
    canvas[layer.top : layer.top + rows, layer.left : layer.left + columns] = layer.alpha
    return canvas


def box(height, width, top, bottom, left, right):
    expected = np.zeros((height, width), dtype=np.float32)
    expected[top:bottom, left:right] = 1
    return expected


def trimmed(alpha):
    """Without empty rows and columns at its sides."""
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    return alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def test_rectangle_covers_exactly_its_pixels(mark):
    # The longer side is half of 40, the shorter half of that, around (20, 30).
    layer = render(mark(size=0.5, aspect=0.5), 40, 60)
    np.testing.assert_array_equal(on_canvas(layer, 40, 60), box(40, 60, 15, 25, 20, 40))
    assert layer.colour == (255, 255, 255)


def test_centre_is_x_then_y(mark):
    layer = render(mark(center=(0.75, 0.25), size=0.2, aspect=1), 40, 80)
    np.testing.assert_array_equal(on_canvas(layer, 40, 80), box(40, 80, 6, 14, 56, 64))


def test_line_is_as_thick_as_its_aspect_says(mark):
    layer = render(mark(kind="line", size=0.8, aspect=0.05), 100, 100)
    np.testing.assert_array_equal(on_canvas(layer, 100, 100), box(100, 100, 48, 52, 10, 90))


def test_outline_leaves_the_inside_free(mark):
    layer = render(mark(size=0.4, aspect=1, outline=0.05), 100, 100)
    expected = box(100, 100, 30, 70, 30, 70) - box(100, 100, 32, 68, 32, 68)
    np.testing.assert_array_equal(on_canvas(layer, 100, 100), expected)


def test_circle_is_a_disc(mark):
    alpha = on_canvas(render(mark(kind="circle", size=0.8, aspect=1), 100, 100), 100, 100)
    rows, columns = np.mgrid[:100, :100] + 0.5
    distance = np.hypot(rows - 50, columns - 50)
    assert alpha[distance < 39].min() == 1
    assert alpha[distance > 41].max() == 0
    assert alpha.sum() == pytest.approx(np.pi * 40**2, rel=0.01)
    np.testing.assert_allclose(alpha, alpha[::-1, ::-1], atol=0.01)


def test_ellipse_has_its_aspect_and_its_outline_is_a_ring(mark):
    disc, ring = (render(mark(kind="circle", size=0.8, aspect=0.5, outline=o), 100, 100).alpha for o in (0, 0.05))
    assert disc.shape == ring.shape == (40, 80)
    assert disc.sum() == pytest.approx(np.pi * 40 * 20, rel=0.02)
    assert ring[20, 40] == 0
    # Between the ellipses with half axes (40, 20) and (36, 16).
    assert ring.sum() == pytest.approx(np.pi * (40 * 20 - 36 * 16), rel=0.05)


def test_shapes_scale_with_the_picture(mark):
    small, large = (render(mark(kind="circle", size=0.5), side, side).alpha for side in (40, 160))
    assert large.shape == (4 * small.shape[0], 4 * small.shape[1])
    assert large.mean() == pytest.approx(small.mean(), abs=0.02)


def test_opacity_is_the_alpha(mark):
    layer = render(mark(opacity=0.35), 40, 60)
    np.testing.assert_allclose(on_canvas(layer, 40, 60), 0.35 * box(40, 60, 15, 25, 20, 40), rtol=1e-6)


def test_alpha_field_is_stretched_smoothly_over_the_box(mark):
    # Two columns over four pixels: samples lie at -0.25, 0.25, 0.75, 1.25, the ends held.
    spec = mark(size=0.5, aspect=1, alpha_field=((1.0, 0.5), (1.0, 0.5)), opacity=0.8)
    expected = 0.8 * np.array([[1, 0.875, 0.625, 0.5]] * 4)
    np.testing.assert_allclose(render(spec, 8, 8).alpha, expected, rtol=1e-6)


def test_rows_of_the_alpha_field_run_downwards(mark):
    alpha = render(mark(size=0.5, aspect=1, alpha_field=((1.0,), (0.0,))), 8, 8).alpha
    np.testing.assert_allclose(alpha[:, 0], [1, 0.75, 0.25, 0], atol=1e-6)


def test_occluded_part_is_missing(mark):
    layer = render(mark(size=0.5, aspect=0.5, occlusion=(0.25, 0.0, 0.5, 0.6)), 40, 60)
    expected = box(40, 60, 15, 25, 20, 40) - box(40, 60, 15, 21, 25, 30)
    np.testing.assert_array_equal(on_canvas(layer, 40, 60), expected)


def test_angle_turns_counterclockwise(mark):
    # Only the right half is there; a quarter turn counterclockwise takes it to the top.
    layer = render(mark(size=0.5, aspect=0.5, occlusion=(0.0, 0.0, 0.5, 1.0), angle=90), 40, 40)
    np.testing.assert_allclose(on_canvas(layer, 40, 40), box(40, 40, 10, 20, 15, 25), atol=1e-6)


def test_turning_keeps_the_area_and_the_centre(mark):
    layer = render(mark(size=0.5, aspect=0.4, angle=30), 200, 200)
    alpha = on_canvas(layer, 200, 200)
    assert alpha.sum() == pytest.approx(100 * 40, rel=0.02)
    rows, columns = np.mgrid[:200, :200] + 0.5
    assert (alpha * rows).sum() / alpha.sum() == pytest.approx(100, abs=0.6)
    assert (alpha * columns).sum() / alpha.sum() == pytest.approx(100, abs=0.6)
    # Its longer axis points up to the right: rows fall where columns grow.
    slope = (alpha * (rows - 100) * (columns - 100)).sum() / (alpha * (columns - 100) ** 2).sum()
    assert slope < -0.3


@pytest.mark.parametrize(
    ("center", "rows", "columns"),
    [
        ((0, 0), (0, 5), (0, 10)),
        ((1, 0), (0, 5), (30, 40)),
        ((0, 1), (35, 40), (0, 10)),
        ((1, 1), (35, 40), (30, 40)),
        ((0.5, 0), (0, 5), (10, 30)),
    ],
)
def test_mark_over_an_edge_is_clipped(mark, center, rows, columns):
    layer = render(mark(center=center), 40, 40)
    np.testing.assert_array_equal(on_canvas(layer, 40, 40), box(40, 40, *rows, *columns))


@pytest.mark.parametrize("center", [(0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1), (0, 0), (1, 1)])
def test_clipping_shows_the_right_part_of_the_mark(mark, fonts, center):
    spec = {"kind": "text", "text": "Sample", "font": str(fonts / "DejaVuSans.ttf"), "size": 0.8, "angle": 20}
    whole = on_canvas(render(mark(**spec), 100, 100), 100, 100)
    moved = on_canvas(render(mark(**spec, center=center), 100, 100), 100, 100)
    down, right = (round(100 * (share - 0.5)) for share in (center[1], center[0]))
    expected = np.zeros_like(whole)
    expected[max(0, down) : 100 + min(0, down), max(0, right) : 100 + min(0, right)] = whole[
        max(0, -down) : 100 - max(0, down), max(0, -right) : 100 - max(0, right)
    ]
    np.testing.assert_array_equal(moved, expected)
    assert 0 < moved.sum() < whole.sum()


@pytest.mark.parametrize("center", [(-1, 0.5), (2, 0.5), (0.5, -1), (0.5, 2), (3, 3)])
def test_mark_outside_the_picture_is_empty(mark, center):
    assert render(mark(center=center), 40, 40).alpha.size == 0


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("kind", ["text", "line", "rectangle", "circle"])
def test_smallest_pictures_get_a_layer_within_them(mark, fonts, kind, side):
    font = str(fonts / "DejaVuSans.ttf")
    for angle in (0, 37):
        for size in (0.01, 1, 4):
            spec = mark(kind=kind, text="Sample", font=font, size=size, aspect=0.01, angle=angle, outline=0.02)
            for height, width in ((side, 200), (200, side), (side, side)):
                layer = render(spec, height, width)
                assert layer.top + layer.alpha.shape[0] <= height
                assert layer.left + layer.alpha.shape[1] <= width
                assert np.isfinite(layer.alpha).all()


@pytest.mark.parametrize("kind", ["text", "line", "rectangle", "circle"])
def test_equal_specs_give_equal_pixels(mark, fonts, kind):
    spec = mark(kind=kind, text="Sample", font=str(fonts / "DejaVuSerif.ttf"), angle=13.3, occlusion=(0.1, 0.2, 0.4, 1))
    first = render(spec, 90, 70)
    render(mark(kind="text", text="Other", font=str(fonts / "DejaVuSans.ttf")), 31, 37)
    second = render(mark(**vars(spec)), 90, 70)
    np.testing.assert_array_equal(first.alpha, second.alpha)
    assert first[1:] == second[1:]
    assert first.alpha.max() > 0.5


def test_alpha_stays_between_0_and_the_opacity(mark, fonts):
    for angle in (0, 11.5, -45, 90):
        alpha = render(
            mark(kind="text", text="Образец", font=str(fonts / "DejaVuSans.ttf"), angle=angle, opacity=0.6), 80, 80
        ).alpha
        assert alpha.dtype == np.float32
        assert alpha.min() >= 0
        assert 0.4 < alpha.max() <= np.float32(0.6)


@pytest.mark.parametrize("text", ["Sample", "Do not copy", "l"])
@pytest.mark.parametrize("size", [0.3, 0.8])
def test_longer_side_of_a_text_is_the_size(mark, fonts, text, size):
    spec = mark(kind="text", text=text, font=str(fonts / "DejaVuSans.ttf"), size=size)
    assert max(render(spec, 400, 400).alpha.shape) == pytest.approx(400 * size, rel=0.04)


@pytest.mark.parametrize("name", ["DejaVuSans.ttf", "DejaVuSerif-Italic.ttf", "DejaVuSans-Oblique.ttf"])
@pytest.mark.parametrize("text", ["Sample", "fjÅ,gq", "Échantillon"])
def test_no_part_of_a_text_is_cut_off(mark, fonts, name, text):
    path = str(fonts / name)
    alpha = render(mark(kind="text", text=text, font=path, size=0.9), 200, 200).alpha
    # The same text with room on all sides, at each size that is about as wide.
    whole = []
    for font in (ImageFont.truetype(path, pixels) for pixels in range(20, 200)):
        if 160 < font.getlength(text) < 200:
            roomy = Image.new("L", (600, 600))
            ImageDraw.Draw(roomy).text((200, 200), text, fill=255, font=font)
            whole.append(trimmed(np.asarray(roomy, dtype=np.float32) / 255))
    assert len(whole) > 1
    assert sum(ink.shape == trimmed(alpha).shape and np.allclose(ink, trimmed(alpha)) for ink in whole) == 1


@needs_raqm
def test_arabic_letters_are_joined(mark, fonts):
    def drawn(text):
        return render(mark(kind="text", text=text, font=str(fonts / "DejaVuSans.ttf"), size=0.9), 200, 200).alpha

    apart = "\u200c"  # zero width non-joiner: it only keeps its neighbours from joining
    np.testing.assert_array_equal(drawn(apart.join("Sample")), drawn("Sample"))
    joined, unjoined = drawn("عينة"), drawn(apart.join("عينة"))
    assert joined.shape != unjoined.shape
    # The unjoined forms are wider, so at equal width the joined word stands taller.
    assert joined.shape[0] > 1.1 * unjoined.shape[0]


@needs_raqm
def test_arabic_runs_from_right_to_left(mark, fonts):
    def drawn(text):
        return render(mark(kind="text", text=text, font=str(fonts / "DejaVuSans.ttf"), size=0.9), 200, 200).alpha

    # Alef, a tall stroke, then sad, which is low and wide: the stroke comes first, at the right.
    ink = trimmed(drawn("اص"))
    tall = np.flatnonzero(ink[: ink.shape[0] // 4].any(axis=0))
    assert tall.min() > 0.8 * ink.shape[1]
