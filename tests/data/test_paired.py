import logging

import cv2
import hydra
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image

from wm_lightning.data import Augmentation
from wm_lightning.data.augment import Pair, crop
from wm_lightning.data.paired import difference_mask
from wm_lightning.data.sources import decode
from wm_lightning.files import CONF

LAYOUTS = [("clwd", "test"), ("lvw", "test"), ("logo", "val"), ("plain", "test")]
STAGES = ("train", "val", "test")


def ready(module):
    module.setup()
    return module


def samples_of(module, stage, epochs=(0,)):
    pairs = module.pairs(stage)
    return [pairs[epoch, index] for epoch in epochs for index in range(len(pairs))]


def composed(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides=list(overrides))


def difference(sample):
    return (sample.watermarked.int() - sample.clean.int()).abs().sum(dim=2)


@pytest.mark.parametrize(("layout", "tested"), LAYOUTS)
@pytest.mark.parametrize("size", [16, 31, 48])
def test_pictures_of_a_pair_stay_aligned_through_every_crop_and_flip(save_pairs, make_paired, layout, tested, size):
    module = ready(make_paired(save_pairs(layout, {"train": 6, tested: 2}), layout, size=size))
    marked = 0
    for stage in STAGES:
        for sample in samples_of(module, stage, epochs=(0, 1, 2)):
            assert sample.watermarked.shape == sample.clean.shape == (size, size, 3)
            assert sample.mask.shape == (size, size, 1)
            assert all(picture.dtype == torch.uint8 for picture in (sample.watermarked, sample.clean, sample.mask))
            assert set(sample.mask.unique().tolist()) <= {0, 255}
            # The mark adds 60 levels to each channel; the given mask is not made from that, so it would show a shift.
            changed = (difference(sample) > 90)[..., None]
            wrong = (changed != (sample.mask > 0)).float().mean().item()
            # Enlarging smooths the pictures' edges and not the mask's.
            assert wrong == 0 if size <= 31 and layout in ("lvw", "plain") else wrong < 0.03
            marked += changed.any().item()
    assert marked > 10


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_training_draws_crops_and_flips_by_seed_stage_epoch_and_name(save_pairs, make_paired, fit):
    root = save_pairs("plain", {".": 20})
    module = ready(make_paired(root, fit=fit))
    (name, *_), pairs = module.split.train, module.pairs("train")
    drawn = {pairs[epoch, 0].clean.numpy().tobytes() for epoch in range(20)}
    assert len(drawn) >= 4
    assert all(pairs[epoch, 0].name == name for epoch in range(2))
    assert torch.equal(pairs[3, 0].clean, ready(make_paired(root, fit=fit)).pairs("train")[3, 0].clean)
    other = module.pairs("train")
    other.names = other.names[::-1]
    assert torch.equal(pairs[3, 0].watermarked, other[3, len(other) - 1].watermarked)
    other.seed = 1
    assert any(not torch.equal(pairs[epoch, 0].clean, other[epoch, len(other) - 1].clean) for epoch in range(5))


def test_what_changes_values_is_left_out_and_told(save_pairs, make_paired, caplog):
    with caplog.at_level(logging.INFO):
        module = ready(make_paired(save_pairs("plain", {".": 10})))
    assert "augment: not applied to real pairs: RandomGamma, ToGray" in caplog.text
    for sample in samples_of(module, "train", epochs=(0, 1)):
        original = {tuple(pixel) for pixel in decode(module.root / sample.name).reshape(-1, 3).tolist()}
        assert {tuple(pixel) for pixel in sample.watermarked.reshape(-1, 3).tolist()} <= original


@pytest.mark.parametrize("stage", ["val", "test"])
def test_otherwise_the_middle_is_taken_in_every_epoch(save_pairs, make_paired, stage):
    module = ready(make_paired(save_pairs("plain", {".": 20})))
    for sample in samples_of(module, stage, epochs=(0, 4)):
        watermarked = decode(module.root / sample.name)
        assert watermarked.shape == (37, 31, 3)
        assert torch.equal(sample.watermarked, torch.from_numpy(watermarked[10:26, 7:23].copy()))


