import numpy as np
import pytest
import torch

from wm_lightning.models.size import pad_to_requirement, space_to_depth
from wm_lightning.sizes import SizeRequirement


def test_allowed_size_is_returned_untouched():
    image = torch.rand(2, 3, 16, 24)
    assert pad_to_requirement(image, SizeRequirement(8)) is image


def test_border_is_mirrored_without_repeating_the_edge():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    expected = [
        [0.0, 1.0, 2.0, 1.0],
        [3.0, 4.0, 5.0, 4.0],
        [6.0, 7.0, 8.0, 7.0],
        [3.0, 4.0, 5.0, 4.0],
    ]
    assert pad_to_requirement(image, SizeRequirement(4))[0, 0].tolist() == expected


def test_border_is_repeated_where_the_picture_is_too_small_to_mirror():
    image = torch.tensor([[1.0, 2.0, 3.0]]).reshape(1, 1, 1, 3)
    expected = [[1.0, 2.0, 3.0, 3.0]] * 4
    assert pad_to_requirement(image, SizeRequirement(4))[0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("height", "width", "mode"),
    [(37, 31, "reflect"), (7, 50, "reflect"), (5, 5, "reflect"), (4, 40, "edge"), (3, 200, "edge"), (1, 1, "edge")],
)
def test_padding_equals_numpy(height, width, mode):
    image = torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(0))
    bottom, right = -height % 8, -width % 8
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (0, bottom), (0, right)), mode=mode)
    np.testing.assert_array_equal(pad_to_requirement(image, SizeRequirement(8)).numpy(), expected)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_space_to_depth_moves_every_pixel_and_keeps_the_memory_format(memory_format):
    image = torch.rand(2, 3, 4, 6).contiguous(memory_format=memory_format)
    out = space_to_depth(image, 2)
    assert out.shape == (2, 12, 2, 3)
    assert out.is_contiguous(memory_format=memory_format)
    for channel in range(3):
        for row in range(2):
            for column in range(2):
                assert torch.equal(out[:, 4 * channel + 2 * row + column], image[:, channel, row::2, column::2])
