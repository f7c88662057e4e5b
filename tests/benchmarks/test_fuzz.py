"""Forty damaged files of all formats; ``benchmarks/fuzz.py`` does thousands."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_lightning.errors import UserError
from wm_lightning.inference.codecs import Codecs

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # as benchmarks import each other
try:
    import fuzz
finally:
    sys.path.remove(str(BENCHMARKS))

FILES = fuzz.files()
CHANGES = st.lists(
    st.builds(fuzz.Change, st.sampled_from(fuzz.WAYS), st.floats(0, 1), st.integers(0, 2**16 - 1)),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def codecs():
    with Codecs(1, fuzz.LIMITS) as opened:
        yield opened


@settings(max_examples=40, derandomize=True, database=None, deadline=None)
@given(name=st.sampled_from(sorted(FILES)), changes=CHANGES)
def test_a_damaged_file_gives_a_picture_or_a_sentence(codecs, name, changes):
    content = fuzz.changed(FILES[name], changes)
    content = fuzz.repaired(content) if name.endswith(".png") else content
    outcome, fault = fuzz.outcome_of(codecs, name, content)
    assert fault is None, f"{outcome}: {fault}"


def test_what_is_not_damaged_is_written_and_checksums_are_put_right(codecs):
    for name in ("deep.tif", "rgba.png", "baseline.jpg", "lossless.webp", "rgb.bmp"):
        assert fuzz.outcome_of(codecs, name, FILES[name]) == ("written", None)
    content = bytearray(FILES["rgba.png"])
    content[45] ^= 1  # of metadata
    assert fuzz.outcome_of(codecs, "rgba.png", bytes(content))[0] == "not read: UnreadableError"
    assert fuzz.repaired(FILES["rgba.png"]) == FILES["rgba.png"]


def test_what_is_wrong_is_told(codecs, monkeypatch):
    monkeypatch.setattr(fuzz, "file_of", lambda picture, pixels, *rest: (picture.file, []))
    _, fault = fuzz.outcome_of(codecs, "rgba.png", FILES["rgba.png"])
    assert fault == "the result differs from the picture in 54% of its pixels"
    monkeypatch.setattr(fuzz, "file_of", lambda picture, pixels, *rest: (b"none", []))
    assert "the result is no picture" in fuzz.outcome_of(codecs, "rgb.bmp", FILES["rgb.bmp"])[1]
    monkeypatch.setattr(codecs, "read", crashed)
    assert "ended with" in fuzz.outcome_of(codecs, "rgb.bmp", FILES["rgb.bmp"])[1]


def crashed(path, data):
    raise UserError(f"{path} cannot be read: decoding it ended with signal SIGSEGV.")


def test_the_same_seed_draws_the_same_changes():
    first, second = (fuzz.drawn(np.random.default_rng((3, 4))) for _ in range(2))
    assert first == second
    assert first != fuzz.drawn(np.random.default_rng((3, 5)))