@pytest.mark.parametrize("stage", STAGES)
def test_resizing_shows_all_of_a_picture(save_pairs, make_paired, stage):
    module = ready(make_paired(save_pairs("plain", {".": 20}), fit="resize", augment=Augmentation(), size=24))
    for sample in samples_of(module, stage):
        files = module._source.files[sample.name]
        for path, picture in ((files.watermarked, sample.watermarked), (files.clean, sample.clean)):
            expected = cv2.resize(decode(path), (24, 24), interpolation=cv2.INTER_LINEAR)
            assert torch.equal(picture, torch.from_numpy(expected))
        mask = decode(files.mask)[..., 0]
        rows, columns = ((np.arange(24) + 0.5) * side // 24 for side in mask.shape)
        assert torch.equal(sample.mask[..., 0], torch.from_numpy(mask[rows.astype(int)][:, columns.astype(int)]))


def test_pictures_that_are_too_small_are_enlarged_like_photographs(save_pairs, make_paired):
    module = ready(make_paired(save_pairs("plain", {"test": 3}), size=64))
    for sample in samples_of(module, "test"):
        assert torch.equal(sample.watermarked, torch.from_numpy(crop(decode(module.root / sample.name), 64)))


@pytest.mark.parametrize("fit", ["crop", "resize"])
@pytest.mark.parametrize("augment", ["none", "light", "full"])
@pytest.mark.parametrize("size", [16, 48])
def test_a_missing_mask_is_where_the_pictures_shown_differ(save_pairs, make_paired, fit, augment, size):
    root = save_pairs("plain", {".": 10})
    for path in (root / "mask").iterdir():
        path.unlink()
    augmentation = instantiate(composed(f"augment={augment}", f"data.size={size}").augment)
    module = ready(make_paired(root, fit=fit, augment=augmentation, size=size))
    marked = 0
    for stage in STAGES:
        for sample in samples_of(module, stage, epochs=(0, 1)):
            assert torch.equal(sample.mask[..., 0] == 255, difference(sample) > 15)
            marked += sample.mask.any().item()
    assert marked > 6


@pytest.mark.parametrize(("levels", "marked"), [(0, 3), (14, 2), (15, 1), (44.5, 1), (45, 0)])
def test_derived_masks_add_up_the_channels_differences(levels, marked):
    clean = np.full((1, 4, 3), 100, dtype=np.uint8)
    # Sums of 0, 1, 15 and 45, lighter and darker ones alike.
    watermarked = np.array([[[100, 100, 100], [99, 100, 100], [105, 95, 105], [85, 115, 115]]], dtype=np.uint8)
    mask = difference_mask(Pair(watermarked, clean, None), levels)
    assert mask.tolist() == [[255 * (number >= 4 - marked) for number in range(4)]]
    assert mask.dtype == np.uint8


def test_the_most_a_pair_can_differ_does_not_wrap():
    white, black = np.full((1, 1, 3), 255, dtype=np.uint8), np.zeros((1, 1, 3), dtype=np.uint8)
    assert difference_mask(Pair(black, white, None), 764).tolist() == [[255]]


@pytest.mark.parametrize(
    ("layout", "tested", "option", "least"),
    [
        ("clwd", "test", None, 26), ("lvw", "test", None, 26), ("logo", "val", None, 128), ("plain", "test", None, 128),
        ("lvw", "test", 0.5, 128), ("plain", "test", 0.0, 1),
    ],
)  # fmt: skip
def test_given_masks_count_above_their_threshold(save_pairs, make_paired, layout, tested, option, least):
    root = save_pairs(layout, {tested: 1}, shape=(16, 16))
    (files,) = ready(make_paired(root, layout))._source.files.values()
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(values).save(files.mask)
    (sample,) = samples_of(ready(make_paired(root, layout, mask_threshold=option)), "test")
    np.testing.assert_array_equal(sample.mask[..., 0].numpy() == 255, values >= least)


def test_there_is_no_second_view_alpha_or_layer(save_pairs, make_paired):
    module = ready(make_paired(save_pairs("plain", {".": 10})))
    batch = next(iter(module.train_dataloader()))
    assert batch.reference is batch.alpha is batch.layer is None
    sample = module.on_after_batch_transfer(batch, 0)
    assert sample.reference is sample.alpha is sample.layer is None
    assert sample.watermarked.shape == (4, 3, 16, 16)
    torch.testing.assert_close(sample.clean[1, 2] * 255, batch.clean[1, ..., 2].float())


def test_pairs_do_not_depend_on_the_number_of_workers(save_pairs, make_paired):
    root = save_pairs("lvw", {"train": 9, "test": 3})
    augment = instantiate(composed("augment=full", "data.size=16").augment)

    def batches(workers):
        module = ready(make_paired(root, "lvw", augment=augment, num_workers=workers, batch_size=3))
        loaders = [module.train_dataloader(), module.val_dataloader(), module.test_dataloader()]
        out = []
        for epoch in (0, 1):
            for loader in loaders:
                loader.sampler.set_epoch(epoch)
                out += list(loader)
        return out

    alone, two = batches(0), batches(2)
    assert len(alone) == len(two) == 2 * (2 + 1 + 1)
    for first, second in zip(alone, two, strict=True):
        assert list(first.name) == list(second.name)
        for column in ("watermarked", "clean", "mask"):
            assert torch.equal(getattr(first, column), getattr(second, column))


def test_making_pairs_leaves_the_global_generators_alone(save_pairs, make_paired, global_random_state):
    module = ready(make_paired(save_pairs("plain", {".": 10})))
    before = global_random_state()
    samples_of(module, "train", epochs=(0, 1))
    assert global_random_state() == before
