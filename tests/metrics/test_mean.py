import math

import pytest
import torch

from wm_lightning.metrics import PictureMean

NAN = math.nan


@pytest.mark.parametrize("batches", [[[1.0, 2.0, 6.0, 7.0]], [[1.0], [2.0, 6.0, 7.0]], [[1.0], [2.0], [6.0], [7.0]]])
def test_mean_is_over_pictures_and_not_over_batches(batches):
    mean = PictureMean()
    for batch in batches:
        mean.update(torch.tensor(batch))
    assert mean.compute().item() == 4


def test_undefined_pictures_are_left_out():
    mean = PictureMean()
    mean.update(torch.tensor([NAN, 3.0]))
    mean.update(torch.tensor([NAN]))
    mean.update(torch.tensor([5.0, NAN]))
    assert mean.compute().item() == 4
    assert mean.count.item() == 2


def test_mean_of_no_picture_is_not_a_number():
    mean = PictureMean()
    mean.update(torch.tensor([NAN, NAN]))
    assert mean.compute().isnan()


def test_infinity_is_not_hidden():
    mean = PictureMean()
    mean.update(torch.tensor([1.0, math.inf]))
    assert mean.compute().item() == math.inf


def test_half_precision_scores_are_summed_in_single():
    mean = PictureMean()
    for _ in range(300):
        mean.update(torch.full((8,), 30.125, dtype=torch.bfloat16))
    assert mean.compute().item() == pytest.approx(30.125, rel=1e-6)


def test_reset_forgets():
    mean = PictureMean()
    mean.update(torch.tensor([100.0]))
    mean.reset()
    mean.update(torch.tensor([2.0]))
    assert mean.compute().item() == 2
