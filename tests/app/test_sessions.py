import threading
import time

import pytest

from wm_lightning.app import sessions as module
from wm_lightning.app.sessions import AbandonedError, Sessions


def upload(folder, text):
    folder.mkdir(parents=True)
    path = folder / "photo.jpg"
    path.write_text(text)
    return str(path)


def take(sessions, session, tab, *uploads):
    with sessions.job(session) as job:
        return job.take(tab, uploads)


def test_files_of_one_name_are_kept_apart_and_uploads_are_moved(tmp_path):
    uploads = [upload(tmp_path / "uploads" / name, name) for name in "ab"]
    taken = take(Sessions(tmp_path), "one", "many", *uploads)
    assert [path.read_text() for path in taken] == ["a", "b"]
    assert [path.name for path in taken] == ["photo.jpg", "photo.jpg"]
    assert not list((tmp_path / "uploads").rglob("*.jpg"))


def test_a_new_picture_takes_the_place_of_all_of_the_last_one_in_its_tab(tmp_path):
    sessions = Sessions(tmp_path)
    (first,) = take(sessions, "one", "single", upload(tmp_path / "a", "a"))
    (other,) = take(sessions, "one", "many", upload(tmp_path / "b", "b"))
    with sessions.job("one") as job:
        results = job.results("single")
    (second,) = take(sessions, "one", "single", upload(tmp_path / "c", "c"))
    assert second.read_text() == "c"
    assert first == second
    assert not results.exists()
    assert other.read_text() == "b"


def test_of_results_the_first_and_the_newest_two_stay(tmp_path):
    made = []
    with Sessions(tmp_path).job("one") as job:
        for _ in range(12):
            made.append(job.results("single"))
            assert list(made[-1].iterdir()) == []
            (made[-1] / "photo.jpg").touch()
    assert len(set(made)) == 12
    assert [path for path in made if path.exists()] == [made[0], made[-2], made[-1]]


def test_a_session_s_end_deletes_its_files_alone(tmp_path):
    sessions = Sessions(tmp_path)
    (mine,) = take(sessions, "one", "single", upload(tmp_path / "a", "a"))
    (yours,) = take(sessions, "two", "single", upload(tmp_path / "b", "b"))
    sessions.end("one")
    sessions.end("one")
    sessions.end("never opened")
    assert not mine.exists()
    assert yours.read_text() == "b"


def test_a_session_s_name_is_no_path(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    sessions = Sessions(root)
    with sessions.job("../outside") as job:
        assert job.results("single").is_relative_to(root)
    sessions.end("../outside")
    assert outside.is_dir()
    assert list(root.iterdir()) == []


def test_a_job_whose_page_is_closed_is_told_so_and_its_files_go_when_it_stops(tmp_path):
    sessions = Sessions(tmp_path)
    with sessions.job("one") as job:
        job.check()
        results = job.results("single")
        sessions.end("one")
        assert results.exists()  # it may be about to write there
        with pytest.raises(AbandonedError):
            job.check()
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_comes_back_begins_anew(tmp_path):
    sessions = Sessions(tmp_path)
    take(sessions, "one", "single", upload(tmp_path / "a", "a"))
    sessions.end("one")
    with sessions.job("one") as job:
        job.check()
        assert job.results("single").name == "results-0"


def test_closing_waits_for_jobs_and_stops_later_ones(tmp_path):
    sessions, inside, seen = Sessions(tmp_path), threading.Event(), []

    def work():
        with sessions.job("one") as job:
            inside.set()
            while True:
                try:
                    job.check()
                except AbandonedError as error:
                    seen.append(error)
                    return

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    sessions.close(patience=30)
    assert list(tmp_path.iterdir()) == []
    thread.join()
    assert len(seen) == 1
    with sessions.job("two") as job, pytest.raises(AbandonedError):
        job.check()
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_never_says_goodbye_is_forgotten_after_a_day(tmp_path, monkeypatch):
    sessions = Sessions(tmp_path)
    (old,) = take(sessions, "old", "single", upload(tmp_path / "a", "a"))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + module.DAY - 60)
    (new,) = take(sessions, "new", "single", upload(tmp_path / "b", "b"))
    assert old.exists()
    monkeypatch.setattr(time, "monotonic", lambda: now + module.DAY + 60)
    take(sessions, "third", "single")
    assert not old.exists()
    assert new.exists()


def test_of_a_program_s_calls_the_newest_keep_their_files(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CALLS", 3)
    sessions = Sessions(tmp_path)
    with sessions.job("one") as job:
        taken = [job.take(job.call(), [upload(tmp_path / name, name)])[0] for name in "abcde"]
        assert sorted(path.read_text() for path in {*taken}) == ["c", "d", "e"]
