"""What the buttons of the tab for one picture do, without a browser."""

from types import SimpleNamespace

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="Gradio is not installed")

from wm_lightning.app import many, single
from wm_lightning.app.sessions import Sessions
from wm_lightning.app.work import Cleaner

REQUEST = SimpleNamespace(session_hash="one", headers={"accept-language": "zh-CN"})


def progress(*_, **__):
    pass


@pytest.fixture
def uploaded(marked, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(marked).save(path)
    return str(path)


@pytest.fixture
def own_cleaner():
    """One whose engine a test may replace."""
    return Cleaner(["general"], device="cpu")


class Watched:
    """An engine that counts its tiles and does something at each."""

    def __init__(self, engine, happens):
        self.engine, self.knows_layers, self.happens, self.tiles = engine, engine.knows_layers, happens, 0

    def correct(self, picture):
        self.tiles += 1
        self.happens()
        return self.engine.correct(picture)


def test_a_job_ends_with_the_next_tile_when_its_page_is_closed(own_cleaner, uploaded, tmp_path):
    root = tmp_path / "sessions"
    root.mkdir()
    sessions = Sessions(root)
    work = single._Work(own_cleaner, sessions)
    engine = Watched(own_cleaner.engines["general"], lambda: sessions.end("one"))
    own_cleaner.engines["general"] = engine
    path = work.take(uploaded, REQUEST)[0]
    work.clean_new(path, "general", 1, 0.15, REQUEST, progress)
    assert engine.tiles == 1
    assert list(root.iterdir()) == []


def test_many_end_with_the_next_tile_too(own_cleaner, uploaded, marked, tmp_path):
    root, other = tmp_path / "sessions", tmp_path / "other.png"
    root.mkdir()
    Image.fromarray(marked).save(other)
    sessions = Sessions(root)
    work = many._Work(own_cleaner, sessions, 9)
    engine = Watched(own_cleaner.engines["general"], lambda: sessions.end("one"))
    own_cleaner.engines["general"] = engine
    sources = work.take([uploaded, str(other)], REQUEST)[0]
    list(work.clean(sources, False, "general", 1, 0.15, REQUEST, progress))
    assert engine.tiles == 1
    assert list(root.iterdir()) == []


def test_no_error_is_mute(own_cleaner, uploaded, tmp_path):
    work = single._Work(own_cleaner, Sessions(tmp_path))
    own_cleaner.engines["general"] = Watched(own_cleaner.engines["general"], lambda: 1 / 0)
    path = work.take(uploaded, REQUEST)[0]
    told = work.clean("", path, "general", 1, 0.15, None, REQUEST, progress)[0]
    assert told == '<p class="error" role="alert">photo.png 处理失败：ZeroDivisionError: division by zero。</p>'
    assert "error" in work.take(uploaded, REQUEST)[5]  # it is there no more
    assert "请先拖入一张图片" in work.clean("", None, "general", 1, 0.15, None, REQUEST, progress)[0]


def test_a_picture_that_is_gone_is_said_to_be(own_cleaner, uploaded, tmp_path):
    sessions = Sessions(tmp_path)
    work = single._Work(own_cleaner, sessions)
    path = work.take(uploaded, REQUEST)[0]
    sessions.end("one")
    assert "图片已不在服务器上" in work.clean("", path, "general", 1, 0.15, None, REQUEST, progress)[0]
    assert "图片已不在服务器上" in work.switch(path, None, [], REQUEST)[0]
