import numpy as np
import pytest
from PIL import Image

from tests.mark.conftest import photograph, put
from wm_lightning.mark.command import main
from wm_lightning.mark.known import load_mark


def said_of_failure(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_a_mark_is_estimated_and_shown(letters, tmp_path, capsys):
    folder = tmp_path / "pictures" / "deep"
    folder.mkdir(parents=True)
    for seed in range(10):
        Image.fromarray(put(photograph(seed), letters)).save(folder / f"{seed}.png")
    main(["estimate", str(tmp_path / "pictures"), "-o", str(tmp_path / "my.mark")])
    assert "10 of 10 pictures carry a mark" in capsys.readouterr().out
    assert load_mark(tmp_path / "my.mark").carriers == 10
    assert (tmp_path / "my.mark.png").is_file()
    main(["show", str(tmp_path / "my.mark")])
    assert "on 10 of 10 pictures" in capsys.readouterr().out


def test_a_mark_from_a_picture(tmp_path, capsys):
    Image.fromarray(np.full((5, 6, 4), 255, np.uint8)).save(tmp_path / "logo.png")
    main(["from-image", str(tmp_path / "logo.png"), "--opacity", "0.25", "-o", str(tmp_path / "my.mark")])
    assert "6x5 pixels, anywhere, of one size; opacity 0.25" in capsys.readouterr().out


def test_what_cannot_be_done_is_said_and_nothing_written(tmp_path, capsys):
    target = tmp_path / "my.mark"
    assert "no folder" in said_of_failure(capsys, "estimate", tmp_path / "none", "-o", target)
    assert "holds no picture" in said_of_failure(capsys, "estimate", tmp_path, "-o", target)
    assert "no file" in said_of_failure(capsys, "show", target)
    assert "There is no file" in said_of_failure(capsys, "from-image", tmp_path / "none.png", "-o", target)
    faint = said_of_failure(capsys, "from-image", tmp_path / "none.png", "--opacity", "0", "-o", target)
    assert faint == "error: --opacity 0.0 must be above 0 and at most 1.\n"
    assert not target.exists()
