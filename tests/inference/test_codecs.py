"""Processes that decode and encode: what ends one ends one call."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.inference.awkward import exit_for_crash, smooth
from wm_lightning.errors import ArgumentError, UserError
from wm_lightning.inference import codecs as module
from wm_lightning.inference.codecs import Codecs
from wm_lightning.inference.encoding import encode_picture, file_of
from wm_lightning.inference.pictures import read_picture


@pytest.fixture
def codecs():
    with Codecs(1) as opened:
        yield opened


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    smooth().save(path)
    return path


def raise_named(path):
    raise ArgumentError("{image}={} is wrong.", path)


def raise_other(path):
    raise ZeroDivisionError("by zero")


def test_pictures_are_those_of_this_process(codecs, photo):
    here, there = read_picture(photo), codecs.read(photo)
    assert np.array_equal(here.pixels, there.pixels)
    assert there.stored is there.pixels
    assert there.file == photo.read_bytes()
    pixels = there.pixels // 2
    assert codecs.encode(there, pixels, ".jpg") == encode_picture(here, pixels, ".jpg")
    assert file_of(here, pixels, ".png", codecs.encode) == file_of(here, pixels, ".png")


def test_errors_come_through(codecs, monkeypatch, photo):
    with pytest.raises(UserError, match=r"^nowhere.png cannot be read: No such file or directory\.$"):
        codecs.read(Path("nowhere.png"))
    monkeypatch.setattr(module, "read_picture", raise_named)
    with pytest.raises(ArgumentError) as found:
        codecs.read(photo)
    assert found.value.worded(lambda name: f"--{name}", " ") == f"--image {photo} is wrong."
    monkeypatch.setattr(module, "read_picture", raise_other)
    with pytest.raises(UserError, match=f"^{photo} failed: ZeroDivisionError: by zero.$"):
        codecs.read(photo)


@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
def test_a_process_that_dies_is_one_picture_and_is_started_again(codecs, monkeypatch, photo):
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_picture", exit_for_crash)
        with pytest.raises(UserError, match=r"crash\.png cannot be read: decoding it ended with signal SIGABRT\.$"):
            codecs.read(photo.with_name("crash.png"))
        with pytest.raises(UserError, match=r"exit\.png cannot be read: decoding it ended with status 3\.$"):
            codecs.read(photo.with_name("exit.png"))
        patch.setattr(module, "encode_picture", exit_for_crash)
        with pytest.raises(UserError, match=r"^cannot be written as \.png: encoding it ended with signal SIGABRT\.$"):
            codecs.encode(read_picture(photo), np.zeros((2, 2, 3), np.uint8), ".png")
    assert codecs.read(photo).format == "PNG"


def test_one_that_died_while_it_was_idle_fails_one_picture_at_most(codecs, photo):
    codecs.read(photo)
    codecs._all[0]._process.kill()
    time.sleep(0.1)
    with pytest.raises(UserError, match="decoding it ended with"):
        codecs.read(photo)
    assert codecs.read(photo).format == "PNG"


def test_none_is_left_at_the_end(photo):
    with Codecs(2) as opened:
        opened.read(photo)
        processes = [codec._process for codec in opened._all]
    assert [process.poll() is not None for process in processes] == [True, True]


def test_large_pictures_come_whole(codecs, tmp_path):
    path, pixels = tmp_path / "large.png", np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    Image.fromarray(pixels).save(path, compress_level=0)
    assert np.array_equal(codecs.read(path).pixels, pixels)
