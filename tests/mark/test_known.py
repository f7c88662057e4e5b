import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from wm_lightning.errors import UserError
from wm_lightning.mark.known import KEY, KnownMark, Place, Spread, from_image, load_mark, preview_of, save_mark


def test_a_mark_is_read_as_it_was_written(letters, tmp_path):
    mark = replace(letters, place=Place((1.0, 0.5), (-20.5, 3.0), 640), pictures=30, carriers=28, agreement=0.75)
    mark = replace(mark, spread=Spread((0.5, 2.0), (0.9, 1.1), 0.25, (70, 90)))
    save_mark(mark, tmp_path / "deep" / "my.mark")
    again = load_mark(tmp_path / "deep" / "my.mark")
    for name in ("alpha", "paint", "noise"):
        np.testing.assert_array_equal(getattr(again, name), getattr(mark, name))
    assert again.spread == mark.spread
    assert (again.place, again.pictures, again.carriers, again.agreement) == (mark.place, 30, 28, 0.75)
    with Image.open(preview_of(tmp_path / "deep" / "my.mark")) as preview:
        assert preview.size == (62, 88)


def test_where_a_mark_is_on_pictures_of_other_sizes():
    assert Place((0.0, 0.0), (5.0, 7.0)).corner_on((100, 200)) == (5, 7)
    assert Place((1.0, 0.5), (-20.0, -10.0)).corner_on((100, 200)) == (80, 90)
    growing = Place((1.0, 0.5), (-20.0, -10.0), width=100)
    assert growing.corner_on((100, 200)) == (60, 80)
    assert growing.scale_on((100, 200)) == 2
    assert Place().corner_on((100, 200)) is None


def written(path, letters, facts, **arrays):
    parts = {"alpha": letters.alpha, "paint": letters.paint, "noise": letters.noise} | arrays
    save_file({name: part for name, part in parts.items() if part is not None}, path, metadata=facts)


GOOD = {"version": 1, "place": {"anchor": None, "offset": [0, 0], "width": None}}
GOOD |= {"pictures": 1, "carriers": 1, "agreement": 1.0}


@pytest.mark.parametrize(
    ("facts", "arrays", "said"),
    [
        ({KEY: json.dumps(GOOD | {"version": 2})}, {}, "version 2, newer"),
        ({KEY: json.dumps({"version": 1})}, {}, "damaged"),
        ({KEY: "{"}, {}, "damaged"),
        ({"other": "x"}, {}, "holds no mark"),
        ({KEY: json.dumps(GOOD)}, {"paint": None}, "damaged"),
        ({KEY: json.dumps(GOOD)}, {"paint": np.zeros((3, 3), np.float32)}, "damaged"),
        ({KEY: json.dumps(GOOD)}, {"alpha": np.full((22, 62), 1.5, np.float32)}, "damaged"),
        ({KEY: json.dumps(GOOD)}, {"alpha": np.full((22, 62), np.nan, np.float32)}, "damaged"),
    ],
)
def test_a_file_that_is_no_mark_is_refused(letters, tmp_path, facts, arrays, said):
    written(tmp_path / "a.mark", letters, facts, **arrays)
    with pytest.raises(UserError, match=rf"a\.mark.*{said}"):
        load_mark(tmp_path / "a.mark")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.mark").write_bytes(b"text")
    with pytest.raises(UserError, match="cannot be read as a mark"):
        load_mark(tmp_path / "a.mark")
    with pytest.raises(UserError, match="no file"):
        load_mark(tmp_path / "b.mark")


def test_a_mark_from_a_picture_is_cropped_to_what_it_shows(tmp_path):
    rgba = np.zeros((9, 11, 4), np.uint8)
    rgba[2:5, 3:9] = (255, 0, 0, 255)
    Image.fromarray(rgba).save(tmp_path / "logo.png")
    mark = from_image(tmp_path / "logo.png", opacity=0.5)
    assert isinstance(mark, KnownMark)
    np.testing.assert_allclose(mark.alpha, np.full((3, 6), 0.5))
    np.testing.assert_allclose(mark.paint[1, 1], (0.5, 0, 0))
    assert mark.place.anchor is None


def test_pictures_that_show_no_mark_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "rgb.png")
    Image.new("RGBA", (4, 4)).save(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("text")
    for name, said in (("rgb", "no transparency"), ("empty", "wholly transparent"), ("text", "cannot be read")):
        with pytest.raises(UserError, match=rf"{name}\.png.*{said}"):
            from_image(tmp_path / f"{name}.png")
    with pytest.raises(UserError, match=r"opacity=0\.0"):
        from_image(tmp_path / "rgb.png", 0.0)
