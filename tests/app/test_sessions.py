from wm_lightning.app.sessions import Sessions


def upload(folder, text):
    folder.mkdir(parents=True)
    path = folder / "photo.jpg"
    path.write_text(text)
    return str(path)


def test_files_of_one_name_are_kept_apart_and_uploads_are_moved(tmp_path):
    sessions = Sessions(tmp_path)
    uploads = [upload(tmp_path / "uploads" / name, name) for name in "ab"]
    taken = sessions.take("one", "many", uploads)
    assert [path.read_text() for path in taken] == ["a", "b"]
    assert [path.name for path in taken] == ["photo.jpg", "photo.jpg"]
    assert not list((tmp_path / "uploads").rglob("*.jpg"))


def test_a_new_picture_takes_the_place_of_all_of_the_last_one_in_its_tab(tmp_path):
    sessions = Sessions(tmp_path)
    (first,) = sessions.take("one", "single", [upload(tmp_path / "a", "a")])
    (other,) = sessions.take("one", "many", [upload(tmp_path / "b", "b")])
    results = sessions.results("one", "single")
    (second,) = sessions.take("one", "single", [upload(tmp_path / "c", "c")])
    assert second.read_text() == "c"
    assert first == second
    assert not results.exists()
    assert other.read_text() == "b"


def test_of_results_the_first_and_the_newest_two_stay(tmp_path):
    sessions = Sessions(tmp_path)
    made = []
    for _ in range(12):
        made.append(sessions.results("one", "single"))
        assert list(made[-1].iterdir()) == []
        (made[-1] / "photo.jpg").touch()
    assert len(set(made)) == 12
    assert [path for path in made if path.exists()] == [made[0], made[-2], made[-1]]


def test_a_session_s_end_deletes_its_files_alone(tmp_path):
    sessions = Sessions(tmp_path)
    (mine,) = sessions.take("one", "single", [upload(tmp_path / "a", "a")])
    (yours,) = sessions.take("two", "single", [upload(tmp_path / "b", "b")])
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
    assert sessions.results("../outside", "single").is_relative_to(root)
    sessions.end("../outside")
    assert outside.is_dir()
    assert list(root.iterdir()) == []
