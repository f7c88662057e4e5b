"""Colours of a profile, seen and stored again."""

import struct

import numpy as np
import pytest
from PIL import ImageCms

from wm_lightning.images.profiles import colours_of

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide():
    """A profile like sRGB whose red lies further out, as that of wide gamuts does."""
    profile = bytearray(SRGB)
    count = struct.unpack_from(">I", profile, 128)[0]
    places = {}
    for i in range(count):
        name, place, _ = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        places[name] = place
    red = np.array(struct.unpack_from(">3i", profile, places[b"rXYZ"] + 8))
    blue = np.array(struct.unpack_from(">3i", profile, places[b"bXYZ"] + 8))
    step = (red * 0.25).astype(int)
    struct.pack_into(">3i", profile, places[b"rXYZ"] + 8, *(red + step).tolist())
    struct.pack_into(">3i", profile, places[b"bXYZ"] + 8, *(blue - step).tolist())
    return bytes(profile)


@pytest.fixture
def stored():
    return np.random.default_rng(0).integers(100, 150, (20, 30, 3)).astype(np.uint8)


def test_colours_of_srgb_and_of_no_profile_are_what_they_are():
    for profile in (None, b"", SRGB, b"no profile"):
        assert colours_of(profile, grey=False) is None
    assert colours_of(SRGB, grey=True) is None  # of colours, which grey has none of


def test_a_network_sees_what_a_viewer_shows(stored):
    colours = colours_of(wide(), grey=False)
    assert colours is not None
    grey = np.full((2, 2, 3), 120, np.uint8)
    assert np.abs(colours.seen(grey).astype(int) - 120).max() <= 1  # grey is grey everywhere
    red = np.array([[[150, 100, 100]]], np.uint8)
    assert colours.seen(red)[0, 0, 0] > 155


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_changed_is_stored_in_the_files_colours_and_the_rest_to_the_bit(stored, dtype):
    stored = stored.astype(dtype) * (1 if dtype == np.uint8 else 257)
    colours = colours_of(wide(), grey=False)
    seen = colours.seen(stored)
    assert seen.dtype == dtype
    cleaned = seen.copy()
    cleaned[:10] = seen[:10] // 2 + np.iinfo(dtype).max // 8
    back = colours.stored(stored, seen, cleaned)
    assert np.array_equal(back[10:], stored[10:])
    again = colours.seen(back)
    assert np.abs(again.astype(float) - cleaned).max() <= 4 * np.iinfo(dtype).max / 255
    assert colours.stored(stored, seen, seen) is stored
