import numpy as np
import pytest

from wm_lightning.inference.pixels import as_bytes, largest


def test_sixteen_bits_as_eight():
    assert as_bytes(np.array([0, 128, 257, 65535], np.uint16)).tolist() == [0, 0, 1, 255]
    assert as_bytes(np.array([3, 255], np.uint8)).tolist() == [3, 255]


@pytest.mark.parametrize(("kind", "value"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_what_stands_for_one(kind, value):
    assert largest(np.zeros((2, 2, 3), kind)) == value
