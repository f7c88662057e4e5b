"""What the button of the tab for many pictures does, without a browser."""

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="Gradio is not installed")

from tests.mark.conftest import CORNER, lettering, photograph, put
from wm_lightning.app import many
from wm_lightning.app.sessions import Sessions
from wm_lightning.errors import UserError
from wm_lightning.mark.known import KnownMark

REQUEST = SimpleNamespace(session_hash="one", headers={})
INSIDE = slice(CORNER[0], CORNER[0] + 22), slice(CORNER[1], CORNER[1] + 62)


def progress(*_, **__):
    pass


@pytest.fixture
def work(cleaner, tmp_path):
    root = tmp_path / "sessions"
    root.mkdir()
    return many._Work(cleaner, Sessions(root), 20)


def uploads(folder, count):
    """Saves photographs that have white letters at one place, and a broken file."""
    alpha = lettering()
    mark = KnownMark(alpha, np.repeat(alpha[..., None], 3, axis=-1), np.zeros_like(alpha))
    paths = [folder / f"{number}.png" for number in range(count)]
    for seed, path in enumerate(paths):
        Image.fromarray(put(photograph(seed), mark)).save(path)
    (folder / "broken.png").write_bytes(paths[0].read_bytes()[:300])
    return [*map(str, paths), str(folder / "broken.png")]


def test_a_mark_that_all_share_is_measured_and_undone(work, tmp_path):
    sources = work.take(uploads(tmp_path, 12), REQUEST)[0]
    told = list(work.clean(sources, True, "general", 1.0, 0.15, REQUEST, progress))
    assert "Looking for the mark" in told[0][0]
    status, table, download = told[-1]
    assert "12 of 13 pictures cleaned; 1 failed." in status
    assert "broken.png is damaged or cut short" in table
    with zipfile.ZipFile(download["value"]) as archive:
        assert len(archive.namelist()) == 12
        for seed in range(12):
            cleaned = np.asarray(Image.open(io.BytesIO(archive.read(f"{seed}.png")))) / 255
            error = np.abs(cleaned - photograph(seed))
            assert error[INSIDE].mean() < 0.03  # the letters change it by 0.1
            error[INSIDE] = 0
            assert error.max() < 0.01


def test_pictures_that_share_no_mark_are_refused_in_a_sentence(work, tmp_path):
    sources = work.take(uploads(tmp_path, 4)[:4], REQUEST)[0]
    status, _, download = list(work.clean(sources, True, "general", 1.0, 0.15, REQUEST, progress))[-1]
    assert "A mark cannot be told from 4 pictures; give at least 5 that share it." in status
    assert "error" in status
    assert not download["visible"]


def test_errors_name_no_folder(cleaner, tmp_path):
    gone = [tmp_path / f"{number}.png" for number in range(5)]
    with pytest.raises(UserError) as error:
        cleaner.shared_mark(gone, lambda _: None)
    assert "0.png" in str(error.value)
    assert str(tmp_path) not in str(error.value)


def test_a_page_that_was_closed_ends_the_search_for_a_mark(work, tmp_path):
    sources = work.take(uploads(tmp_path, 6), REQUEST)[0]
    job = work.clean(sources, True, "general", 1.0, 0.15, REQUEST, progress)
    next(job)
    work.sessions.end("one")
    status = list(job)[-1][0]
    assert "given up" in status
    assert list(Path(work.sessions.root).iterdir()) == []
