from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.data.device.pictures import batch_of, photographs, psnr, unbatched
from wm_lightning.data.device.degradation import degraded
from wm_lightning.data.device.levels import exact
from wm_lightning.data.synthesis.degradation import DegradationSampler, degrade
from wm_lightning.data.synthesis.spec import DegradationSpec

COUNT, SIZE = 50, 64
PHOTOGRAPHS = photographs(COUNT, SIZE)
NOTHING = dict.fromkeys(("tone", "moire", "blur", "resample", "jpeg"), 0.0)
EACH = {  # how alike the pictures of both are at least, in dB
    "tone": 60, "moire": 60, "blur": 55, "resample": 54, "screen": 54, "sharpen": 54, "jpeg": 45, "noise": 0,
}  # fmt: skip


def sampled(seed=0, **shares):
    draw, generator = DegradationSampler(share=1, **{**NOTHING, **shares}), np.random.default_rng(seed)
    return [draw(generator) for _ in range(COUNT)]


def on_device(pictures, specs):
    with exact(torch.device("cpu")):
        return unbatched(degraded(batch_of(pictures), specs))


@pytest.mark.parametrize("name", EACH)
def test_each_does_what_it_does_in_a_loader_process(name):
    specs = sampled(**{name: 1.0})
    theirs = [degrade(picture, spec) for picture, spec in zip(PHOTOGRAPHS, specs, strict=True)]
    made = on_device(PHOTOGRAPHS, specs)
    assert min(map(psnr, theirs, made)) > EACH[name]
    # A level here and there is much where a faint blur changes little
    changes, same_changes = (np.array(list(map(psnr, PHOTOGRAPHS, of))).clip(max=50) for of in (theirs, made))
    assert changes.mean() < 48
    assert abs(changes.mean() - same_changes.mean()) < 0.05
    assert abs(changes.std() - same_changes.std()) < 0.05


def test_all_of_them_follow_each_other_in_the_same_order():
    shares = dict.fromkeys((*NOTHING, "screen", "sharpen", "twice", "full_chroma"), 0.6)
    specs = sampled(seed=1, **shares)
    theirs = [
        picture if spec is None else degrade(picture, spec) for picture, spec in zip(PHOTOGRAPHS, specs, strict=True)
    ]
    made = on_device(PHOTOGRAPHS, specs)
    alike = np.array(list(map(psnr, theirs, made)))
    assert alike.min() > 30  # a coefficient that is rounded otherwise, compressed once more
    assert np.median(alike) > 45  # sharpening makes a level up to three


def test_pictures_of_a_pair_go_through_the_same():
    spec = replace(sampled(noise=1.0)[0], blur=0.7, jpeg=60)
    pair = torch.cat([batch_of(PHOTOGRAPHS[:1])] * 3, dim=1)
    with exact(torch.device("cpu")):
        first, *others = degraded(pair, [spec])[0]
    assert not torch.equal(first, pair[0, 0])
    assert all(torch.equal(first, other) for other in others)


def test_what_is_beside_a_picture_changes_nothing_of_it():
    specs = sampled(seed=2, **dict.fromkeys((*NOTHING, "screen", "noise"), 0.7))
    together = on_device(PHOTOGRAPHS, specs)
    for start in (0, 7, 30):
        part = slice(start, start + 3)
        np.testing.assert_array_equal(together[part], on_device(PHOTOGRAPHS[part], specs[part]))


def test_noise_depends_on_its_seed_alone_and_has_the_spread_that_was_asked_for():
    grey = [np.full((SIZE, SIZE, 3), 128, np.uint8)] * 3
    one, same, other = on_device(grey, [DegradationSpec(noise=(4.0, seed)) for seed in (5, 5, 6)]).astype(float) - 128
    np.testing.assert_array_equal(one, same)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03
    for noise in (one, other):
        assert abs(noise.mean()) < 0.15
        assert noise.std() == pytest.approx(4, rel=0.03)
        neighbours = (noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1]), (noise[..., 1:], noise[..., :-1])
        assert all(abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.03 for a, b in neighbours)


def test_a_blur_wider_than_the_picture_is_the_same_too():
    picture, spec = PHOTOGRAPHS[0][:12, :12].copy(), DegradationSpec(blur=6.0)
    assert psnr(degrade(picture, spec), on_device([picture], [spec])[0]) > 50
