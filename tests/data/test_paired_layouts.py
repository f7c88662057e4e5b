import logging
import shutil

import pytest
from PIL import Image

from wm_lightning.data.paired_layouts import PairFiles, find_pairs, split_pairs
from wm_lightning.errors import UserError

FRACTIONS = (0.7, 0.2, 0.1)
SPLIT_LAYOUTS = [("clwd", "test"), ("lvw", "test"), ("logo", "val"), ("plain", "test"), ("plain", "val")]


def split(found, seed=0, val_fraction=0.1):
    return split_pairs(found, seed, FRACTIONS, val_fraction)


def messages(caplog, level=logging.WARNING):
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


@pytest.mark.parametrize(
    ("layout", "stage", "name", "clean", "mask"),
    [
        ("clwd", "test", "test/Watermarked_image/001.jpg", "test/Watermark_free_image/001.jpg", "test/Mask/001.png"),
        ("lvw", "train", "train/image/001.png", "train/background/001.png", "train/mask/001.png"),
        (
            "logo", "val", "val_images/image/001_val-Co-Op-7.png", "natural/001_val.jpg",
            "val_images/mask/001_val-Co-Op-7.png",
        ),
        ("plain", "train", "train/watermarked/001.png", "train/clean/001.bmp", "train/mask/001.png"),
        ("plain", ".", "watermarked/001.png", "clean/001.bmp", "mask/001.png"),
    ],
)  # fmt: skip
def test_each_layout_puts_together_what_belongs_together(save_pairs, layout, stage, name, clean, mask):
    root = save_pairs(layout, {stage: 2})
    found = find_pairs(root, layout)
    assert list(found) == [stage]
    assert len(found[stage]) == 2
    assert found[stage][name] == PairFiles(root / name, root / clean, root / mask)


@pytest.mark.parametrize(("layout", "tested"), SPLIT_LAYOUTS)
def test_the_test_stage_is_the_layouts_own_folder_and_validation_a_share_of_train(save_pairs, layout, tested):
    found = find_pairs(save_pairs(layout, {"train": 10, tested: 4}), layout)
    drawn = split(found)
    assert [len(names) for names in drawn] == [9, 1, 4]
    assert drawn.test == sorted(found[tested])
    assert sorted(drawn.train + drawn.val) == sorted(found["train"])
    assert split(found) == drawn
    assert len({tuple(split(found, seed).val) for seed in range(12)}) > 3


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.25, 2), (0.5, 5), (0.99, 9)])
def test_validation_gets_its_share_and_leaves_something_to_train_on(save_pairs, share, count):
    drawn = split(find_pairs(save_pairs("lvw", {"train": 10, "test": 1}), "lvw"), val_fraction=share)
    assert (len(drawn.train), len(drawn.val)) == (10 - count, count)


def test_plain_folders_of_all_stages_are_taken_as_they_are(save_pairs):
    found = find_pairs(save_pairs("plain", {"train": 3, "val": 2, "test": 1}), "plain")
    assert split(found) == (sorted(found["train"]), sorted(found["val"]), sorted(found["test"]))
    assert [len(names) for names in split(found)] == [3, 2, 1]


@pytest.mark.parametrize(("layout", "stage"), [("plain", "."), ("plain", "train"), ("clwd", "train")])
def test_pairs_that_are_not_divided_are_split_in_three(save_pairs, layout, stage):
    found = find_pairs(save_pairs(layout, {stage: 20}), layout)
    drawn = split(found)
    assert [len(names) for names in drawn] == [14, 4, 2]
    assert sorted(drawn.train + drawn.val + drawn.test) == sorted(found[stage])


@pytest.mark.parametrize(("layout", "stage"), [("clwd", "test"), ("logo", "val"), ("plain", "test")])
def test_a_test_folder_alone_is_all_tested(save_pairs, layout, stage):
    found = find_pairs(save_pairs(layout, {stage: 3}), layout)
    assert split(found) == ([], [], sorted(found[stage]))


def test_pairs_of_one_photograph_stay_together(save_pairs):
    root = save_pairs("logo", {"train": 6, "val": 1})
    for kind in ("image", "mask"):
        folder = root / "train_images" / kind
        for path in list(folder.iterdir()):
            shutil.copy(path, folder / path.name.replace("Co-Op-7", "Bird-12"))
    found = find_pairs(root, "logo")
    assert len(found["train"]) == 12
    for seed in range(5):
        drawn = split(found, seed, val_fraction=0.3)
        assert (len(drawn.train), len(drawn.val)) == (8, 4)
        photographs = [{found["train"][name].clean for name in names} for names in (drawn.train, drawn.val)]
        assert not photographs[0] & photographs[1]


def test_the_longest_name_of_a_photograph_is_meant(save_pairs):
    root = save_pairs("logo", {"val": 1})
    shutil.copy(root / "natural" / "000_val.jpg", root / "natural" / "000_val-Co.jpg")
    (files,) = find_pairs(root, "logo")["val"].values()
    assert files.clean.name == "000_val-Co.jpg"


