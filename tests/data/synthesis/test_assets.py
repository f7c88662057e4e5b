import logging
import shutil

import pytest
from fontTools.ttLib import TTCollection, TTFont
from PIL import features

from wm_lightning.data.synthesis import assets
from wm_lightning.errors import UserError


@pytest.fixture
def chinese_font(fonts, tmp_path):
    """DejaVu with its A and B also under 样 and 本."""
    with TTFont(fonts / "DejaVuSans.ttf") as font:
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap.update({ord("样"): "A", ord("本"): "B"})
        font.save(tmp_path / "chinese.ttf")
    return tmp_path / "chinese.ttf"


def test_bundled_fonts_are_all_there(fonts):
    found = assets.font_files()
    assert len(found) == len(set(found)) == len(assets.BUNDLED)
    assert all(path.parent == fonts and path.is_file() for path in found)


def test_extra_fonts_come_from_files_and_from_folders_searched_recursively(fonts, tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    single = shutil.copy(fonts / "STIXGeneral.ttf", tmp_path / "single.ttf")
    shouting = shutil.copy(fonts / "STIXGeneral.ttf", tmp_path / "folder" / "A.TTF")
    deep = shutil.copy(fonts / "STIXGeneral.ttf", tmp_path / "folder" / "deep" / "b.otf")
    (tmp_path / "folder" / "license.txt").write_text("")
    extra = assets.font_files([str(single), str(tmp_path / "folder")])[len(assets.BUNDLED) :]
    assert extra == [single, shouting, deep]


def test_missing_font_is_named(tmp_path):
    with pytest.raises(UserError, match=r"synthesis\.sampler\.fonts.*nowhere\.ttf"):
        assets.font_files([str(tmp_path / "nowhere.ttf")])


@pytest.mark.parametrize("name", ["empty", "notes.txt"])
def test_path_without_fonts_is_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=rf"synthesis\.sampler\.fonts.*{name}"):
        assets.font_files([str(tmp_path / name)])


def test_characters_are_those_of_the_font(fonts):
    latin_only, wide = (assets.characters_of(fonts / name) for name in ("STIXGeneral.ttf", "DejaVuSans.ttf"))
    assert {ord("A"), ord("é"), ord("Я")} <= latin_only & wide
    assert ord("ع") in wide
    assert ord("ع") not in latin_only
    assert ord("样") not in wide


def test_collection_has_the_characters_of_its_first_font(fonts, tmp_path):
    collection = TTCollection()
    collection.fonts = [TTFont(fonts / "STIXGeneral.ttf"), TTFont(fonts / "DejaVuSans.ttf")]
    collection.save(tmp_path / "two.ttc")
    collection.close()
    assert assets.characters_of(tmp_path / "two.ttc") == assets.characters_of(fonts / "STIXGeneral.ttf")


@pytest.mark.parametrize("name", ["broken.ttf", "broken.ttc"])
def test_file_that_is_no_font_is_named(tmp_path, name):
    (tmp_path / name).write_text("not a font")
    with pytest.raises(UserError, match=name):
        assets.characters_of(tmp_path / name)


def test_only_fonts_with_every_character_cover_a_text(fonts):
    both = [fonts / "STIXGeneral.ttf", fonts / "DejaVuSans.ttf"]
    assert assets.covering_fonts("All rights\treserved", both) == tuple(map(str, both))
    assert assets.covering_fonts("عينة", both) == (str(both[1]),)
    assert assets.covering_fonts("Sample عينة", both) == (str(both[1]),)
    assert assets.covering_fonts("Sample 样", both) == ()


def test_phrases_without_a_font_are_left_out_with_one_warning_that_names_their_languages(fonts, caplog):
    phrases = {"English": ["Sample"], "Chinese": ["版权所有", "样本"], "Mixed": ["Muster", "見本"]}
    with caplog.at_level(logging.WARNING):
        writable = assets.writable_phrases(phrases, [fonts / "DejaVuSans.ttf"])
    font = (str(fonts / "DejaVuSans.ttf"),)
    assert writable == {"Sample": font, "Muster": font}
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "Chinese (2), Mixed (1)" in message
    assert "English" not in message
    assert "synthesis.sampler.fonts" in message


def test_a_font_given_brings_its_phrases_in(fonts, chinese_font, caplog):
    with caplog.at_level(logging.WARNING):
        writable = assets.writable_phrases({"Chinese": ["样本"]}, assets.font_files([str(chinese_font)]))
    assert writable == {"样本": (str(chinese_font),)}
    assert caplog.records == []


@pytest.mark.parametrize(("language", "text"), [("Arabic", "عينة"), ("Hindi", "नमूना")])
def test_languages_that_need_shaping_are_left_out_without_raqm(fonts, caplog, monkeypatch, language, text):
    monkeypatch.setattr(features, "check", lambda feature: feature != "raqm")
    with caplog.at_level(logging.WARNING):
        writable = assets.writable_phrases({"English": ["Sample"], language: [text]}, [fonts / "DejaVuSans.ttf"])
    assert list(writable) == ["Sample"]
    assert len(caplog.records) == 1
    assert language in caplog.text
    assert "Raqm" in caplog.text


def test_loaded_font_has_the_size_asked_for(fonts):
    small, large = (assets.load_font(str(fonts / "DejaVuSans.ttf"), pixels) for pixels in (20, 40))
    assert (small.size, large.size) == (20, 40)
    assert large.getlength("Sample") == pytest.approx(2 * small.getlength("Sample"), rel=0.05)
