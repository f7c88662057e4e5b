import os
import subprocess
import sys

import pytest
from PIL import Image

from wm_lightning.images.limits import Limits, half_the_memory, limited_pixels

GROW = """
from wm_lightning.images.limits import limit_memory
limit_memory(1)
bytearray(10**8)
try:
    bytearray(10**9)
except MemoryError:
    raise SystemExit(7)
"""


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_pillow_opens_no_more_than_it_may_and_as_before_afterwards(tmp_path):
    Image.new("L", (200, 100)).save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS
    with limited_pixels(0.0199), pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")
    assert before == Image.MAX_IMAGE_PIXELS
    with limited_pixels(0.02), Image.open(tmp_path / "a.png") as opened:
        assert opened.size == (200, 100)


def test_what_is_usual_is_what_pillow_takes():
    with limited_pixels(Limits().megapixels):
        assert Image.MAX_IMAGE_PIXELS == 1024 * 1024 * 1024 // 4 // 3


@pytest.mark.skipif(sys.platform == "win32", reason="a process's memory is limited on POSIX alone")
def test_a_process_has_no_more_memory_than_it_may():
    assert subprocess.run([sys.executable, "-c", GROW], check=False).returncode == 7


def test_half_the_memory_is_enough_for_libraries_or_is_not_known(monkeypatch):
    pages = {"SC_PHYS_PAGES": 10_000_000, "SC_PAGE_SIZE": 1000}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__, raising=False)
    assert half_the_memory() == 5
    pages["SC_PHYS_PAGES"] = 1000
    assert half_the_memory() == 2
    monkeypatch.delattr(os, "sysconf")
    assert half_the_memory() is None