def test_results_of_a_model_beside_the_pictures_are_no_pairs(save_pairs, caplog):
    root = save_pairs("logo", {"val": 2})
    image = root / "val_images" / "image"
    shutil.copy(image / "000_val-Co-Op-7.png", image / "000_val-Co-Op-7_coarse.png")
    assert len(find_pairs(root, "logo")["val"]) == 2
    assert [message.rsplit(": ", 1)[1] for message in messages(caplog)] == ["000_val-Co-Op-7_coarse.png"]


@pytest.mark.parametrize(("layout", "watermarked", "clean"), [
    ("clwd", "test/Watermarked_image", "test/Watermark_free_image"),
    ("lvw", "test/image", "test/background"),
    ("plain", "test/watermarked", "test/clean"),
])  # fmt: skip
def test_pictures_without_a_partner_are_told_in_a_line_for_each_side(save_pairs, caplog, layout, watermarked, clean):
    root = save_pairs(layout, {"test": 9})
    first, second = (sorted((root / folder).iterdir()) for folder in (watermarked, clean))
    for path in (*first[:5], second[8]):
        path.unlink()
    assert len(find_pairs(root, layout)["test"]) == 3
    lonely, also = messages(caplog)
    assert lonely == (f"skipped: 1 in {root / watermarked} without a partner in {root / clean}: {first[8].name}")
    shown = ", ".join(path.name for path in second[:3])
    assert also == f"skipped: 5 in {root / clean} without a partner in {root / watermarked}: {shown}, ..."


def test_photographs_that_another_stage_uses_are_not_missed(save_pairs, caplog):
    find_pairs(save_pairs("logo", {"train": 3, "val": 2}), "logo")
    assert messages(caplog) == []


def test_masks_are_counted(save_pairs, caplog):
    root = save_pairs("plain", {".": 4})
    (root / "mask" / "002.png").unlink()
    with caplog.at_level(logging.INFO):
        found = find_pairs(root, "plain")
    assert messages(caplog, logging.INFO) == ["masks: 3 are given, 1 derived from the difference of the pair"]
    assert [name for name, files in found["."].items() if files.mask is None] == ["watermarked/002.png"]


def test_hidden_files_and_other_kinds_are_passed_over(save_pairs, caplog):
    root = save_pairs("plain", {".": 2})
    (root / "watermarked" / "._000.png").write_text("")
    (root / "watermarked" / "notes.txt").write_text("")
    assert len(find_pairs(root, "plain")["."]) == 2
    assert messages(caplog) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^root=.*nowhere is not a folder; give the folder that holds the pairs\.$"):
        find_pairs(tmp_path / "nowhere", "lvw")


def test_a_folder_of_another_layout_is_told_what_was_expected(save_pairs):
    root = save_pairs("lvw", {"train": 1, "test": 1})
    with pytest.raises(
        UserError,
        match=r"has no folder train/Watermarked_image, val/Watermarked_image or test/Watermarked_image, which "
        r"layout=clwd needs; give the folder that holds one, or another layout \(clwd, lvw, logo, plain\)\.$",
    ):
        find_pairs(root, "clwd")
    with pytest.raises(UserError, match=r"or watermarked, which layout=plain needs"):
        find_pairs(root, "plain")


def test_a_missing_folder_of_clean_pictures_is_named(save_pairs):
    root = save_pairs("plain", {".": 1})
    shutil.rmtree(root / "clean")
    with pytest.raises(UserError, match=r"clean is not a folder; the clean pictures of .*watermarked must be there\.$"):
        find_pairs(root, "plain")


def test_folders_without_a_single_pair_are_named(save_pairs):
    root = save_pairs("plain", {".": 1})
    (root / "clean" / "000.bmp").rename(root / "clean" / "other.bmp")
    with pytest.raises(
        UserError, match=r"^No picture of .*watermarked has its clean one in .*clean; pairs go by their"
    ):
        find_pairs(root, "plain")


def test_two_files_of_one_stem_are_named(save_pairs):
    root = save_pairs("plain", {".": 1})
    Image.new("RGB", (31, 37)).save(root / "clean" / "000.png")
    with pytest.raises(UserError, match=r"clean holds both 000\.bmp and 000\.png; remove one of them\.$"):
        find_pairs(root, "plain")


def test_divided_and_undivided_pairs_in_one_folder_are_refused(save_pairs):
    root = save_pairs("plain", {".": 1, "test": 1})
    with pytest.raises(UserError, match=r"holds both watermarked/ and test/watermarked; keep one of the two\.$"):
        find_pairs(root, "plain")


def test_one_photograph_cannot_be_trained_and_validated_on(save_pairs):
    found = find_pairs(save_pairs("lvw", {"train": 1, "test": 1}), "lvw")
    with pytest.raises(UserError, match=r"train folder of root holds one photograph"):
        split(found)
