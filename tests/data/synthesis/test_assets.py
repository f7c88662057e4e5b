import logging
import struct
from pathlib import Path

import matplotlib.font_manager
import numpy as np
import pytest
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, features

from wm_lightning.data.synthesis import assets
from wm_lightning.errors import UserError

GREEK = "Δείγμα"  # the bundled fonts lack it


def with_damaged_map(source, target):
    """Copies a font, the first table of its character map in a format it does not have the length for."""
    with TTFont(source, lazy=True) as font:
        start = font.reader.tables["cmap"].offset
    data = bytearray(source.read_bytes())
    (first,) = struct.unpack_from(">L", data, start + 8)
    struct.pack_into(">H", data, start + first, 0)
    target.write_bytes(data)
    return target


def save_logo(path, size=(30, 20), mode="RGBA", **options):
    """Writes a picture of random colours, ``size`` being (width, height), nowhere fully transparent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size[1], size[0], len(mode)
    Image.fromarray(np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8)).save(path, **options)
    return path


def test_bundled_fonts_stay_below_a_megabyte_and_bring_their_licence(fonts):
    assert sum(path.stat().st_size for path in fonts.iterdir()) < 1_000_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in (fonts / "OFL.txt").read_text()


def test_every_bundled_font_is_found_by_name_and_can_be_drawn_with(fonts):
    found = assets.find_fonts()
    assert found == sorted(path.name for path in fonts.iterdir() if path.suffix in (".ttf", ".otf"))
    for font in found:
        letter = next(chr(code) for code in sorted(assets.characters_of(font)) if chr(code).isalpha())
        assert any(assets.load_font(font, 24).getmask(letter)), font


def test_fonts_come_from_files_and_from_folders_searched_recursively(tmp_path, monkeypatch, make_font):
    single = make_font(tmp_path / "single.ttf", "AB")
    shouting = make_font(tmp_path / "folder" / "A.TTF", "AB")
    deep = make_font(tmp_path / "folder" / "deep" / "b.otf", "AB")
    (tmp_path / "folder" / "license.txt").write_text("")
    monkeypatch.chdir(tmp_path)  # paths become absolute, so that they mean the same from elsewhere
    assert assets.find_fonts(["single.ttf", "folder"]) == [*assets.find_fonts(), str(single), str(shouting), str(deep)]


def test_bundled_fonts_can_be_left_out(tmp_path, make_font):
    font = make_font(tmp_path / "one.ttf", "ab")
    assert assets.find_fonts([str(font)], bundled=False) == [str(font)]
    assert assets.find_fonts(bundled=False) == []


def test_dejavu_stands_for_the_fonts_that_matplotlib_ships():
    found = assets.find_fonts(["dejavu"], bundled=False)
    assert len(found) > 8
    assert all(Path(font).name.startswith("DejaVu") for font in found)
    assert all(set(map(ord, "Aa0ä")) <= assets.characters_of(font) for font in found)
    assert assets.find_fonts(["dejavu"]) == [*assets.find_fonts(), *found]


def test_further_fonts_are_taken_where_they_are_named_and_a_third_of_them_is_held_out():
    extra, held_out = (assets.find_fonts([name], bundled=False) for name in ("extra", "extra_held_out"))
    assert assets.find_fonts(["extra"]) == [*assets.find_fonts(), *extra]
    assert not set(extra) & set(held_out)
    assert not {*extra, *held_out} & set(assets.find_fonts())
    assert 0.25 < len(held_out) / (len(extra) + len(held_out)) < 0.4
    families = [{font.split("-")[0] for font in fonts} for fonts in (extra, held_out)]
    assert not families[0] & families[1]
    for font in (*extra, *held_out):
        needed = "0123456789-.:" if "Segments" in font else "AZaz09©@ü."
        assert set(map(ord, needed)) <= assets.characters_of(font)
        assert assets.load_font(font, 20).getbbox("2004")[2] > 20
    assert assets.covering_fonts("A", [font for font in (*extra, *held_out) if "Segments" in font]) == ()


def test_licence_names_every_further_font(fonts):
    licence = (fonts / "OFL.txt").read_text().replace(" ", "")
    assert all(path.stem.split("-")[0] in licence for path in fonts.glob("*/*.ttf"))
    assert sum(path.stat().st_size for path in fonts.rglob("*.*")) < 1_500_000


def test_each_tenth_logo_is_held_out_and_the_parts_make_up_all(tmp_path):
    for number in range(23):
        Image.fromarray(np.full((4, 4, 4), 128, dtype=np.uint8)).save(tmp_path / f"{number:02}.png")
    (tmp_path / "05.png").write_bytes(b"damaged")  # moves no other file to the other part
    every, train, held_out = (assets.find_logos(str(tmp_path), part) for part in ("all", "train", "held_out"))
    assert [Path(path).stem for path in held_out] == ["00", "10", "20"]
    assert sorted(train + held_out) == every
    assert len(train) == 19
    assert assets.find_assets(bundled_fonts=False, logos=str(tmp_path), logo_part="held_out").logos == tuple(held_out)


def test_a_small_folder_is_not_split_and_an_unknown_part_is_named(tmp_path):
    Image.fromarray(np.full((4, 4, 4), 128, dtype=np.uint8)).save(tmp_path / "one.png")
    assert [Path(path).stem for path in assets.find_logos(str(tmp_path), "train")] == ["one"]  # too few to be split
    with pytest.raises(UserError, match=r"has 1 files, too few to hold some of them out; .*logo_part=all"):
        assets.find_logos(str(tmp_path), "held_out")
    with pytest.raises(UserError, match=r"^synthesis\.logo_part=some is unknown; choose from all, train, held_out\.$"):
        assets.find_logos(None, "some")


def test_a_font_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^synthesis\.fonts: there is no .*nowhere\.ttf; [^\n]*\.$"):
        assets.find_fonts([str(tmp_path / "nowhere.ttf")])


@pytest.mark.parametrize("name", ["empty", "notes.txt"])
def test_a_path_without_fonts_is_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=rf"^synthesis\.fonts: .*{name} is or holds no font [^\n]*\.$"):
        assets.find_fonts([str(tmp_path / name)])


@pytest.mark.parametrize("name", ["broken.ttf", "broken.otf", "broken.ttc"])
@pytest.mark.parametrize("within", ["text", "beginning"])
def test_a_damaged_font_is_named_in_one_sentence(fonts, tmp_path, name, within):
    good = (fonts / "NotoSans-Regular.ttf").read_bytes()
    (tmp_path / name).write_bytes(good[: len(good) // 2] if within == "beginning" else b"not a font")
    with pytest.raises(UserError, match=rf"^synthesis\.fonts: .*{name} cannot be read as a font \([^\n]*\)\.$"):
        assets.find_fonts([str(tmp_path)])


def test_a_font_with_a_damaged_character_map_is_named(fonts, tmp_path):
    with_damaged_map(fonts / "NotoSans-Regular.ttf", tmp_path / "broken.ttf")
    with pytest.raises(UserError, match=r"broken\.ttf"):
        assets.find_fonts([str(tmp_path / "broken.ttf")])


def test_a_font_whose_letters_would_take_the_memory_is_named(fonts, tmp_path):
    with TTFont(fonts / "NotoSans-Regular.ttf") as font:
        font["head"].unitsPerEm = 16  # its letters stay as they are
        font.save(tmp_path / "huge.ttf")
    with pytest.raises(UserError, match=r"huge\.ttf cannot be read as a font \(a letter is \d+ times as large"):
        assets.find_fonts([str(tmp_path)])


def test_characters_are_those_of_the_font(tmp_path, make_font):
    assert assets.characters_of("NotoSans-Regular.ttf") >= set(map(ord, "AéßЯ©"))
    assert not assets.characters_of("NotoSans-Regular.ttf") & set(map(ord, "ع样नΔ"))
    assert ord("ع") in assets.characters_of("NotoKufiArabic-Bold.ttf")
    assert assets.characters_of(str(make_font(tmp_path / "few.ttf", "AB語"))) == set(map(ord, "AB語"))


def test_a_collection_has_the_characters_of_its_first_font(tmp_path, make_font):
    collection = TTCollection()
    collection.fonts = [TTFont(make_font(tmp_path / f"{text}.ttf", text)) for text in ("Ab", "Cd")]
    collection.save(tmp_path / "two.ttc")
    collection.close()
    assert assets.characters_of(str(tmp_path / "two.ttc")) == set(map(ord, "Ab"))


def test_only_fonts_with_every_character_cover_a_text():
    latin, arabic = "NotoSerif-Bold.ttf", "NotoNaskhArabic-Regular.ttf"
    assert assets.covering_fonts("All rights\treserved\n", [latin, arabic]) == (latin,)
    assert assets.covering_fonts("عينة", [latin, arabic]) == (arabic,)
    assert assets.covering_fonts("Sample عينة", [latin, arabic]) == ()
    assert assets.covering_fonts(" \n", [latin, arabic]) == ()


def test_phrases_without_a_font_are_left_out_with_one_warning_that_names_their_languages(caplog):
    latin = ("NotoSans-Bold.ttf",)
    phrases = {"English": ["Sample"], "Greek": [GREEK, "Αντίγραφο"], "Mixed": ["Muster", "見本"]}
    assert assets.writable_phrases(phrases, latin) == {"Sample": latin, "Muster": latin}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Greek (2)" in record.getMessage()
    assert "Mixed (1)" in record.getMessage()
    assert "English" not in record.getMessage()
    assert "synthesis.fonts" in record.getMessage()


@pytest.mark.parametrize("given", ["file", "folder", "collection"])
def test_a_font_of_the_user_brings_its_language_in(tmp_path, caplog, given, make_font):
    font = made = make_font(tmp_path / "fonts" / "greek.ttf", GREEK)
    if given == "collection":
        collection, font = TTCollection(), tmp_path / "greek.ttc"
        collection.fonts = [TTFont(made)]
        collection.save(font)
    fonts = assets.find_fonts([str(font.parent if given == "folder" else font)])
    assert assets.writable_phrases({"Greek": [GREEK]}, fonts) == {GREEK: (str(font),)}
    assert caplog.records == []
    assert any(assets.load_font(str(font), 20).getmask(GREEK))


@pytest.mark.parametrize(("language", "text"), [("Arabic", "عينة"), ("Hindi", "नमूना")])
def test_languages_whose_letters_join_are_left_out_without_raqm(caplog, monkeypatch, language, text):
    monkeypatch.setattr(features, "check", lambda feature: feature != "raqm")
    assert list(assets.writable_phrases({"English": ["Sample"], language: [text]}, assets.find_fonts())) == ["Sample"]
    (record,) = caplog.records
    assert language in record.getMessage()
    assert "Raqm" in record.getMessage()


def test_only_system_fonts_that_tell_letters_apart_are_used(tmp_path, monkeypatch, caplog, make_font):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    good = make_font(tmp_path / "good.ttf", letters)
    passed_over = [
        make_font(tmp_path / "same.ttf", letters, "same"), make_font(tmp_path / "blank.ttf", letters, "blank"),
        make_font(tmp_path / "signs.ttf", "!?-+"), tmp_path / "damaged.ttf", tmp_path / "gone.ttf",
    ]  # fmt: skip
    (tmp_path / "damaged.ttf").write_bytes(good.read_bytes()[:300])
    monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", lambda: [*map(str, passed_over), str(good)])
    assert assets.find_fonts(system=True) == [*assets.find_fonts(), str(good)]
    assert assets.find_assets(system_fonts=True).fonts[-1] == str(good)
    assert str(good) not in assets.find_assets().fonts
    assert caplog.records == []


def test_a_system_font_with_a_damaged_character_map_is_passed_over(fonts, tmp_path, monkeypatch):
    damaged = with_damaged_map(fonts / "NotoSans-Regular.ttf", tmp_path / "damaged.ttf")
    monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", lambda: [str(damaged)])
    assert assets.find_fonts(system=True) == assets.find_fonts()


@pytest.mark.parametrize("count", [1, 100, 101, 250, 5000])
def test_no_more_system_fonts_are_read_than_the_cap_and_from_the_whole_list(monkeypatch, count):
    read = []
    monkeypatch.setattr(assets, "_tells_letters_apart", lambda font: read.append(font) is None)
    everything = [f"/fonts/{number:04}.ttf" for number in range(count)]
    monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", lambda: everything[::-1] * 2)
    found = assets.find_fonts(system=True)
    assert found == [*assets.find_fonts(), *read]
    assert len(set(read)) == len(read) <= assets.MOST_SYSTEM_FONTS == 100
    assert read == everything if count <= 100 else len(read) > 50
    assert everything.index(read[-1]) >= 0.95 * (count - 1)


def test_a_loaded_font_has_the_size_asked_for():
    small, large = (assets.load_font("NotoSans-Regular.ttf", pixels) for pixels in (20, 40))
    assert (small.size, large.size) == (20, 40)
    assert large.getlength("Sample") == pytest.approx(2 * small.getlength("Sample"), rel=0.05)


@pytest.mark.parametrize("font", ["Gone-Regular.ttf", "/nowhere/gone.ttf"])
def test_a_font_that_is_gone_is_named_when_it_is_drawn_with(font):
    with pytest.raises(UserError, match=rf"^the font {font} cannot be opened [^\n]*\.$"):
        assets.load_font(font, 20)


def test_no_folder_means_no_logos():
    assert assets.find_logos(None) == []
    assert assets.find_assets().logos == ()


def test_logos_are_found_recursively_by_absolute_path(tmp_path, monkeypatch):
    wanted = [save_logo(tmp_path / "marks" / name) for name in ("a.png", "b.PNG", "deep/c.webp", "deep/d.tif")]
    save_logo(tmp_path / "marks" / "photo.jpg", mode="RGB")
    monkeypatch.chdir(tmp_path)
    assert assets.find_logos("marks") == sorted(map(str, wanted))
    assert assets.find_assets(logos="marks").logos == tuple(sorted(map(str, wanted)))


@pytest.mark.parametrize(("make", "told"), [(False, "is not a folder"), (True, "holds no logo")])
def test_a_folder_that_is_missing_or_empty_is_named(tmp_path, make, told):
    if make:
        (tmp_path / "marks").mkdir()
    with pytest.raises(UserError, match=rf"^synthesis\.logos=.*marks {told}; [^\n]*\.$"):
        assets.find_logos(str(tmp_path / "marks"))


def spoil(path, how):
    """Writes a file that is no logo."""
    if how == "opaque":
        save_logo(path, mode="RGB")
    elif how == "transparent":
        Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(path)
    else:
        data = save_logo(path).read_bytes()
        path.write_bytes(data[: len(data) // 2] if how == "cut" else b"no picture")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("opaque", "has no transparency"),
        ("transparent", "is transparent everywhere"),
        ("cut", "cannot be read as a picture"),
        ("text", "cannot be read as a picture"),
    ],
)
def test_a_picture_that_is_no_logo_is_passed_over_with_a_warning(tmp_path, caplog, how, told):
    spoil(tmp_path / "bad.png", how)
    with pytest.raises(UserError, match="holds no logo"):
        assets.find_logos(str(tmp_path))
    good = save_logo(tmp_path / "good.png")
    caplog.clear()
    assert assets.find_logos(str(tmp_path)) == [str(good)]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{tmp_path / 'bad.png'} {told}" in record.getMessage()


def test_a_picture_that_is_too_large_for_pillow_is_passed_over(tmp_path, monkeypatch):
    good = save_logo(tmp_path / "good.png", (5, 5))
    save_logo(tmp_path / "huge.png", (60, 60))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert assets.find_logos(str(tmp_path)) == [str(good)]


def test_margins_of_a_logo_are_cut_off_and_its_values_kept(tmp_path):
    inner = np.random.default_rng(1).integers(1, 256, (7, 11, 4), dtype=np.uint8)
    inner[2:5, 3:6, 3] = 0  # a hole, whose colours are kept too
    drawn = np.zeros((20, 30, 4), dtype=np.uint8)
    drawn[..., :3] = 200  # colours under transparent margins
    drawn[4:11, 6:17] = inner
    Image.fromarray(drawn).save(tmp_path / "logo.png")
    np.testing.assert_array_equal(assets.load_logo(str(tmp_path / "logo.png")), inner)


@pytest.mark.parametrize("mode", ["P", "RGB", "LA"])
def test_other_kinds_of_transparency_are_read_too(tmp_path, mode):
    if mode == "LA":
        picture, options = Image.new("LA", (5, 3), (0, 0)), {}
        picture.paste((90, 128), (1, 1, 4, 3))
        expected = (90, 90, 90, 128)
    else:
        picture, options = Image.new(mode, (5, 3)), {"transparency": 0 if mode == "P" else (0, 0, 0)}
        if mode == "P":
            picture.putpalette([9, 9, 9, 10, 20, 250])
        picture.paste(1 if mode == "P" else (10, 20, 250), (1, 1, 4, 3))
        expected = (10, 20, 250, 255)
    picture.save(tmp_path / "logo.png", **options)
    logo = assets.load_logo(assets.find_logos(str(tmp_path))[0])
    np.testing.assert_array_equal(logo, np.broadcast_to(np.uint8(expected), (2, 3, 4)))


def test_large_logos_are_reduced_in_proportion(tmp_path):
    save_logo(tmp_path / "large.png", (1500, 300))
    assert assets.load_logo(str(tmp_path / "large.png")).shape == (205, assets.LARGEST_LOGO, 4)
