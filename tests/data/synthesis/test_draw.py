import gc
import weakref

import cv2
import numpy as np
import pytest
from PIL import Image, features

from wm_lightning.data.synthesis import draw
from wm_lightning.data.synthesis.spec import Emblem, Logo, Shape, Text

SANS, SERIF, ITALIC = "NotoSans-Regular.ttf", "NotoSerif-Regular.ttf", "NotoSerif-Italic.ttf"
NO_JOINER = "\u200c"  # it only keeps its neighbours from joining

needs_raqm = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow lacks Raqm")


def trimmed(plane):
    """Without empty rows and columns at its sides."""
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    return plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def ink(text, font=SANS, pixels=128, **options):
    return trimmed(draw.stencil(Text(text, font, **options), pixels)[..., 0])


def save_logo(path, rgba):
    Image.fromarray(np.asarray(rgba, dtype=np.uint8)).save(path)
    return str(path)


def test_rectangle_fills_its_box():
    assert draw.stencil(Shape("rectangle", aspect=0.25), 64).shape == (16, 64, 1)
    assert draw.stencil(Shape("rectangle", aspect=4), 64).shape == (64, 16, 1)
    assert draw.stencil(Shape("rectangle"), 64).min() == 255


def test_outline_of_a_rectangle_leaves_the_inside_free():
    plane = draw.stencil(Shape("rectangle", aspect=0.5, thickness=0.05), 100)[..., 0]
    expected = np.full((50, 100), 255)
    expected[5:45, 5:95] = 0
    np.testing.assert_array_equal(plane, expected)


def test_line_is_as_thick_as_its_aspect_says():
    assert draw.stencil(Shape("line", aspect=0.05), 200).shape == (10, 200, 1)
    assert draw.stencil(Shape("line", aspect=0.001), 200).shape == (1, 200, 1)


def test_thick_outline_becomes_a_filled_shape():
    for kind in ("rectangle", "circle"):
        filled, thick = (draw.stencil(Shape(kind, aspect=0.2, thickness=value), 64) for value in (0, 0.3))
        np.testing.assert_array_equal(filled, thick)


@pytest.mark.parametrize("aspect", [1.0, 0.5, 2.0])
def test_circle_is_a_disc_or_an_ellipse(aspect):
    plane = draw.stencil(Shape("circle", aspect=aspect), 101)[..., 0].astype(float)
    half_height, half_width = plane.shape[0] / 2, plane.shape[1] / 2
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]] + 0.5
    distance = np.hypot((rows - half_height) / half_height, (columns - half_width) / half_width)
    assert plane[distance < 0.93].min() == 255
    assert plane[distance > 1.07].max() == 0
    assert plane.sum() / 255 == pytest.approx(np.pi * half_height * half_width, rel=0.02)
    assert np.abs(plane - plane[::-1, ::-1]).max() < 128  # OpenCV's edges are not quite symmetrical


def test_outline_of_a_circle_is_a_ring():
    ring = draw.stencil(Shape("circle", aspect=0.5, thickness=0.05), 200)[..., 0].astype(float)
    assert ring[50, 100] == 0
    # Between the ellipses with half axes (100, 50) and (90, 40).
    assert ring.sum() / 255 == pytest.approx(np.pi * (100 * 50 - 90 * 40), rel=0.03)


@pytest.mark.parametrize("pixels", [8, 16, 64, 256])
@pytest.mark.parametrize("aspect", [0.2, 0.33, 1.0])
def test_ring_lies_within_its_disc(pixels, aspect):
    disc = draw.stencil(Shape("circle", aspect=aspect), pixels)
    for thickness in (0.02, 0.05):
        assert (draw.stencil(Shape("circle", aspect=aspect, thickness=thickness), pixels) <= disc).all()


def test_cells_have_lines_at_their_upper_and_left_edges():
    rows, columns = np.mgrid[:64, :64]
    bars = draw.stencil(Shape("bars", thickness=0.25), 64)[..., 0]
    np.testing.assert_array_equal(bars, np.where(rows < 16, 255, 0))
    grid = draw.stencil(Shape("grid", thickness=0.125), 64)[..., 0]
    np.testing.assert_array_equal(grid, np.where((rows < 8) | (columns < 8), 255, 0))


@pytest.mark.parametrize("text", ["Sample", "Do not copy", "l", "Sample\nDo not copy"])
def test_text_is_as_long_as_asked_for_or_longer(text):
    sides = [max(draw.stencil(Text(text, SANS), pixels).shape) for pixels in (16, 64, 300, 1000)]
    for side, pixels in zip(sides, (16, 64, 300, 1000), strict=True):
        assert 0.95 * pixels <= side <= max(2.1 * pixels, sides[0])


def test_outline_surrounds_the_letters_on_all_sides():
    letters, around = np.moveaxis(draw.stencil(Text("No", SANS, "outline"), 128), 2, 0)
    assert (around >= letters).all()
    inner, outer = ([np.flatnonzero(plane.any(axis=axis)) for axis in (0, 1)] for plane in (letters, around))
    for one, other in zip(inner, outer, strict=True):
        reach = one[0] - other[0]
        assert reach >= 2
        assert other[-1] - one[-1] == reach


