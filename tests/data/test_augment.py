from pathlib import Path

import albumentations as A
import hydra
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wm_lightning.data.augment import Augmentation, Pair, ReverseChannels, crop, crop_pair, enlarge_to, resize_pair

CONF = Path(__file__).parents[2] / "conf" / "augment"


def photograph(height=40, width=52, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def configured(name, **changes):
    """The transforms of a configuration file, at 32 pixels."""
    conf = OmegaConf.create({"data": {"size": 32}, "augment": OmegaConf.load(CONF / f"{name}.yaml")})
    for key in ("before_crop", "after_crop"):
        for transform in conf.augment.get(key, []):
            transform.update(changes)
    return conf.augment


FORCED = [
    pytest.param(transform, id=transform["_target_"].rsplit(".", 1)[-1])
    for name in ("full", "light")
    for key in ("before_crop", "after_crop")
    for transform in OmegaConf.to_container(configured(name, p=1.0), resolve=True).get(key, [])
]


@pytest.mark.parametrize("name", ["none", "light", "full"])
def test_equal_generators_give_equal_pictures(name):
    augmentation = instantiate(configured(name), _convert_="all")
    for seed in range(20):
        first = augmentation(photograph(), 32, np.random.default_rng(seed))
        augmentation(photograph(), 32, np.random.default_rng(99))
        np.testing.assert_array_equal(augmentation(photograph(), 32, np.random.default_rng(seed)), first)


@pytest.mark.parametrize("transform", FORCED)
def test_each_transform_draws_from_the_given_generator_alone(transform, global_random_state):
    augmentation = Augmentation([instantiate(transform, _convert_="all")])
    other = Augmentation([instantiate(transform, _convert_="all")])
    before = global_random_state()
    for seed in range(5):
        once, again = (build(photograph(), 32, np.random.default_rng(seed)) for build in (augmentation, other))
        np.testing.assert_array_equal(once, again)
        assert once.dtype == np.uint8
        assert once.shape[2] == 3
    assert global_random_state() == before


def test_different_generators_give_different_pictures():
    augmentation = instantiate(configured("full"), _convert_="all")
    pictures = {augmentation(photograph(), 32, np.random.default_rng(seed)).tobytes() for seed in range(10)}
    assert len(pictures) == 10


def test_one_generator_gives_a_new_picture_at_each_call():
    augmentation, generator = instantiate(configured("full"), _convert_="all"), np.random.default_rng(0)
    pictures = {augmentation(photograph(), 32, generator).tobytes() for _ in range(5)}
    assert len(pictures) == 5


def test_flip_happens_in_about_half_of_the_calls():
    augmentation, picture = Augmentation(after_crop=[A.HorizontalFlip(p=0.5)]), photograph(32, 32)
    flipped = 0
    for seed in range(200):
        out = augmentation(picture, 32, np.random.default_rng(seed))
        assert np.array_equal(out, picture) or np.array_equal(out, picture[:, ::-1])
        flipped += np.array_equal(out, picture[:, ::-1])
    assert 70 < flipped < 130


def test_transforms_are_applied_in_order_before_and_after_the_crop():
    picture, generator = photograph(32, 32), np.random.default_rng(0)
    flip, left_half = A.HorizontalFlip(p=1), A.Crop(0, 0, 16, 32, p=1)
    flip_then_cut = Augmentation(after_crop=[flip, left_half])(picture, 32, generator)
    np.testing.assert_array_equal(flip_then_cut, picture[:, ::-1][:, :16])
    cut_then_flip = Augmentation(after_crop=[left_half, flip])(picture, 32, generator)
    np.testing.assert_array_equal(cut_then_flip, picture[:, :16][:, ::-1])
    cut_first = Augmentation(before_crop=[A.Crop(0, 0, 16, 16, p=1)], after_crop=[flip])(picture, 16, generator)
    np.testing.assert_array_equal(cut_first, picture[:16, :16][:, ::-1])


def test_no_transforms_leave_a_random_crop():
    picture = photograph(32, 32)
    np.testing.assert_array_equal(Augmentation()(picture, 32, np.random.default_rng(0)), picture)


@pytest.mark.parametrize("name", ["light", "full"])
def test_the_photograph_itself_stays_as_it_is(name):
    augmentation, picture = instantiate(configured(name, p=1.0), _convert_="all"), photograph()
    augmentation(picture, 32, np.random.default_rng(0))
    np.testing.assert_array_equal(picture, photograph())


@pytest.mark.parametrize("name", ["none", "light", "full"])
def test_every_preset_gives_pictures_of_the_configured_size(name):
    augmentation = instantiate(configured(name), _convert_="all")
    assert augmentation(photograph(), 32, np.random.default_rng(0)).shape == (32, 32, 3)


def test_large_pictures_are_not_scaled():
    picture = photograph(40, 52)
    assert enlarge_to(picture, 40) is picture


@pytest.mark.parametrize(
    ("height", "width", "size", "wanted"),
    [
        (10, 20, 40, (40, 80)),
        (20, 10, 40, (80, 40)),
        (31, 37, 64, (64, 76)),
        (1, 1, 8, (8, 8)),
        (3, 200, 32, (32, 2133)),
        (39, 500, 40, (40, 513)),
    ],
)
def test_small_pictures_keep_their_proportions(height, width, size, wanted):
    assert enlarge_to(photograph(height, width), size).shape == (*wanted, 3)


def test_enlarged_even_colour_stays_that_colour():
    even = np.full((3, 5, 3), (12, 200, 77), dtype=np.uint8)
    large = enlarge_to(even, 16)
    assert np.unique(large.reshape(-1, 3), axis=0).tolist() == [[12, 200, 77]]


def test_enlarging_keeps_left_and_right():
    picture = np.zeros((4, 8, 3), dtype=np.uint8)
    picture[:, 4:] = 255
    large = enlarge_to(picture, 16)
    assert large[:, :12].max() == 0
    assert large[:, 20:].min() == 255


@pytest.mark.parametrize(
    ("height", "width", "size", "top", "left"), [(10, 20, 4, 3, 8), (11, 21, 4, 3, 8), (7, 7, 7, 0, 0), (8, 7, 7, 0, 0)]
)
def test_without_generator_the_middle_is_cut_out(height, width, size, top, left):
    picture = photograph(height, width)
    np.testing.assert_array_equal(crop(picture, size), picture[top : top + size, left : left + size])


def test_random_crops_reach_every_position():
    rows, columns = np.mgrid[:6, :7].astype(np.uint8)
    picture = np.stack([rows, columns, rows], axis=2)
    generator = np.random.default_rng(0)
    corners = set()
    for _ in range(300):
        cut = crop(picture, 4, generator)
        top, left = int(cut[0, 0, 0]), int(cut[0, 0, 1])
        np.testing.assert_array_equal(cut, picture[top : top + 4, left : left + 4])
        corners.add((top, left))
    assert corners == {(top, left) for top in range(3) for left in range(4)}


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (31, 37), (64, 5)])
def test_crop_enlarges_what_is_too_small(height, width):
    for generator in (None, np.random.default_rng(0)):
        assert crop(photograph(height, width), 24, generator).shape == (24, 24, 3)


