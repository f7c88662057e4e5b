import albumentations as A
import numpy as np
import pytest
import torch

from tests.data.device.pictures import batch_of, photographs, psnr, unbatched
from wm_lightning.data import Augmentation
from wm_lightning.data.device.augmentation import augmented, computed_on_device

LIGHT = {
    "flip": A.HorizontalFlip(p=0.5),
    "brightness": A.RandomBrightnessContrast(brightness_limit=(-0.3, 0.3), contrast_limit=(-0.3, 0.3), p=0.8),
    "hue": A.HueSaturationValue(hue_shift_limit=(-90, 90), sat_shift_limit=(-40, 40), val_shift_limit=(-40, 40), p=0.8),
}
SIZE, COUNT = 48, 40
PHOTOGRAPHS = photographs(COUNT, SIZE + 9)


def both_ways(augmentation):
    """Each photograph by a loader process, and by the device from the same generator."""
    theirs = [augmentation(photo, SIZE, np.random.default_rng(n)) for n, photo in enumerate(PHOTOGRAPHS)]
    put_off = [augmentation.until_device(photo, SIZE, np.random.default_rng(n)) for n, photo in enumerate(PHOTOGRAPHS)]
    crops, drawn = zip(*put_off, strict=True)
    made = augmented(batch_of(crops)[:, 0], augmentation.on_device, drawn)
    return theirs, crops, unbatched(made[:, None])


@pytest.mark.parametrize("name", LIGHT)
def test_each_makes_the_pictures_of_albumentations_from_the_same_numbers(name):
    theirs, crops, made = both_ways(Augmentation(after_crop=[LIGHT[name]]))
    changed = [not np.array_equal(crop, picture) for crop, picture in zip(crops, theirs, strict=True)]
    assert 0.3 * COUNT < sum(changed) < COUNT
    if name == "hue":  # OpenCV's conversion of bytes is a level off here and there
        assert min(map(psnr, theirs, made)) > 50
    else:
        np.testing.assert_array_equal(theirs, made)


def test_the_light_list_is_done_by_the_device_and_nothing_is_left():
    augmentation = Augmentation(after_crop=list(LIGHT.values()))
    assert augmentation.on_device == list(LIGHT.values())
    assert augmentation.off_device == []
    theirs, _, made = both_ways(augmentation)
    assert min(map(psnr, theirs, made)) > 50


def test_what_comes_before_an_unknown_transform_stays_where_it_was():
    flip, gamma, tone = A.HorizontalFlip(p=1), A.RandomGamma(p=1), LIGHT["brightness"]
    augmentation = Augmentation(before_crop=[A.RandomRotate90(p=1)], after_crop=[flip, gamma, tone])
    assert augmentation.on_device == [tone]
    assert augmentation.off_device == ["RandomRotate90", "HorizontalFlip", "RandomGamma"]
    theirs, crops, made = both_ways(augmentation)
    away = [picture.astype(float).mean() for picture in (np.stack(theirs), made)]
    assert abs(away[0] - away[1]) < 8  # drawn alike, not the same
    assert not np.array_equal(crops, made)


def test_an_option_that_looks_at_the_picture_is_not_known():
    assert computed_on_device(A.RandomBrightnessContrast())
    assert not computed_on_device(A.RandomBrightnessContrast(brightness_by_max=False))
    assert not computed_on_device(A.RandomBrightnessContrast(ensure_safe_range=True))
    assert not computed_on_device(A.OneOf([A.HorizontalFlip()]))


def test_pictures_are_given_back_as_they_came_where_nothing_was_drawn():
    batch = torch.rand(2, 3, 8, 8)
    out = augmented(batch, [A.HorizontalFlip()], [[{}], [{}]])
    assert torch.equal(out, batch)