def test_shadow_lies_to_the_lower_right():
    letters, shadow = np.moveaxis(draw.stencil(Text("No", SANS, "shadow"), 128), 2, 0)
    rows, columns = np.mgrid[: letters.shape[0], : letters.shape[1]]
    for places in (rows, columns):
        assert (places * shadow).sum() / shadow.sum() > 2 + (places * letters).sum() / letters.sum()
    assert int(shadow.sum()) == pytest.approx(int(letters.sum()), rel=0.05)
    assert not np.concatenate([shadow[0], shadow[-1], shadow[:, 0], shadow[:, -1]]).any()  # nothing of it is cut off


def test_emboss_lights_upper_left_edges_and_leaves_flat_parts_free():
    # A stroke: its left edge is lit, its right edge in the shade, and between them nothing is drawn.
    light, shade = np.moveaxis(draw.stencil(Text("l", "NotoSans-Bold.ttf", "emboss"), 512), 2, 0)
    for plane in (light, shade):
        assert plane.max() == 255
    both = np.flatnonzero((light | shade).any(axis=0))
    middle = light.shape[0] // 2
    lit, shaded = np.flatnonzero(light[middle]), np.flatnonzero(shade[middle])
    assert lit[0] == both[0]
    assert shaded[-1] == both[-1]
    assert lit[-1] < shaded[0] - 1


@needs_raqm
def test_arabic_letters_are_joined():
    font = "NotoNaskhArabic-Regular.ttf"
    joined, apart = ink("عينة", font, 200), ink(NO_JOINER.join("عينة"), font, 200)
    assert (
        cv2.connectedComponents((joined > 127).astype(np.uint8))[0]
        < (cv2.connectedComponents((apart > 127).astype(np.uint8))[0])
    )


@needs_raqm
def test_arabic_runs_from_right_to_left():
    # Alef, a tall stroke, then sad, which is low and wide: the stroke comes first, at the right.
    drawn = ink("اص", "NotoNaskhArabic-Regular.ttf", 200)
    tall = np.flatnonzero(drawn[: drawn.shape[0] // 4].any(axis=0))
    assert tall.min() > 0.7 * drawn.shape[1]


def test_logo_keeps_its_proportions_and_is_premultiplied(tmp_path):
    logo = Logo(save_logo(tmp_path / "logo.png", np.full((40, 80, 4), (200, 100, 50, 128))))
    planes = draw.stencil(logo, 32)
    assert planes.shape == (16, 32, 4)
    np.testing.assert_allclose(planes.reshape(-1, 4), [[100, 50, 25, 128]] * 512, atol=1)


def test_colours_under_transparent_pixels_do_not_bleed_in(tmp_path):
    pixels = np.zeros((64, 64, 4))
    pixels[...] = (0, 255, 0, 0)  # invisible green between red stripes
    pixels[:, ::2] = (255, 0, 0, 255)
    pixels[:, -1] = (255, 0, 0, 255)
    for size in (16, 64, 200):
        planes = draw.stencil(Logo(save_logo(tmp_path / "logo.png", pixels)), size)
        assert planes[..., 1].max() == 0
        np.testing.assert_allclose(planes[..., 0], planes[..., 3], atol=1)


def test_flat_logo_is_opaque_wherever_it_is_not_transparent(tmp_path):
    pixels = np.full((32, 32, 4), (200, 100, 50, 3))
    pixels[8:16, 8:16] = 0
    planes = draw.stencil(Logo(save_logo(tmp_path / "logo.png", pixels), flat=True), 32)
    np.testing.assert_array_equal(planes[..., 3], np.where(pixels[..., 3] > 0, 255, 0))
    np.testing.assert_array_equal(planes[0, 0], (200, 100, 50, 255))


@pytest.mark.parametrize(
    "art",
    [
        Text("Sample", SANS, "shadow"),
        Text("Two\nlines", SERIF, "outline", 0.2),
        Emblem("ring", "initials", SANS, "AB", "Name"),
        Shape("circle", 0.4, 0.05),
    ],
)
@pytest.mark.parametrize("pixels", [64, 700])
def test_equal_art_gives_equal_stencils_whatever_was_drawn_before(art, pixels, forget):
    forget()
    first = draw.stencil(art, pixels).copy()
    draw.stencil(Text("Other", ITALIC, "emboss"), pixels)
    np.testing.assert_array_equal(draw.stencil(art, pixels), first)
    forget()
    np.testing.assert_array_equal(draw.stencil(art, pixels), first)


def test_remembered_stencils_cannot_be_written_to():
    for art in (Text("Sample", SANS), Text("Sample", SANS, "outline"), Shape("circle", thickness=0.1)):
        assert draw.stencil(art, 64) is draw.stencil(art, 64)
        with pytest.raises(ValueError, match="read-only"):
            draw.stencil(art, 64)[0, 0] = 1


def test_large_stencils_are_not_remembered(forget):
    forget()
    draw.stencil(Shape("circle"), 1024)
    assert draw._remembered.cache_info().currsize == 0
    draw.stencil(Shape("circle"), 512)
    assert draw._remembered.cache_info().currsize == 1


@pytest.mark.parametrize("pixels", [8, 64, 128])
def test_small_emblems_are_drawn_at_one_size(pixels):
    art = Emblem("ring", "star", SANS)
    assert draw.stencil(art, pixels).shape == (128, 128, 1)
    assert draw.stencil(art, pixels) is draw.stencil(art, 128)


@pytest.mark.parametrize("art", [Text("Sample", SANS, "outline"), Emblem("disc", "star", SANS), Shape("circle")])
def test_large_stencils_of_any_art_are_not_remembered(art):
    drawn = weakref.ref(draw.stencil(art, 1024))
    gc.collect()
    assert drawn() is None
