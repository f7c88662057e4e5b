"""Pictures of every kind in, the same kind out."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import wm_lightning
from tests.images.test_profiles import SRGB, wide
from tests.inference.conftest import FlatMark
from wm_lightning.errors import ArgumentError, UnreadableError, UnsupportedError, UserError
from wm_lightning.images.decoding import turned_back
from wm_lightning.images.profiles import colours_of
from wm_lightning.inference import cleaning
from wm_lightning.inference import remover as module
from wm_lightning.inference.given_masks import as_allowed
from wm_lightning.inference.remover import Remover

pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")

SQUARE = slice(10, 30), slice(20, 50)
HEIGHT, WIDTH = 40, 60


@pytest.fixture
def remover(engine, monkeypatch):
    monkeypatch.setattr(module, "open_engine", lambda *arguments: engine)
    return Remover()


@pytest.fixture
def pair(textured, marked):
    clean = textured(HEIGHT, WIDTH)
    return clean, marked(clean, *SQUARE)


def test_it_is_what_the_package_offers():
    assert wm_lightning.Remover is Remover
    with pytest.raises(AttributeError, match="has no attribute 'Remove'"):
        _ = wm_lightning.Remove


def test_arrays_keep_type_shape_and_what_was_not_marked(remover, pair):
    clean, picture = pair
    image, mask, _ = remover.remove(picture)
    assert (image.dtype, image.shape) == (np.uint8, picture.shape)
    assert np.abs(image.astype(int) - clean).max() <= 1
    assert mask.dtype == np.uint8
    assert (mask[SQUARE] == 255).all()
    assert np.array_equal(image[mask == 0], picture[mask == 0])
    floats = remover.remove(picture.astype(np.float32) / 255).image
    assert floats.dtype == np.float32
    assert floats * 255 == pytest.approx(image, abs=0.51)
    deep = remover.remove(picture.astype(np.uint16) * 257).image
    assert deep.dtype == np.uint16
    assert deep / 257 == pytest.approx(image, abs=0.51)


def test_grey_stays_grey_and_transparency_as_it_was(remover, pair, textured, marked):
    grey = marked(np.repeat(textured(HEIGHT, WIDTH, 1), 3, axis=-1), *SQUARE)[..., 0]
    for shape in ((HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)):
        image, mask, _ = remover.remove(grey.reshape(shape))
        assert image.shape == shape
        assert mask.shape == (HEIGHT, WIDTH)
        assert np.abs(image.squeeze().astype(int)[SQUARE] - (2 * grey[SQUARE].astype(int) - 255)).max() <= 1
    alpha = textured(HEIGHT, WIDTH, 1, seed=3)
    clean, picture = pair
    image = remover.remove(np.concatenate((picture, alpha), axis=-1)).image
    assert np.array_equal(image[..., 3:], alpha)
    assert np.abs(image[..., :3].astype(int) - clean).max() <= 1


def test_pillow_pictures_give_pillow_pictures(remover, pair):
    clean, picture = pair
    for mode in ("RGB", "RGBA", "L", "LA", "P", "CMYK"):
        image, mask, _ = remover.remove(Image.fromarray(picture).convert(mode))
        assert image.mode == {"P": "RGB", "CMYK": "RGB"}.get(mode, mode)
        assert image.size == mask.size == (WIDTH, HEIGHT)
        assert mask.mode == "L"
    assert np.abs(np.asarray(remover.remove(Image.fromarray(picture)).image).astype(int) - clean).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_pillow_picture_stays_turned_as_it_was_and_keeps_its_profile(remover, pair, tmp_path, orientation, suffix):
    _, picture = pair
    upright = remover.remove(picture)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(turned_back(picture, orientation))
    stored.save(tmp_path / f"turned{suffix}", exif=exif, icc_profile=SRGB)
    with Image.open(tmp_path / f"turned{suffix}") as opened:
        image, found, marks = remover.remove(opened)
        mask = np.zeros(opened.size[::-1], bool)
        mask[: opened.height // 2] = True
        half = remover.remove(opened, mask).image
        assert (image.size, found.size) == (opened.size, opened.size)
    kept = 1 if suffix == ".tif" else orientation  # Pillow turns a TIFF when it loads it
    assert image.getexif().get(0x0112, 1) == kept
    assert image.info["icc_profile"] == SRGB
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(image)), upright.image)
    left, top, right, bottom = marks[0].box
    rows, columns = np.nonzero(np.asarray(found))
    assert (left, top, right, bottom) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    if suffix == ".png":
        middle = len(mask) // 2
        assert np.array_equal(np.asarray(half)[middle:], np.asarray(stored)[middle:])
        assert np.array_equal(np.asarray(half)[:middle], np.asarray(image)[:middle])


def test_a_network_sees_a_pillow_picture_in_srgb(remover, pair, monkeypatch):
    _, picture = pair
    colours = colours_of(wide(), grey=False)
    image = Image.fromarray(picture)
    image.info["icc_profile"] = wide()
    seen = []
    monkeypatch.setattr(remover.engine, "correct", lambda tile: seen.append(tile) or FlatMark().correct(tile))
    result = np.asarray(remover.remove(image).image)
    assert np.abs(seen[0] * 255 - colours.seen(picture)).max() < 1
    outside = np.ones(picture.shape[:2], bool)
    outside[SQUARE] = False
    assert np.array_equal(result[outside], picture[outside])


@pytest.mark.parametrize("top", [255, 65535])
def test_a_pillow_mask_of_any_depth_is_soft(top):
    mask = Image.fromarray(np.array([[0, top // 5, top]], np.uint8 if top == 255 else np.uint16))
    assert as_allowed(mask, (1, 3)).tolist() == [[0, pytest.approx(0.2), 1]]


@pytest.mark.parametrize("batch", [(), (2,)])
def test_tensors_give_tensors(remover, pair, batch):
    clean, picture = (torch.from_numpy(pixels).movedim(-1, 0).expand(*batch, 3, HEIGHT, WIDTH) for pixels in pair)
    image, mask, _ = remover.remove(picture)
    assert (image.dtype, image.shape) == (torch.uint8, picture.shape)
    assert mask.shape == (*batch, 1, HEIGHT, WIDTH)
    assert mask.max() == 1
    assert (image.int() - clean.int()).abs().max() <= 1
    halves = remover.remove(picture.half() / 255)
    assert halves.image.dtype == torch.float16
    assert (halves.image.float() * 255 - clean).abs().max() < 1.5


@pytest.mark.parametrize("kind", ["bool", "bytes", "floats", "ones", "pillow", "tensor"])
def test_pixels_change_only_where_a_mask_of_any_kind_allows_it(remover, pair, kind):
    _, picture = pair
    where = np.zeros((HEIGHT, WIDTH), bool)
    where[:, :35] = True
    mask = {
        "bool": where,
        "bytes": where.astype(np.uint8) * 255,
        "floats": where.astype(np.float64),
        "ones": where.astype(np.uint8),
        "pillow": Image.fromarray(where),
        "tensor": torch.from_numpy(where)[None],
    }[kind]
    image = remover.remove(picture, mask).image
    assert np.array_equal(image[:, 35:], picture[:, 35:])
    assert np.array_equal(image[:, :35], remover.remove(picture).image[:, :35])


@pytest.mark.parametrize(
    ("image", "options", "sentence"),
    [
        (np.zeros((4, 4, 5), np.uint8), {}, r"image has the shape \(4, 4, 5\)"),
        (np.zeros((0, 4, 3), np.uint8), {}, r"image has the shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int64), {}, "image holds int64; it must be uint8, uint16, or floating"),
        (np.full((4, 4, 3), 255.0), {}, "image holds values from 255 to 255; divide them by what white is: 0..1"),
        (np.full((4, 4, 3), np.nan, np.float32), {}, "image holds values that are infinite or no numbers; put"),
        (torch.full((3, 4, 4), 255.0), {}, "image holds values from 255 to 255; divide"),
        (torch.zeros(4, 4), {}, r"image is a Tensor \(4, 4\); give an array"),
        ("photo.jpg", {}, r"image is a str \(\); give an array"),
        (np.zeros((4, 6, 3), np.uint8), {"mask": np.zeros((6, 4))}, "The mask is 4x6, the picture 6x4 pixels"),
        (np.zeros((4, 6, 3), np.uint8), {"mask": np.full((4, 6), 255.0)}, "mask holds values from 0 to 255; give"),
        (np.zeros((4, 6, 3), np.uint8), {"mask": np.full((4, 6), np.nan)}, "mask holds values from nan to nan; give"),
        (np.zeros((4, 6, 3), np.uint8), {"mask": np.full((4, 6), -1)}, "mask holds values from -1 to 0; give"),
        (np.zeros((4, 6, 3), np.uint8), {"strength": 1.5}, "strength=1.5 must be in 0..1"),
    ],
)  # fmt: skip
def test_what_cannot_be_restored_is_one_sentence(remover, image, options, sentence):
    with pytest.raises(UserError, match=sentence):
        remover.remove(image, **options)


def test_grey_floats_that_carry_no_mark_stay_to_the_bit(remover):
    grey = np.random.default_rng(0).uniform(0.1, 0.4, (40, 50)).astype(np.float32)
    assert np.array_equal(remover.remove(grey).image, grey)


def test_a_mask_of_bytes_may_be_soft():
    assert as_allowed(np.array([[0, 51, 255]], np.uint8), (1, 3)).tolist() == [[0, pytest.approx(0.2), 1]]
    assert as_allowed(None, (1, 3)) is None


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.int64, np.uint32])
def test_a_mask_of_bytes_in_wider_integers_is_one_of_bytes(kind):
    assert as_allowed(np.array([[0, 51, 255]], kind), (1, 3)).tolist() == [[0, pytest.approx(0.2), 1]]


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_floats_of_any_width_keep_all_digits_where_no_mark_is(remover, pair, kind):
    clean, picture = (pixels.astype(np.float64) / 255 + 1e-9 for pixels in pair)
    given = picture.astype(kind)
    image, mask, _ = remover.remove(given)
    assert image.dtype == kind
    assert np.array_equal(image[mask == 0], given[mask == 0])
    assert np.abs(image.astype(float) - clean).max() < 1.5 / 255


def test_many_come_in_their_order_and_one_that_fails_does_not_end_the_others(remover, pair, tmp_path):
    clean, picture = pair
    Image.fromarray(picture).save(tmp_path / "short.png")
    short = tmp_path / "short.png"
    short.write_bytes(short.read_bytes()[:-200])
    asked = []

    def pictures():
        for given in (
            picture,
            np.zeros((4, 4, 5), np.uint8),
            Image.fromarray(picture),
            Image.open(short),
            "x.png",
            clean,
        ):
            asked.append(given)
            yield given

    outcomes = remover.remove_many(pictures())
    first = next(outcomes)
    assert len(asked) == 1  # one at a time
    assert np.array_equal(first.image, remover.remove(picture).image)
    shape, pillow, broken, word, last = outcomes
    assert str(shape).startswith("image has the shape (4, 4, 5)")
    assert np.array_equal(np.asarray(pillow.image), first.image)
    assert isinstance(broken, UnreadableError)
    assert str(broken).startswith(f"{short} is damaged or cut short: ")
    assert isinstance(word, ArgumentError)
    assert np.array_equal(last.image, clean)


def test_many_may_have_a_mask_each_and_what_nobody_thought_of_is_told(remover, pair, monkeypatch):
    _, picture = pair
    none = np.zeros(picture.shape[:2], bool)
    free, kept = remover.remove_many([picture, picture], [None, none])
    assert (free.image != picture).any()
    assert np.array_equal(kept.image, picture)
    with pytest.raises(ValueError, match="shorter"):
        list(remover.remove_many([picture, picture], [None]))
    monkeypatch.setattr(remover.engine, "correct", lambda tile: {}["surprise"])
    (error,) = remover.remove_many([picture])
    assert str(error) == "Picture 0 failed: KeyError: 'surprise'."
    assert isinstance(error.__cause__, KeyError)


def test_pillow_pictures_without_a_range_and_answers_that_are_no_numbers_are_refused(remover, pair, monkeypatch):
    with pytest.raises(UnsupportedError, match=r"^The picture has floating-point or 32-bit values"):
        remover.remove(Image.new("F", (4, 4)))
    monkeypatch.setattr(cleaning, "_change", lambda found, pixels: np.full((*pixels.shape[:2], 4), np.inf, np.float32))
    with pytest.raises(UserError, match="answers with what are no numbers"):
        remover.remove(pair[1])


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arrays_of_any_layout_are_what_they_hold(remover, pair):
    grey = np.ascontiguousarray(pair[1][..., 0])
    wanted = remover.remove(grey).image
    assert not np.array_equal(wanted, grey)
    for kind in (np.asmatrix(grey), np.asfortranarray(grey), np.ma.masked_array(grey), grey[::-1].copy()[::-1]):
        assert np.array_equal(remover.remove(kind).image, wanted)
    deep = grey.astype(np.uint16) * 257
    assert np.array_equal(remover.remove(deep.astype(">u2")).image, remover.remove(deep).image)


@pytest.mark.parametrize(
    "image", [torch.zeros(0, 3, 4, 4), torch.zeros(3, 4, 4, device="meta"), torch.zeros(3, 4, 4).to_sparse()]
)
def test_tensors_without_values_are_one_sentence(remover, image):
    with pytest.raises(UserError, match="image is a tensor that is empty, sparse or without values; give a dense one"):
        remover.remove(image)


@pytest.mark.parametrize(
    ("mask", "values"),
    [
        (Image.fromarray(np.array([[0, 51, 255]], np.int32)), [0, 0.2, 1]),
        (Image.fromarray(np.array([[0, 0.2, 1]], np.float32)), [0, 0.2, 1]),
        (Image.fromarray(np.array([[[0, 255], [51, 255], [255, 255]]], np.uint8)), [0, 0.2, 1]),
        (torch.tensor([[0, 0.25, 1]], dtype=torch.bfloat16), [0, 0.25, 1]),
    ],
)
def test_a_mask_of_any_mode_is_what_it_shows(mask, values):
    assert as_allowed(mask, (1, 3)).tolist()[0] == pytest.approx(values)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (Image.new("RGBA", (3, 1), (0, 0, 0, 9)), "The mask is transparent in part; give one of black, white and grey"),
        (np.array([["a", "b", "c"]]), "mask holds <U1; give booleans, bytes, or numbers"),
        (np.ones((1, 3), complex), "mask holds complex128; give"),
    ],
)
def test_a_mask_that_is_none_is_one_sentence(mask, sentence):
    with pytest.raises(UserError, match=sentence):
        as_allowed(mask, (1, 3))


def test_a_device_of_pytorch_s_is_one_and_an_engine_that_is_none_is_one_sentence(monkeypatch):
    opened = []
    monkeypatch.setattr(module, "_open_engine", lambda *arguments: opened.append(arguments))
    module.open_engine("general", torch.device("cuda", 1))
    assert opened == [("general", "cuda:1", "auto", ())]
    with pytest.raises(UserError, match=r"^engine=tensorrt must be one of auto, torch, onnx\.$"):
        module.open_engine("general", engine="tensorrt")
