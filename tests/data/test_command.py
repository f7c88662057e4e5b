import pytest

from wm_lightning.data import command
from wm_lightning.data.command import main
from wm_lightning.data.index import NAME


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return end.value.code, *capsys.readouterr()


def test_it_says_what_it_found(photographs, capsys):
    (photographs / "photo03.png").write_text("no picture")
    (photographs / "photo04.png").write_bytes((photographs / "photo05.png").read_bytes())
    status, out, err = told(capsys, "index", photographs)
    assert status == 0
    assert "error" not in err
    assert out.splitlines() == [
        "broken: photo03.png: it is no picture, or of a kind that cannot be read",
        "copies of others: 1; training and test may share them",
        f"{photographs / NAME}: 20 photographs, 1 broken; 20 looked at, 0 gone",
    ]
    assert told(capsys, "index", photographs)[1].endswith("20 photographs, 1 broken; 0 looked at, 0 gone\n")


def test_of_many_broken_files_some_are_named(photographs, capsys, monkeypatch):
    monkeypatch.setattr(command, "TOLD", 2)
    for number in range(5):
        (photographs / f"photo0{number}.png").write_text("no picture")
    _, out, _ = told(capsys, "index", photographs)
    assert out.count("broken: ") == 2
    assert f"and 3 more that are broken; {photographs / NAME} names them\n" in out


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [("nowhere", "is not a folder; give the folder that holds"), ("empty", "holds no picture (apng, avif, bmp, ")],
)
def test_a_folder_without_photographs_is_one_sentence(tmp_path, capsys, folder, sentence):
    (tmp_path / "empty").mkdir()
    status, out, err = told(capsys, "index", tmp_path / folder)
    assert (status, out) == (1, "")
    assert err.startswith(f"error: FOLDER {tmp_path / folder} {sentence}")


def test_an_interrupted_one_says_so_and_ends_as_shells_expect(photographs, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("wm_lightning.data.indexing.each_of", interrupted)
    status, out, _ = told(capsys, "index", photographs)
    assert status == 130
    assert out.endswith("interrupted; the same command goes on\n")
