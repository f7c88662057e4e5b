import numpy as np
import pytest
from PIL import Image

from wm_lightning.data.synthesis.draw import stencil
from wm_lightning.data.synthesis.render import render
from wm_lightning.data.synthesis.spec import (
    BLACK,
    WHITE,
    Code,
    Design,
    Emblem,
    Logo,
    MarkSpec,
    Net,
    Part,
    Plate,
    Shape,
    Text,
    Tiling,
    ViewSpec,
    from_json,
    to_json,
)
from wm_lightning.data.synthesis.synthesizer import replay

RED, BLUE = (255, 0, 0), (0, 0, 255)
SQUARE = Shape("rectangle")


@pytest.fixture
def logo(tmp_path):
    """A logo whose left half is opaque red and whose right half is blue of opacity 0.4."""
    pixels = np.zeros((32, 64, 4), dtype=np.uint8)
    pixels[:, :32], pixels[:, 32:] = (255, 0, 0, 255), (0, 0, 255, 102)
    Image.fromarray(pixels).save(tmp_path / "logo.png")
    return Logo(str(tmp_path / "logo.png"))


def drawn(*parts, pixels=120, **options):
    return stencil(Design(tuple(parts), **options), pixels)


def test_parts_stand_side_by_side_or_above_each_other_in_colours_of_their_own():
    parts = Part(SQUARE, RED), Part(SQUARE, BLUE, 0.4, height=0.5)
    row = drawn(*parts, gap=0.5, pixels=80)
    assert row.shape == (40, 80, 4)  # 1 + 0.5 + 0.5 wide
    assert row[20, 20].tolist() == [255, 0, 0, 255]
    assert row[20, 50].tolist() == [0, 0, 0, 0]
    assert row[20, 70].tolist() == [0, 0, 102, 102]
    assert not row[5, 70].any()  # half as high, in the middle
    column = drawn(*parts, gap=0.5, layout="column", pixels=80)
    assert column.shape == (80, 40, 4)
    assert column[20, 20].tolist() == [255, 0, 0, 255]
    assert column[70, 20].tolist() == [0, 0, 102, 102]


def test_one_mark_has_opaque_parts_beside_translucent_ones(logo):
    image = drawn(Part(logo), pixels=64)
    assert image[16, 10].tolist() == [255, 0, 0, 255]
    assert image[16, 50].tolist() == [0, 0, 102, 102]


def test_parts_lie_over_the_plate():
    image = drawn(Part(SQUARE, WHITE, 0.5), plate=Plate("square", RED, 0.8, padding=0.5), pixels=80)
    assert image.shape == (80, 80, 4)
    assert image[5, 5].tolist() == [204, 0, 0, 204]
    # 128 of white, and what shows through of the plate
    np.testing.assert_allclose(image[40, 40], [128 + 102, 128, 128, 128 + 102], atol=1)


@pytest.mark.parametrize(("aspect", "shape"), [(1, (100, 100)), (5, (20, 100))])
def test_plates_have_the_proportions_asked_for(aspect, shape):
    image = drawn(Part(SQUARE, RED), plate=Plate("square", padding=0.5, aspect=aspect), pixels=100)
    assert image.shape == (*shape, 4)
    assert image[..., 3].all()


def test_round_plate_holds_the_corners_of_what_lies_on_it():
    image = drawn(Part(SQUARE, WHITE), plate=Plate("circle", RED, padding=0.1, aspect=1), pixels=100)
    rows, columns = np.nonzero((image[..., :3] == 255).all(axis=2))
    reach = np.hypot(rows - 49.5, columns - 49.5).max()
    assert 40 < reach < 50
    assert not image[2, 2].any()


@pytest.mark.parametrize("effect", ["outline", "shadow", "glow", "double"])
def test_effects_are_not_cut_off(effect):
    image = drawn(Part(SQUARE, RED, effect=effect, effect_colour=BLUE), pixels=100)
    assert image.shape[:2] == (100, 100)
    red = np.nonzero(image[50, :, 0] == 255)[0] if effect != "double" else np.nonzero(image[50, 20:80, 0])[0] + 20
    around = np.nonzero(image[50, :, 3])[0]
    assert red.min() == pytest.approx(99 - red.max(), abs=1)
    assert image[..., 2].any()
    assert around.max() > red.max() + 3
    if effect != "shadow":
        assert around.min() == pytest.approx(99 - around.max(), abs=1)
        assert around.min() < red.min() - 3


def test_net_runs_through_the_cell_with_the_parts_in_its_middle():
    image = drawn(Part(SQUARE, RED), net=Net("grid", WHITE, 0.6, 0.05, 0.4), pixels=100)
    assert image.shape == (100, 100, 4)
    assert image[2, 50].tolist() == [153] * 4
    assert image[50, 50].tolist() == [255, 0, 0, 255]
    rows, _ = np.nonzero(image[..., 3] == 255)
    assert rows.max() - rows.min() + 1 == pytest.approx(40, abs=2)


@pytest.mark.parametrize(
    "art",
    [
        Text("Ab", "Pacifico-Regular.ttf", style="shadow"),
        Emblem("ring", "star", "NotoSans-Bold.ttf", caption="Nord"),
        Shape("sparkle"),
        Shape("circle", thickness=0.1),
        Code(5),
    ],
)
def test_any_art_can_be_a_part(art):
    image = drawn(Part(art, RED), pixels=90)
    assert max(image.shape) == 90
    assert image[..., 0].max() == 255
    assert not image[..., 1:3].any()


@pytest.mark.parametrize("pixels", [1, 8, 700])
def test_designs_are_drawn_at_any_size(pixels):
    image = drawn(Part(SQUARE, effect="glow"), Part(Code(), BLACK), plate=Plate("pill"), net=Net(), pixels=pixels)
    assert max(image.shape) == max(pixels, 4)
    assert (image[..., :3] <= image[..., 3:]).all()


def test_view_of_a_design_is_exact_per_channel_and_replays(logo):
    photograph = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    name = Part(Text("Nord", "Anton-Regular.ttf"), (250, 240, 20), 0.7, RED, "shadow", BLACK, 0.5, 0.6)
    plate = Plate("rounded", (20, 90, 200), 0.85, BLACK)
    for mark in (
        MarkSpec(Design((Part(logo), name), plate=plate), size=0.8, opacity=0.9),
        MarkSpec(Design((Part(logo), name)), size=0.4, angle=30, tiling=Tiling((0.2, 0.3), 0.5)),
        MarkSpec(Design((name,), net=Net()), size=0.6, tiling=Tiling()),
        MarkSpec(Design((Part(logo, effect="emboss"),)), size=0.7, center=(1, 1), margin=0.05),
    ):
        spec = ViewSpec((mark, mark))
        view = replay(photograph, spec)
        exact = (1 - view.alpha / 255) * view.clean + view.layer
        assert np.abs(view.image - exact).max() <= 1
        assert (view.layer <= view.alpha).all()
        assert view.mask.any()
        assert from_json(to_json(spec)) == spec
        np.testing.assert_array_equal(replay(photograph, from_json(to_json(spec))).image, view.image)


def test_design_can_be_shown_in_one_colour(logo):
    layer = render(MarkSpec(Design((Part(logo),)), size=0.8, colour=WHITE), 60, 60)
    np.testing.assert_array_equal(layer.colour, layer.alpha)
