"""The mean of what a network says of mirrored and turned copies."""

import itertools

import numpy as np
import pytest
import torch

from wm_lightning.models import PixelUnshuffleUNet
from wm_lightning.tta import COPIES, tta_mean


def picture(height=6, width=9):
    return torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = PixelUnshuffleUNet((8, 12), attention=0, head="decomposition").eval()
        net.last.reset_parameters()  # it begins as the identity
    return net


@pytest.mark.parametrize("copies", COPIES)
def test_it_is_the_mean_over_all_combinations(net, copies):
    switches = list(itertools.product(*([False, True] if copies > step else [False] for step in (1, 2, 4))))
    assert len(switches) == copies
    image, expected = picture(), 0
    net.tta = copies
    with torch.no_grad():
        for across, down, over in switches:

            def turned(image, across=across, down=down, over=over, back=False):
                image = image.transpose(-1, -2) if over and not back else image
                image = image.flip(-1) if across else image
                image = image.flip(-2) if down else image
                return image.transpose(-1, -2) if over and back else image

            found = net._predict(turned(image))
            expected = expected + torch.cat([turned(part, back=True) for part in found if part is not None], 1) / copies
        found = net.predict(image)
    net.tta = 1
    assert torch.cat(list(found), 1) == pytest.approx(expected, abs=2e-6)
    assert found.image.shape == image.shape
    assert not torch.equal(found.image, image)


@pytest.mark.parametrize("copies", [2, 4, 8])
def test_what_no_copy_changes_stays_to_the_bit_and_what_is_not_found_stays_so(copies):
    found, none = tta_mean(lambda image: (image, None), picture(), copies, torch.Tensor.flip, (-2, -1))
    assert torch.equal(found, picture())
    assert none is None


@pytest.mark.parametrize("copies", COPIES)
def test_arrays_and_tensors_are_averaged_alike(copies):
    """Of what depends on the place: rows, then columns, as each copy sees them."""
    image = picture()

    def ramp(height, width):
        return torch.arange(height * width).float().reshape(height, width) ** 2

    def of_tensor(seen):
        return [seen * ramp(*seen.shape[-2:])]

    def of_array(seen):
        return [seen * ramp(*seen.shape[:2]).numpy()[..., None]]

    (tensor,) = tta_mean(of_tensor, image, copies, torch.Tensor.flip, (-2, -1))
    (array,) = tta_mean(of_array, image[0].movedim(0, -1).numpy(), copies, np.flip, (0, 1))
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, tensor[0].movedim(0, -1).numpy())
