"""Colours that a PNG declares by chunks."""

import struct

import numpy as np
import pytest

from tests.images.test_decoding import png, values
from tests.inference.awkward import chunk
from wm_lightning.images.png_colours import SRGB, declared_profile
from wm_lightning.images.profiles import colours_of

CHRM = [round(100_000 * one) for one in SRGB]


def gama(gamma):
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def seen(extra, value, grey=False):
    """What a viewer shows of one value."""
    file = png(values(2, 2, 1 if grey else 3, top=256), 0 if grey else 2, 8, extra)
    colours = colours_of(declared_profile(file), grey)
    pixel = np.array(value, np.uint8)[None, None]
    return (pixel if colours is None else colours.seen(pixel))[0, 0].astype(int)


@pytest.mark.parametrize("grey", [False, True])
def test_a_gamma_is_what_values_are_raised_to(grey):
    linear = seen(gama(1), [60, 60, 60], grey)
    assert np.abs(linear - (1.055 * (60 / 255) ** (1 / 2.4) - 0.055) * 255).max() <= 1.5


@pytest.mark.parametrize(
    "extra",
    [
        b"", gama(0.45455), gama(0.45455) + chunk(b"cHRM", struct.pack(">8I", *CHRM)),
        chunk(b"cICP", bytes([1, 13, 0, 1])),
        gama(1) + chunk(b"sRGB", b"\0"), chunk(b"cICP", bytes([9, 16, 0, 1])), chunk(b"gAMA", bytes(4)),
        gama(0.4) + chunk(b"cHRM", bytes(32)), chunk(b"cICP", b""),
    ],
)  # fmt: skip
def test_srgb_in_other_words_and_what_cannot_be_shown_stay_as_they_are(extra):
    assert seen(extra, [200, 60, 90]).tolist() == [200, 60, 90]


def test_wide_primaries_are_more_colourful_than_those_of_srgb_and_white_is_white():
    for extra in (chunk(b"cICP", bytes([12, 13, 0, 1])), chunk(b"cICP", bytes([9, 1, 0, 1]))):
        red = seen(extra, [180, 100, 100])
        assert red[0] > 184
        assert red[1] < 99
        assert np.abs(seen(extra, [255, 255, 255]) - 255).max() <= 1
    # Display P3 (180, 100, 100) is sRGB (192.5, 94.7, 97.6), by the matrices of both
    assert np.abs(seen(chunk(b"cICP", bytes([12, 13, 0, 1])), [180, 100, 100]) - [192.5, 94.7, 97.6]).max() <= 1
