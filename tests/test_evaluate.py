"""``evaluate.py`` from the command line to its files."""

import csv
import gc
import json
import math
import re
import shutil
import weakref
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import hydra
import numpy as np
import pytest
import torch
from PIL import Image

from wm_lightning.callbacks import PixelCounts
from wm_lightning.files import CONF
from wm_lightning.metrics import COLUMNS, PRESETS, measure
from wm_lightning.metrics.extent import DEGREES
from wm_lightning.models.cost import cost_of
from wm_lightning.reports import evaluation as reported
from wm_lightning.reports.contact_sheet import GAP, HEADER
from wm_lightning.runner import evaluation
from wm_lightning.trained import read
from wm_lightning.trained.weights import write_weights
from wm_lightning.types import Sample

CPU = ("hydra.run.dir=scored", "trainer.accelerator=cpu")
QUICK = (*CPU, "report=false")
LEVEL = 40  # by how much a mark of the made pairs is too bright


def record_of(folder="scored"):
    return json.loads((Path(folder) / "metrics.json").read_text(encoding="utf-8"))


def rows_of(path):
    with Path(path).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def save_pairs(folder, count, side):
    """Even pictures and the same with a square of ``side`` pixels in the middle of 40 x 40."""
    for number in range(count):
        clean = np.full((40, 40, 3), 100 + number, dtype=np.uint8)
        watermarked = clean.copy()
        low, high = 20 - side // 2, 20 + side // 2
        watermarked[low:high, low:high] += LEVEL
        for name, pixels in (("clean", clean), ("watermarked", watermarked)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    return folder


def psnr_of_pairs(side, size=32):
    return -10 * math.log10((LEVEL / 255) ** 2 * side**2 / size**2)


@pytest.fixture(autouse=True)
def _small_cost(monkeypatch):
    """What a network costs is measured on a small picture."""
    monkeypatch.setattr(evaluation, "cost_of", partial(cost_of, size=32))


@pytest.fixture
def slim(checkpoint, tmp_path):
    """Writes the trained checkpoint without its optimizer, changed, to ``tmp_path``."""

    def save(name="slim.ckpt", change=lambda content: None):
        content = torch.load(checkpoint, weights_only=True)
        content["optimizer_states"] = []
        change(content)
        torch.save(content, tmp_path / name)
        return name

    return save


@pytest.fixture
def _few_figures(monkeypatch):
    """One figure of each kind: drawing all takes most of the time, and ``compared`` has them."""
    for name in ("score_figures", "picture_figures", "network_figures", "training_figures"):
        monkeypatch.setattr(reported, name, partial(lambda found, *of: found(*of)[:1], getattr(reported, name)))


@pytest.fixture(scope="module")
def compared(checkpoint, command_in, tmp_path_factory):
    """The outputs of one evaluation beside the same checkpoint, with its report."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "cost_of", partial(cost_of, size=32))
        outcome = command_in(folder, "evaluate", f"ckpt={checkpoint}", f"compare=[{checkpoint}]", *CPU)
    assert outcome.status == 0, outcome.err
    return SimpleNamespace(out=outcome.out, folder=folder / "scored")


def test_the_record_says_what_was_scored_and_on_how_many_pictures(compared, checkpoint):
    record = record_of(compared.folder)
    assert list(record) == [
        "checkpoint", "epoch", "split", "tta", "pictures", "pictures_skipped", "test", "extent", "defined_on",
        "compared",
    ]  # fmt: skip
    assert record["checkpoint"] == str(checkpoint)
    assert (record["epoch"], record["pictures"]) == (0, 2)
    assert set(record["test"]) == {
        "loss", "loss_l1", "loss_unmasked", "loss_lab", "loss_ssim", "loss_laplacian", "loss_psnr", *COLUMNS,
    }  # fmt: skip
    assert record["defined_on"] == {**dict.fromkeys(COLUMNS, 2), "psnr_unmarked": 0}
    assert (record["extent"]["marked"], set(record["extent"]["rim"])) == (2, set(record["extent"]["inner"]))
    shares = [record["extent"][part] for part in ("rim", "inner")]
    assert sum(share["pixels"] for share in shares) == pytest.approx(1)
    # A thin mark has no pixel farther than its rim, and of none there are no shares.
    assert all(sum(share[degree] for degree in DEGREES) == pytest.approx(int(share["pixels"] > 0)) for share in shares)
    assert record["compared"] == {str(checkpoint): record["test"]}


def test_each_picture_has_a_row_with_the_columns_of_full(compared):
    rows = rows_of(compared.folder / "metrics.csv")
    assert list(rows[0]) == ["name", *COLUMNS]
    assert len({row["name"] for row in rows}) == 2
    mean = sum(float(row["psnr"]) for row in rows) / 2
    assert mean == pytest.approx(record_of(compared.folder)["test"]["psnr"], abs=1e-5)


def test_the_same_checkpoint_has_the_same_scores_in_every_table(compared, checkpoint):
    files = [(compared.folder / name).read_text() for name in ("metrics.csv", "metrics_1.csv")]
    assert files[0] == files[1]
    lines = [line.split("│")[2:] for line in compared.out.splitlines() if line.startswith("│ model")]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    page = (compared.folder / "report" / "index.html").read_text(encoding="utf-8")
    rows = re.findall(rf"<tr><td>{re.escape(str(checkpoint))}</td>(.*?)</tr>", page, re.DOTALL)
    assert len(rows) == 2
    assert rows[0] == rows[1]


def test_the_report_shows_network_pictures_and_training(compared):
    page = (compared.folder / "report" / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    saved = {path.stem for path in (compared.folder / "report" / "figures").iterdir()}
    assert saved <= set(ids)
    # One of every part of the page: the whole gallery is tested beside its functions.
    parts = {"summary_card", "distribution", "by_coverage", "confusion_matrix", "side_by_side", "batch"}
    assert parts | {"attention", "activations", "decoder_features", "kernels", "saliency", "grad_cam"} <= saved
    assert "training_loss_psnr" in saved
    assert page.count('class="example"') == 2
    assert "HeterogeneousUNet" not in page.split("<figure")[0]  # facts are of the test, costs stand on the card


def test_the_report_is_of_the_network_and_the_pairs_that_were_tested(command, checkpoint, monkeypatch):
    seen = {}

    def keep(tests, subject, columns, title, facts):
        seen.update(tests=tests, subject=subject, columns=columns, facts=facts)
        return SimpleNamespace(groups={})

    monkeypatch.setattr(evaluation, "build_report", keep)
    monkeypatch.setattr(evaluation, "write_page", lambda report, folder: folder / "index.html")
    options = ("data.batch_size=1", "+trainer.limit_test_batches=1", "metrics=slbr")
    outcome = command("evaluate", f"ckpt={checkpoint}", *options, *CPU)
    assert outcome.status == 0, outcome.err
    (test,) = seen["tests"]
    assert test.label == "model"
    (picture,) = test.pictures  # of the two, one was to be scored
    assert picture.name == rows_of("scored/metrics.csv")[0]["name"]
    assert seen["columns"] == PRESETS["slbr"]
    assert seen["facts"]["test pictures"] == "1 of 32x32 pixels"
    assert seen["facts"]["metrics"] == "slbr"
    assert (seen["facts"]["epoch"], seen["facts"]["precision"]) == ("1", "32-true")
    subject = seen["subject"]
    pair = subject.pair(0)
    assert pair.name == picture.name
    batch = Sample(*(view[None] for view in pair[:4]), name=[pair.name])
    found = measure(subject.restore(batch.watermarked), batch, ("psnr", "psnr_in", "psnr_input"))
    for column, value in found.items():
        assert float(value) == pytest.approx(picture.scores[column], abs=1e-3)
    assert picture.traits.coverage == pytest.approx(float(pair.mask.mean()))
    assert picture.traits.kinds
    assert 0 < picture.traits.opacity <= 1
    assert subject.residuals.sum(dim=2)[:, 0].tolist() == [3 * 32 * 32] * 2
    assert subject.confusion.tp + subject.confusion.fn == int(pair.mask.sum())
    assert [epoch["epoch"] for epoch in subject.history] == [1]
    assert subject.costs["parameters"] == f"{sum(weight.numel() for weight in subject.net.parameters()):,}"


def test_no_picture_is_kept_when_the_test_is_over(command, checkpoint, monkeypatch):
    pictures, alive = [], []
    count = PixelCounts.on_test_batch_end

    def watch(self, trainer, module, outputs, batch, *rest):
        pictures.extend(map(weakref.ref, (outputs["prediction"], batch.watermarked, batch.clean)))
        return count(self, trainer, module, outputs, batch, *rest)

    def look(config, tested, datamodule, columns, folder):
        gc.collect()
        alive.extend(picture for picture in pictures if picture() is not None)
        return folder

    monkeypatch.setattr(PixelCounts, "on_test_batch_end", watch)
    monkeypatch.setattr(evaluation, "_report", look)
    outcome = command("evaluate", f"ckpt={checkpoint}", "data.batch_size=1", *CPU)
    assert outcome.status == 0, outcome.err
    assert len(pictures) == 2 * 3
    assert alive == []


def test_without_a_report_there_is_none_and_other_metrics_have_their_columns(command, checkpoint):
    outcome = command("evaluate", f"ckpt={checkpoint}", "metrics=slbr", *QUICK)
    assert outcome.status == 0, outcome.err
    assert not Path("scored/report").exists()
    heads = next(line for line in outcome.out.splitlines() if "RMSEw" in line)
    assert [head.strip() for head in heads.split("┃") if head.strip()] == [
        "PSNR", "SSIM", "in mask", "outside", "RMSE", "RMSEw", "IoU", "F1",
    ]  # fmt: skip
    columns = list(dict.fromkeys((*COLUMNS, *PRESETS["slbr"])))
    assert list(rows_of("scored/metrics.csv")[0]) == ["name", *columns]
    assert set(columns) <= set(record_of()["test"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["metrics=slbrr"], "There are no metrics slbrr; choose from: full, swcnn, slbr, watermarkcnn."),
        (["tta=3"], "tta=3 must be one of 1, 2, 4, 8."),
        (["split=train"], "split=train must be one of test, val."),
        (["extra_metrics=[fid]"], "There are no metrics fid; choose from: lpips, niqe."),
        (["extra_metrics=fid"], "There are no metrics fid; choose from: lpips, niqe."),
        (["compare=[nowhere.ckpt]"], "There is no checkpoint nowhere.ckpt; give the path of a .ckpt or"),
        (["compare=nowhere.ckpt"], "There is no checkpoint nowhere.ckpt; give the path of a .ckpt or"),
        (["data=paired"], "data.root is not set; give it a value"),
        (["data=paired", "data.root=/nowhere"], "data.root=/nowhere is not a folder"),
        (["data.root=/nowhere"], "data.root=/nowhere is not a folder"),
        (["data.size=4"], "data.size=4 must be at least 8"),
        (["data.sizes=4"], "data.sizes: there is no such key; did you mean data.size?"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence_and_nothing_is_scored(command, checkpoint, options, sentence):
    outcome = command("evaluate", f"ckpt={checkpoint}", *options, *QUICK)
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert sentence in last
    assert not list(Path().rglob("metrics.*"))


def test_real_pairs_are_scored_with_a_network_that_saw_none(command, checkpoint, tmp_path):
    root = save_pairs(tmp_path / "pairs", 20, side=8)
    options = ("data=paired", f"data.root={root}", "data.layout=plain", "data.size=32")
    outcome = command("evaluate", f"ckpt={checkpoint}", *options, *QUICK)
    assert outcome.status == 0, outcome.err
    record = record_of()
    assert record["pictures"] == 2
    assert record["test"]["psnr_input"] == pytest.approx(psnr_of_pairs(8), abs=1e-3)
    assert record["test"]["psnr_input_in"] == pytest.approx(-20 * math.log10(LEVEL / 255), abs=1e-3)
    assert record["test"]["psnr_ref"] is None
    assert (record["defined_on"]["psnr"], record["defined_on"]["psnr_ref"]) == (2, 0)
    assert "n/a" in next(line for line in outcome.out.splitlines() if line.startswith("│ model"))
    assert "THE SPLIT" not in outcome.out


def test_real_pairs_are_scored_without_the_terms_of_the_loss_that_they_do_not_know(command, tiny, tmp_path):
    asked = ("model.head=decomposition", "loss.terms.opacity.weight=1", "trainer.limit_train_batches=1", "test=false")
    assert command("train", *tiny, *asked, "hydra.run.dir=run").status == 0
    root = save_pairs(tmp_path / "pairs", 20, side=8)
    options = ("data=paired", f"data.root={root}", "data.layout=plain", "data.size=32")
    outcome = command("evaluate", "ckpt=run/checkpoints/best.ckpt", *options, *QUICK)
    assert outcome.status == 0, outcome.err
    assert "loss: opacity is left out: these pairs have no alpha" in Path("scored/evaluate.log").read_text()
    assert "loss_opacity" not in record_of()["test"]
    assert record_of()["test"]["loss_mask"] > 0


def test_a_network_of_real_pairs_is_scored_on_its_own_and_on_others(command, tiny, tmp_path):
    for name, side in (("small", 8), ("large", 16)):
        save_pairs(tmp_path / name, 20, side)
    options = [option for option in tiny if not option.startswith(("data=", "data.root=", "synthesis"))]
    training = ("trainer.limit_train_batches=1", "test=false", "hydra.run.dir=run")
    outcome = command("train", "data=paired", "data.root=small", *options, *training)
    assert outcome.status == 0, outcome.err
    for name, side, more in (("small", 8, ()), ("large", 16, ("data.root=large",))):
        outcome = command("evaluate", "ckpt=run/checkpoints/best.ckpt", *more, *QUICK)
        assert outcome.status == 0, outcome.err
        assert record_of()["test"]["psnr_input"] == pytest.approx(psnr_of_pairs(side), abs=1e-3), name
        assert "THE SPLIT" not in outcome.out + Path("scored/evaluate.log").read_text()


def test_other_photographs_and_other_data_take_the_place_of_those_of_the_training(
    command, checkpoint, photographs, tmp_path
):
    other = tmp_path / "other"
    other.mkdir()
    for number, path in enumerate(sorted(photographs.iterdir())[:10]):
        shutil.copy(path, other / f"other{number}.png")
    results = []
    for name, options in (("as_trained", ()), ("folder", ("data=folder", "data.size=32"))):
        outcome = command("evaluate", f"ckpt={checkpoint}", *options, f"data.root={other}", *QUICK)
        assert outcome.status == 0, outcome.err
        rows = rows_of("scored/metrics.csv")
        assert all(row["name"].startswith("other") for row in rows), name
        results.append(rows)
    assert results[0] == results[1]  # the checkpoint's own marks and seed either way
    assert len(results[0]) == 1


def test_an_old_checkpoint_whose_marks_no_longer_fit_can_still_be_compared(command, checkpoint, slim):
    def age(content):
        content["config"]["data"]["synthesis"]["no_longer_known"] = 1

    old = slim("old.ckpt", age)
    outcome = command("evaluate", f"ckpt={old}", *QUICK)
    assert outcome.status == 1
    assert "data.synthesis.no_longer_known: there is no such option" in outcome.err
    outcome = command("evaluate", f"ckpt={checkpoint}", f"compare={old}", *QUICK)
    assert outcome.status == 0, outcome.err
    record = record_of()
    assert record["compared"] == {"old.ckpt": record["test"]}


def test_a_checkpoint_of_other_data_is_not_told_that_the_split_changed(command, slim):
    """Its root is the same folder, and its data module another one."""

    def rename(content):
        content["PairedDataModule"] = content.pop("FolderDataModule")

    outcome = command("evaluate", f"ckpt={slim('renamed.ckpt', rename)}", *QUICK)
    assert outcome.status == 0, outcome.err
    assert "THE SPLIT" not in outcome.out


def test_processes_share_pictures_out_as_in_training():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        settings = [hydra.compose(name).trainer.use_distributed_sampler for name in ("evaluate", "train")]
    assert settings == [False, False]  # the data module does; Lightning would share out the shares


def test_other_marks_are_scored_with_a_network_that_did_not_learn_them(command, checkpoint):
    for folder, options in (("scored", ()), ("others", ("synthesis=held_out",))):
        outcome = command("evaluate", f"ckpt={checkpoint}", *QUICK, *options, f"hydra.run.dir={folder}")
        assert outcome.status == 0, outcome.err
    own, others = (rows_of(f"{folder}/metrics.csv") for folder in ("scored", "others"))
    assert [row["name"] for row in own] == [row["name"] for row in others]
    assert [row["psnr_input"] for row in own] != [row["psnr_input"] for row in others]


@pytest.mark.usefixtures("_few_figures")
def test_validation_pictures_are_scored_where_something_is_to_be_chosen(command, checkpoint, compared):
    assert command("evaluate", f"ckpt={checkpoint}", *CPU, "split=val", "examples=2").status == 0
    for split, folder in (("val", Path("scored")), ("test", compared.folder)):
        names = (checkpoint.parents[1] / "split" / f"{split}.txt").read_text(encoding="utf-8").split()
        assert [row["name"] for row in rows_of(folder / "metrics.csv")] == names
        record = record_of(folder)
        assert (record["split"], record["pictures"]) == (split, len(names))
        page = (folder / "report" / "index.html").read_text(encoding="utf-8")
        shown = set(re.findall(r"photo\d+\.png", page))
        assert shown
        assert shown <= set(names)


def test_copies_are_scored_that_are_mirrored(command, checkpoint, tmp_path):
    root = save_pairs(tmp_path / "pairs", 10, side=8)  # pictures that mirroring does not change, a network that it does
    scores = {}
    for copies in (1, 2, 8):
        options = ("data=paired", f"data.root={root}", "data.layout=plain", "data.size=32", f"tta={copies}")
        outcome = command("evaluate", f"ckpt={checkpoint}", *options, *QUICK)
        assert outcome.status == 0, outcome.err
        assert record_of()["tta"] == copies
        scores[copies] = record_of()["test"]
    assert scores[1]["psnr_input"] == scores[2]["psnr_input"] == scores[8]["psnr_input"]
    assert scores[1]["psnr"] < scores[2]["psnr"] < scores[8]["psnr"]  # a mean of equally wrong pictures errs less


def test_marks_of_real_pairs_cannot_be_others(command, checkpoint, tmp_path):
    root = save_pairs(tmp_path / "pairs", 20, side=8)
    options = ("data=paired", f"data.root={root}", "data.size=32", "synthesis=held_out")
    outcome = command("evaluate", f"ckpt={checkpoint}", *options, *QUICK)
    assert outcome.status == 1
    assert "synthesis: real pairs have their marks already; leave it out." in outcome.err


@pytest.mark.usefixtures("_few_figures")
def test_a_weight_file_is_scored_as_its_checkpoint(command, checkpoint, photographs, compared):
    write_weights(read(str(checkpoint)), Path("net.safetensors"))
    outcome = command("evaluate", "ckpt=net.safetensors", *CPU, f"data.root={photographs}")
    assert outcome.status == 0, outcome.err
    assert record_of()["test"] == record_of(compared.folder)["test"]
    assert record_of()["epoch"] == record_of(compared.folder)["epoch"]
    assert Path("scored/report/index.html").is_file()
    with Image.open(compared.folder / "examples.jpg") as sheet, Image.open("scored/examples.jpg") as same:
        pictures = 2  # the whole test split
        assert sheet.size == (5 * (32 + GAP) + GAP, HEADER + pictures * (32 + GAP) + GAP)
        assert np.array_equal(np.asarray(sheet), np.asarray(same))
    assert [row["name"] for row in rows_of("scored/traits.csv")] == [
        row["name"] for row in rows_of("scored/metrics.csv")
    ]
    groups = {row["by"] for row in rows_of("scored/groups.csv")}
    assert {"kind of mark", "opacity", "kind of mark and opacity", "coverage"} <= groups


@pytest.mark.usefixtures("_few_figures")
def test_a_broken_test_picture_is_left_out_of_scores_and_page_said_and_counted(command, checkpoint, own_photographs):
    options = (f"ckpt={checkpoint}", f"data.root={own_photographs}", *CPU, "split=val", "examples=4")
    assert command("evaluate", *options, "report=false").status == 0
    whole = {row["name"]: row for row in rows_of("scored/metrics.csv")}
    assert len(whole) == 4
    victim = list(whole)[1]
    (own_photographs / victim).write_bytes(b"no picture")
    outcome = command("evaluate", *options, "report=true", "hydra.run.dir=again")
    assert outcome.status == 0, outcome.err
    log = Path("again/evaluate.log").read_text()
    assert log.count(f"skipped: {victim} cannot be used: it is no picture") == 1
    assert "1 photograph could not be used and was skipped" in log
    record = record_of("again")
    assert (record["pictures"], record["pictures_skipped"]) == (3, [victim])
    rows = rows_of("again/metrics.csv")
    assert [row["name"] for row in rows] == [name for name in whole if name != victim]
    for row in rows:  # batches have other sizes
        assert float(row["psnr_input"]) == pytest.approx(float(whole[row["name"]]["psnr_input"]), abs=1e-4)
    traits = {row["name"]: row for row in rows_of("again/traits.csv")}
    assert list(traits) == [row["name"] for row in rows]