def test_crops_of_equal_generators_are_equal():
    first, second = (crop(photograph(), 16, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def pair(height=40, width=52, seed=0):
    """Three pictures of which each tells where a pixel of the others came from."""
    clean = photograph(height, width, seed)
    return Pair(watermarked=255 - clean, clean=clean, mask=clean[..., 0].copy())


def belong_together(pictures):
    return np.array_equal(pictures.watermarked, 255 - pictures.clean) and np.array_equal(
        pictures.mask, pictures.clean[..., 0]
    )


@pytest.mark.parametrize("generator", [None, 0, 1])
def test_pairs_are_cropped_like_photographs(generator):
    draw = [None if generator is None else np.random.default_rng(generator) for _ in range(2)]
    out = crop_pair(pair(), 24, draw[0])
    np.testing.assert_array_equal(out.clean, crop(photograph(), 24, draw[1]))
    assert belong_together(out)


def test_pixels_of_a_pair_move_alike():
    moving = [
        A.RandomRotate90(p=0.7), A.Transpose(p=0.5), A.OneOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], p=0.7),
        A.RandomCrop(30, 33, p=1),
    ]  # fmt: skip
    augmentation = Augmentation(moving, moving[:3])
    seen = set()
    for seed in range(30):
        out = augmentation.aligned(pair(), 24, np.random.default_rng(seed))
        assert out.clean.shape == (24, 24, 3)
        assert belong_together(out)
        assert belong_together(augmentation.aligned(pair(), 24, np.random.default_rng(seed)))
        seen.add(out.clean.tobytes())
    assert len(seen) == 30
    assert augmentation.aligned(pair()._replace(mask=None), 24, np.random.default_rng(0)).mask is None


