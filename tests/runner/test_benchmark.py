import csv
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from wm_lightning.data.swcnn import swcnn_pairs
from wm_lightning.errors import UserError
from wm_lightning.metrics import PRESETS
from wm_lightning.models import HeterogeneousUNet
from wm_lightning.runner.benchmark import StampedBenchmark, means_by_opacity, write_rows

COLUMNS = PRESETS["swcnn"]


def make_folder(root, sizes, marks):
    (root / "test").mkdir()
    (root / "watermark").mkdir()
    generator = np.random.default_rng(0)
    for number, size in enumerate(sizes, start=1):
        coarse = Image.fromarray(generator.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(root / "test" / f"{number}.jpg", quality=95)
    for number, colour in enumerate(marks, start=1):
        mark = np.zeros((20, 16, 4), dtype=np.uint8)
        mark[3:17, 2:14] = colour
        Image.fromarray(mark).save(root / "watermark" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two photographs, of 160 x 192 and 192 x 160 pixels once they are cropped, and two marks."""
    marks = (255, 0, 0, 255), (255, 255, 255, 90)
    return make_folder(tmp_path_factory.mktemp("swcnn"), ((200, 170), (161, 200)), marks)


@pytest.fixture(scope="module")
def one_pair(tmp_path_factory):
    """A photograph of 160 x 160 pixels and a mark."""
    return make_folder(tmp_path_factory.mktemp("swcnn"), ((160, 160),), ((255, 0, 0, 255),))


def scored(restore, root, opacities, batch_size):
    """Scores as ``benchmark=swcnn`` does."""
    benchmark = StampedBenchmark(root, "test", "watermark", 1.5, opacities, "swcnn", batch_size)
    return benchmark(restore)


def do_nothing(pictures):
    return pictures


def fade(pictures):
    """Changes each picture by itself, whatever else is in the batch."""
    return (pictures * 0.97 + 0.01).clamp(0, 1)


def decibels(picture, clean):
    return -10 * math.log10(np.mean((picture / 255.0 - clean / 255.0) ** 2))


def test_a_network_that_does_nothing_scores_the_error_of_the_pairs_by_hand(folder):
    rows = scored(do_nothing, folder, [0.3, 0.7], batch_size=4)
    pairs = [
        (opacity, pair)
        for opacity in (0.3, 0.7)
        for pair in swcnn_pairs(folder / "test", folder / "watermark", opacity)
    ]
    assert [(row["opacity"], row["name"]) for row in rows] == [(opacity, pair.name) for opacity, pair in pairs]
    assert [row["name"] for row in rows[:4]] == ["1-1", "1-2", "2-1", "2-2"]
    for row, (_, pair) in zip(rows, pairs, strict=True):
        expected = decibels(pair.watermarked, pair.clean)
        marked = (pair.watermarked != pair.clean).any(axis=2)
        inside = decibels(pair.watermarked[marked], pair.clean[marked])
        assert row["psnr"] == row["psnr_input"] == pytest.approx(expected, abs=1e-3)
        assert row["psnr_in"] == row["psnr_input_in"] == pytest.approx(inside, abs=1e-3)
        assert (row["psnr_out"], row["gain"]) == (100, 0)
        assert row["ssim_uniform"] == row["ssim_input_uniform"] < 1
    means = means_by_opacity(rows)
    assert list(means) == [0.3, 0.7]
    for opacity, found in means.items():
        expected = np.mean([decibels(pair.watermarked, pair.clean) for _, pair in pairs if _ == opacity])
        assert found["psnr"] == pytest.approx(expected, abs=1e-3)
    assert means[0.3]["psnr"] > means[0.7]["psnr"]


def test_a_network_that_knows_the_photograph_is_exact_in_and_outside_the_mask(folder):
    answers = iter([pair.clean for pair in swcnn_pairs(folder / "test", folder / "watermark", 0.5)])

    def restore(pictures):
        clean = np.stack([next(answers) for _ in pictures])
        return torch.from_numpy(clean).movedim(-1, 1).float() / 255

    for row in scored(restore, folder, [0.5], batch_size=2):
        assert (row["psnr"], row["psnr_in"], row["psnr_out"]) == (100, 100, 100)
        assert row["ssim_uniform"] == pytest.approx(1)
        assert row["psnr_input"] < 40


@pytest.mark.parametrize(
    ("batch_size", "batches"),
    [(1, [(1, 160, 192)] * 2 + [(1, 192, 160)] * 2), (8, [(2, 160, 192), (2, 192, 160)])],
)
def test_pairs_of_one_size_are_restored_together(folder, batch_size, batches):
    seen = []

    def restore(pictures):
        seen.append((len(pictures), *pictures.shape[2:]))
        assert pictures.shape[1] == 3
        assert pictures.dtype == torch.float32
        assert 0 <= pictures.min() <= pictures.max() <= 1
        return pictures

    scored(restore, folder, [0.3], batch_size)
    assert seen == batches


def test_the_network_sees_blue_green_red(folder):
    seen = []
    scored(lambda pictures: seen.append(pictures) or pictures, folder, [1.0], 4)
    first = next(swcnn_pairs(folder / "test", folder / "watermark", 1.0)).watermarked
    np.testing.assert_allclose(seen[0][0].permute(1, 2, 0) * 255, first, atol=1e-3)


def test_the_size_of_batches_changes_no_figure(folder):
    one, many = (scored(fade, folder, [0.3], batch_size) for batch_size in (1, 3))
    for row, other in zip(one, many, strict=True):
        assert row["name"] == other["name"]
        for column in COLUMNS:
            assert row[column] == pytest.approx(other[column], abs=1e-4)


def test_what_is_not_defined_on_a_pair_is_left_out_of_the_mean():
    rows = [{"opacity": 0.3, "name": str(value), **dict.fromkeys(COLUMNS, value)} for value in (1.0, 5.0, math.nan)]
    assert means_by_opacity(rows)[0.3]["psnr_in"] == 3.0


def test_rows_and_means_are_written(folder, tmp_path):
    rows = scored(do_nothing, folder, [1.0], 2)
    write_rows(rows, tmp_path / "new" / "folder")
    with (tmp_path / "new" / "folder" / "benchmark.csv").open() as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == ["opacity", "name", *COLUMNS]
    assert [float(row["psnr"]) for row in read] == [row["psnr"] for row in rows]
    means = json.loads((tmp_path / "new" / "folder" / "benchmark.json").read_text())
    assert means == {"1": means_by_opacity(rows)[1.0]}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"root": "nowhere"}, "test holds no *.jpg"),
        ({"opacities": [0.3, 0]}, "opacities: 0 must be above 0 and at most 1"),
        ({"opacities": [1.5]}, "opacities: 1.5 must be above 0"),
        ({"opacities": []}, "opacities is empty"),
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"scale": 0}, "scale=0 must be above 0 and at most 10"),
        ({"scale": 11}, "scale=11 must be above 0"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_is(folder, options, sentence):
    seen = []
    plain = {"root": folder, "photographs": "test", "watermarks": "watermark", "scale": 1.5, "opacities": [0.3]}

    def score():
        StampedBenchmark(**{**plain, "published": "swcnn", "batch_size": 2, **options})(seen.append)

    with pytest.raises(UserError) as info:
        score()
    assert sentence in str(info.value)
    assert seen == []


@pytest.fixture
def shortened(checkpoint, tmp_path):
    """The trained checkpoint under a short name, the photographs it was trained on gone."""
    content = torch.load(checkpoint, weights_only=True)
    del content["optimizer_states"]
    content["config"]["data"]["root"] = "/gone"
    torch.save(content, tmp_path / "best.ckpt")
    return content


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_command_prints_our_row_below_the_published_ones(command, one_pair, shortened, tmp_path):
    options = (f"benchmark.root={one_pair}", "benchmark.opacities=[0.3,0.45]", "compare=[best.ckpt]")
    outcome = command(
        "evaluate", "ckpt=best.ckpt", "benchmark=swcnn", *options, "hydra.run.dir=scored", "trainer.accelerator=cpu"
    )
    assert outcome.status == 0, outcome.err
    written = [json.loads((tmp_path / path / "benchmark.json").read_text()) for path in ("scored", "scored/compared_1")]
    means = written[0]
    assert written == [means, means]
    assert list(means) == ["0.3", "0.45"]
    assert [row["name"] for row in rows_of(tmp_path / "scored" / "benchmark.csv")] == ["1-1", "1-1"]
    lines = {line.split("│")[1].strip(): line.split("│")[2:4] for line in outcome.out.splitlines() if "│" in line}
    assert [cell.strip() for cell in lines["SWCNN, one model each"]] == ["36.90 (0.9893)", ""]
    ours = [f"{found['psnr']:.2f} ({found['ssim_uniform']:.4f})" for found in means.values()]
    assert [cell.strip() for cell in lines["best.ckpt"]] == ours
    assert outcome.out.count("SWCNN, one model each") == 2
    net = HeterogeneousUNet(head="direct").eval()
    weights = {name: value for name, value in shortened["state_dict"].items() if name.startswith("net.")}
    net.load_state_dict({name.removeprefix("net."): value for name, value in weights.items()})
    with torch.no_grad():
        (row,) = scored(lambda pictures: net(pictures).clamp(0, 1), one_pair, [0.3], 4)
    assert row["psnr"] == pytest.approx(means["0.3"]["psnr"], abs=1e-3)  # the very network of the checkpoint


def test_pslnets_marks_have_their_own_size_and_its_figures_stand_beside(command, one_pair, shortened, tmp_path):
    options = (f"benchmark.root={one_pair / 'test'}", f"benchmark.watermarks={one_pair / 'watermark'}")
    outcome = command(
        "evaluate", "ckpt=best.ckpt", "benchmark=pslnet", *options, "benchmark.opacities=[0.3]", "hydra.run.dir=scored"
    )
    assert outcome.status == 0, outcome.err
    lines = {line.split("│")[1].strip(): line.split("│")[2].strip() for line in outcome.out.splitlines() if "│" in line}
    assert lines["PSLNet, for 0.3 alone"] == "42.16 (0.9932)"
    assert "SWCNN, one model each" not in lines
    (pair,) = swcnn_pairs(one_pair / "test", one_pair / "watermark", 0.3, scale=1.0)
    (row,) = rows_of(tmp_path / "scored" / "benchmark.csv")
    assert float(row["psnr_input"]) == pytest.approx(decibels(pair.watermarked, pair.clean), abs=1e-3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "benchmark.root is not set; give it a value: benchmark.root="),
        (["benchmark.root=/nowhere"], "/nowhere/test holds no *.jpg"),
        (["benchmark.root=.", "benchmark.opacities=[abc]"], "benchmark.opacities=['abc'] does not fit"),
        (["benchmark.root=.", "benchmark.opacities=0.3"], "benchmark.opacities=0.3 does not fit"),
        (["benchmark.root=.", "+benchmark.opacity=0.3"], "benchmark.opacity: there is no such option"),
    ],
)
def test_bad_input_is_one_sentence(command, shortened, options, sentence):
    outcome = command("evaluate", "ckpt=best.ckpt", "benchmark=swcnn", *options, "hydra.run.dir=scored")
    assert outcome.status == 1
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert sentence in last