@pytest.mark.parametrize(
    ("transform", "applied"),
    [
        (A.HorizontalFlip(p=1), True),
        (A.Sequential([A.HorizontalFlip(p=1)], p=1), True),
        (A.Sequential([A.HorizontalFlip(p=1), A.InvertImg(p=1)], p=1), False),
        (A.InvertImg(p=1), False),
        (A.PixelDropout(0.5, p=1), False),
        (A.CoarseDropout(p=1), False),
        (A.Morphological(p=1), False),
    ],
    ids=str,
)
def test_only_what_moves_pixels_is_applied_to_pairs(transform, applied):
    augmentation = Augmentation(after_crop=[transform])
    out = augmentation.aligned(pair(32, 32), 32, np.random.default_rng(0))
    expected = pair(32, 32).clean
    np.testing.assert_array_equal(out.clean, expected[:, ::-1] if applied else expected)
    assert belong_together(out)
    assert augmentation.photometric == ([] if applied else [type(transform).__name__])


@pytest.mark.parametrize(("name", "left"), [("none", 0), ("light", 2), ("full", 8)])
def test_presets_move_pairs_without_changing_the_masks_values(name, left):
    augmentation = instantiate(configured(name), _convert_="all")
    assert len(augmentation.photometric) == left
    for seed in range(10):
        marked = pair()._replace(mask=np.uint8(255) * (photograph()[..., 0] > 128))
        out = augmentation.aligned(marked, 32, np.random.default_rng(seed))
        assert out.watermarked.shape == out.clean.shape == (32, 32, 3)
        assert set(np.unique(out.mask)) == {0, 255}


def test_masks_of_resized_pairs_take_the_nearest_pixel():
    marked = pair(37, 31)._replace(mask=np.uint8(255) * (photograph(37, 31)[..., 0] > 128))
    out = resize_pair(marked, 16)
    assert out.watermarked.shape == out.clean.shape == (16, 16, 3)
    rows, columns = ((np.arange(16) * 2 + 1) * side // 32 for side in (37, 31))
    np.testing.assert_array_equal(out.mask, marked.mask[rows][:, columns])
    assert resize_pair(marked._replace(mask=None), 16).mask is None


def test_reversed_channels_are_blue_green_red():
    picture = photograph()
    turned = Augmentation(before_crop=[ReverseChannels(p=1.0)])(picture, 40, np.random.default_rng(0))
    straight = Augmentation()(picture, 40, np.random.default_rng(0))
    assert turned.shape == straight.shape
    columns = [start for start in range(13) if np.array_equal(turned, picture[:, start : start + 40, ::-1])]
    assert len(columns) == 1


def test_either_order_turns_about_half_of_the_photographs():
    red = np.zeros((40, 40, 3), dtype=np.uint8)
    red[..., 0] = 200
    with hydra.initialize_config_dir(str(CONF.parent), version_base="1.3"):
        augmentation = instantiate(hydra.compose("train", overrides=["augment=either_order"]).augment)
    turned = sum(
        bool(picture[..., 2].mean() > picture[..., 0].mean())
        for picture in (augmentation(red, 32, np.random.default_rng(seed)) for seed in range(100))
    )
    assert 30 <= turned <= 70
