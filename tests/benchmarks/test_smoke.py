"""Each benchmark runs as a command on next to nothing and prints its table; what it measures is not judged here."""

import json
from types import SimpleNamespace

import hydra
import numpy as np
import pytest
import torch
from PIL import Image

from tests.benchmarks.running import BENCHMARKS, filled, run, run_here, table_of
from wm_lightning.files import CONF
from wm_lightning.runner.build import build_data
from wm_lightning.runner.configuration import check_config
from wm_lightning.sizes import SizeRequirement


@pytest.fixture
def beside(monkeypatch):
    """Lets a test import a benchmark as the benchmarks import each other."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_models():
    table = table_of("models", "--models", "dncnn", "pixel_unshuffle_unet", "--size", 32, "--turns", 1)
    assert table["model"] == ["parameters", "GFLOPs a megapixel", "seconds a megapixel"]
    assert list(table) == ["model", "dncnn", "pixel_unshuffle_unet"]
    assert filled(table["dncnn"])


def test_engines(photographs):
    table = table_of("engines", photographs, "--pictures", 1, "--size", 32)
    assert table["1 pictures of 32 pixels"] == ["PSNR", "seconds a megapixel"]
    assert {"identity", "PyTorch, float32"} <= set(table)
    assert sum("--tta" in name for name in table) == 4
    assert all(map(filled, table.values()))


def test_scales(photographs):
    table = table_of("scales", photographs, "--pictures", 1, "--side", 64, "--smallest", 16, "--large", 8, "--gap", 1)
    assert list(table) == ["SMALLEST, LARGE, GAP, WHOLE", "identity", "off", "16, 8, 1, 0.7"]
    assert all(len(cells) == 3 for cells in table.values())


def test_inference_of_small_and_large_files():
    table = table_of("inference", "--pictures", 1, "--rounds", 1, "--megapixels", 0.01)
    assert list(table) == ["", "plain", "this project", "megapixels", "0.01"]
    assert all(map(filled, table.values()))


def test_start(beside, monkeypatch):
    import start

    seconds_of, known = start.seconds_of, {}

    def once(words):  # the round that warms up is enough
        key = tuple(words)
        known[key] = known.get(key) or seconds_of(words)
        return known[key]

    monkeypatch.setattr(start, "seconds_of", once)
    table = table_of("start", "--rounds", 1, run=run_here)
    assert table["1 turns"] == ["seconds", "of importing PyTorch"]
    assert '`python -c "import torch"`' in table
    assert "`predict.py small.png`" in table
    assert all(map(filled, table.values()))


def test_start_of_a_training_on_many_photographs(photographs):
    table = table_of("start", "--photographs", photographs, "--count", 30, "--rounds", 1, run=run_here)
    first, *rows = table
    assert first == "30 photographs, 1 turns"
    assert rows == [
        "first batch, every file decoded before", "first batch", "index", "index, again", "first batch, with an index",
    ]  # fmt: skip
    assert table[rows[0]][1] == "1.000 (1.000 to 1.000)"
    assert all(map(filled, table.values()))
    assert sorted(path.suffix for path in photographs.iterdir()) == [".png"] * 20  # they were left alone


def test_synthesis(photographs):
    done = run("synthesis", photographs, "--count", 1)
    assert done.returncode == 0, done.stderr
    head, *rows, ratio = done.stdout.splitlines()
    assert head.split() == ["a", "second", "mean", "ms", "p50", "p99"]
    names = [row[:54].strip() for row in rows]
    assert names[0] == "decode, cold JPEG"
    assert sum(name.startswith("triplet") for name in names) == 12
    assert all(len(row[54:].split()) == 4 for row in rows)
    assert ratio.startswith("ratio of the medians: ")


def test_training_and_where_its_time_goes():
    tiny = ("--size", 32, "--batch-size", 2, "--turns", 1, "--steps", 1, "--matmul", 64)
    changes = ("--set", "train_metrics_every_n_steps=1", "--set", "loss.alpha=0.3", "--set", "loss.delta=0")
    table = table_of("training", *tiny, "--parts", *changes, run=run_here)
    assert len(table[""]) == len(table["plain loop"]) == len(table["this project"]) == 6
    assert filled(table["plain loop"])
    assert filled(table["this project"])
    assert [name for name in table if not name.startswith("loss: ")] == [
        "", "plain loop", "this project", "this project's step, medians of 1", "waiting for data",
        "batch to the device, as numbers", "forward", "metrics", "backward", "clipping the gradient", "optimizer step",
        "average of the weights", "other: the loops, logging", "together",
    ]  # fmt: skip
    assert {"loss: l1", "loss: mask", "loss: layer", "loss: perceptual", "loss: ssim"} <= set(table)
    assert "loss: laplacian" not in table  # its weight is 0


def test_training_ends_with_a_sentence_where_a_process_fails(tmp_path):
    done = run_here("training", tmp_path / "nowhere", "--size", 32)
    assert done.returncode == 1
    assert done.stdout == ""
    *warnings, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert f"root={tmp_path / 'nowhere'} is not a folder" in last
    assert "Traceback" not in "".join(warnings)


SETTINGS = ("data.size=32", "data.batch_size=2", "trainer.precision=32-true", "data.num_workers=0", "loss.alpha=0")


@pytest.mark.slow
def test_pairs(photographs):
    table = table_of("pairs", photographs, "--sizes", 32, "--seconds", 0.1, "--batch", 2)
    assert len(table) == 5
    assert all(len(cells) == 5 and filled(cells) for cells in table.values())


def test_gpu(photographs, tmp_path):
    trained = ("data.size=32", "data.num_workers=0", "trainer.precision=32-true", "loss.alpha=0", "loss.delta=0")
    few = ("trainer.limit_train_batches=1", "trainer.max_epochs=2", "logger=tensorboard", "data.batch_size=2")
    table = table_of(
        "gpu", photographs, "--size", 32, "--models", "unet", "--batches", 2, "--precisions", "32-true", "--steps", 1,
        "--pair-seconds", 0.1, "--minutes", 1, 0.02, 0.02, "--output", tmp_path,
        *(word for change in ("data.num_workers=0", "loss.alpha=0") for word in ("--set", change)),
        *(word for change in (*trained, *few) for word in ("--train", change)),
        run=run_here,
    )  # fmt: skip
    assert filled(table["the plain command"])
    by, precision, batch, *measured = table["`unet`"]
    assert (by, precision, batch) == ("device", "32-true", "2")
    assert filled(measured)
    minutes, steps, *scores = table["20 photographs"]
    assert float(minutes) > 0
    assert steps in ("1 of 2", "2 of 2")
    assert filled(scores)
    (head,) = (first for first in table if first.startswith("`experiment=best`"))
    assert table[head] == ["gain", "gain inside"]
    assert filled(list(table.values())[-1])


def test_a_recipe_that_is_cut_off_within_an_epoch_is_told_by_its_steps(beside, tmp_path, monkeypatch, caplog):
    import gpu

    assert [gpu.max_time(minutes) for minutes in (0, 1.5, 75, 60 * 49)] == [
        "00:00:00:01", "00:00:01:30", "00:01:15:00", "02:01:00:00",
    ]  # fmt: skip
    summary = {
        "history": [{"epoch": 1, "step": 10}, {"epoch": 2, "step": 15}],
        "test": {"psnr": 30, "gain": 1, "gain_in": 2},
        "photographs": {"train": 20},
        "training_time_min": 3.0,
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "checkpoints").mkdir()
    torch.save({"total_steps": 100}, tmp_path / "checkpoints" / "last.ckpt")
    monkeypatch.setattr(gpu, "train", lambda *_: tmp_path)
    with caplog.at_level("INFO", "gpu"):
        gpu.recipe(3.0, SimpleNamespace())
        assert caplog.messages[1:] == ["cut off after 3.00 minutes of training: all 100 steps would take 20.0"]
        caplog.clear()
        gpu.recipe(4.0, SimpleNamespace())
        assert len(caplog.messages) == 1


def test_the_plain_loop_puts_together_what_is_meant_for_the_device(beside, photographs):
    import steps
    import training

    batches = []
    for way in ("false", "true"):
        changes = ("augment=none", "synthesis.degradation=null", f"data.device_synthesis={way}")
        words = (photographs, "--size", 32, "--batch-size", 2, *(word for one in changes for word in ("--set", one)))
        data = build_data(training.configured(training.read(list(map(str, words))), "none"))
        batches.append(next(steps._batches(data, torch.device("cpu"))))
    one, other = batches
    assert one.name == other.name
    assert torch.equal(one.watermarked, other.watermarked)
    assert other.watermarked.is_contiguous()


@pytest.fixture(scope="module")
def ablation(photographs, tmp_path_factory):
    """The arguments of an ablation of one row, its folder and its table."""
    folder = tmp_path_factory.mktemp("ablation")
    arguments = (
        photographs, "--recipe", "plain", "--rows", "the defaults", "--minutes", 1e-4, "--pictures", 2, "--output",
        folder, *(word for change in SETTINGS for word in ("--set", change)),
    )  # fmt: skip
    return list(map(str, arguments)), folder, table_of("ablation", *arguments, run=run_here)


def test_ablation(ablation):
    _, folder, table = ablation
    assert list(table) == ["the defaults", "", "identity"]  # the row is told when it is done, then all together
    assert table[""] == ["steps", "PSNR", "gain", "its spread", "gain inside", "outside", "F1"]
    steps, psnr, gain, spread, *others = table["the defaults"]
    assert (steps, spread) == ("1", "")
    assert filled((psnr, gain, *others))
    seed = folder / "plain" / "the_defaults" / "seed_0"
    assert "- split=val\n" in (seed / "scored" / ".hydra" / "overrides.yaml").read_text()


def test_a_row_that_was_measured_is_read_and_one_of_other_settings_is_not(ablation, beside):
    import ablation as benchmark

    arguments, _, table = ablation
    scores = benchmark.measure_row("the defaults", benchmark.read(arguments))
    _, name, *cells, _ = (cell.strip() for cell in benchmark.told("the defaults", scores).split("|"))
    assert cells == table[name]
    with pytest.raises(benchmark.RowError, match="is of other settings; remove it, or give another --output"):
        benchmark.measure_row("the defaults", benchmark.read([*arguments, "--set", "data.target=clean"]))


def test_seeds_train_on_the_same_photographs(ablation, beside, tmp_path, monkeypatch):
    import ablation as benchmark

    commands = []

    def run(command, log_file):
        commands.append(command)
        if command[0] == "evaluate.py":
            (log_file.with_name("scored") / "metrics.json").write_text('{"test": {"psnr": 30}}')
        else:
            log_file.with_name("scored").mkdir()

    monkeypatch.setattr(benchmark, "run", run)
    monkeypatch.setattr(benchmark, "speed_of", lambda *_: benchmark.Speed(1, 10, 2))
    arguments, *_ = ablation
    options = benchmark.read([*arguments, "--seeds", "3", "4", "--output", str(tmp_path)])
    assert [score["psnr"] for score in benchmark.measure_row("the defaults", options)] == [30, 30]
    trained = [command for command in commands if command[0] == "train.py"]
    assert [{word for word in command if "seed=" in word} for command in trained] == [
        {"seed=3", "data.seed=0"}, {"seed=4", "data.seed=0"},
    ]  # fmt: skip


def test_a_row_is_the_mean_of_its_seeds_with_the_spread_of_the_gain(beside):
    import ablation as benchmark

    first = {"steps": 7, "psnr": 30, "gain": 1.0, "gain_in": -1.0, "psnr_out": 50, "f1": 0.5}
    second = {"steps": 7, "psnr": 32, "gain": 3.5, "gain_in": 2.0, "psnr_out": 40, "f1": 0.75}
    assert benchmark.told("two", [first, second]) == "| two | 7 | 31.00 | +2.25 | 2.50 | +0.50 | 45.00 | 0.625 |"


@pytest.mark.parametrize("recipe", ["general", "plain"])
def test_the_configuration_takes_every_row_of_the_ablation(recipe, beside):
    from recipes import RECIPES

    base, scored, rows = RECIPES[recipe]
    always = ("data.root=/photographs", "paths.output_dir=/run", "trainer.precision=32-true", "trainer.max_epochs=1")
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        hydra.compose("evaluate", overrides=["ckpt=/run/last.ckpt", "paths.output_dir=/run", *scored])
        for overrides in rows.values():
            check_config(hydra.compose("train", overrides=[*base, *always, *overrides]))
    assert not next(iter(rows.values()))


def test_harm(photographs, tmp_path):
    done = run("harm", photographs, "--pictures", 2, "--scales", 1, 0.5, "--output", tmp_path / "worst")
    assert done.returncode == 0, done.stderr
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    table = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in rows}
    assert table["all"][0] == table["photo"][0] == "4"
    assert float(table["all"][4]) <= float(table["all"][5]) <= 100
    assert sum(name.endswith("x0.5") for name in table) == 2
    assert len(list(tmp_path.glob("worst/*.png"))) == int(table["all"][1])


def test_sensitivity(photographs, tmp_path):
    picture = tmp_path / "curve.png"
    options = ("--pictures", 2, "--sensitivities", 0, 1, "-o", picture)
    table = table_of("sensitivity", photographs, photographs, *options)
    assert table["0"] == ["0.0 %", *2 * ("0.0 %", "+0.00")]  # nothing is wholly sure
    assert len(table["1"]) == 5
    assert picture.stat().st_size > 1000


def test_curves(command, tiny, tmp_path):
    few = ("trainer.limit_train_batches=1", "test=false", "logger=tensorboard")  # whose files it reads
    outcome = command("train", *tiny, *few, "hydra.run.dir=run")
    assert outcome.status == 0, outcome.err
    table = table_of("curves", f"one={tmp_path / 'run'}", f"again={tmp_path / 'run'}", "-o", tmp_path / "curves.png")
    assert table[""] == ["minutes", "gain", "gain inside"]
    assert filled(table["one"])
    assert table["one"] == table["again"]
    with Image.open(tmp_path / "curves.png") as image:
        assert image.size == (1000, 420)
    done = run("curves", f"none={tmp_path / 'nowhere'}", "-o", tmp_path / "none.png")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'nowhere'} has no validation")


def test_held_out(photographs):
    table = table_of("held_out", photographs, "--pictures", 2, "--sensitivities", 0, 1)
    assert table["0"][0] == table["identity"][0]  # nothing is wholly sure
    assert table["0"][4:] == ["0 %", "0"]
    assert len(table["1"]) == 6


def test_compressed(photographs):
    table = table_of("compressed", photographs, "--pictures", 2, "--qualities", 80, "--sensitivities", 0)
    assert table["all"] == ["2", *["+0.00, inside +0.00, found 0 %"] * 4]  # nothing is wholly sure


def test_painting(photographs):
    table = table_of("painting", photographs, "--pictures", 2, "--sensitivity", 0)
    assert table["this project"] == table["identity"]  # nothing is wholly sure
    assert table["Telea, the mask found"] == table["identity"]
    assert float(table["Telea, the true mask"][0]) > float(table["identity"][0])


def test_real(photographs, tmp_path):
    names = sorted(path.name for path in photographs.iterdir())[:2]
    out = tmp_path / "out"
    out.mkdir()
    (out / "verdicts.tsv").write_text(f"file\tverdict\n{names[0]}\tleft\n{names[1]}\t\n")
    table = table_of("real", photographs, "-o", out, "--pictures", 2)
    assert table["all"] == ["1", "0", "0", "1", "0"]
    assert sum(name in table for name in names) >= 1
    assert len(list((out / "pictures").iterdir())) == 2
    assert names[0] in (out / "judge.html").read_text()
    (out / "verdicts.tsv").write_text(f"file\tverdict\n{names[0]}\tperfect\n")
    done = run("real", photographs, "-o", out, "--pictures", 2)
    assert done.stderr.endswith("has the verdict perfect; it must be one of gone, traces, left, damaged.\n")


def test_edges_left_are_a_share_of_those_before(beside):
    import numpy as np
    from real import edges_left

    before, mask = np.full((40, 40, 3), 100, np.uint8), np.zeros((40, 40), np.uint8)
    before[10:30, 10:30] = 200
    mask[10:30, 10:30] = 255
    half = before.copy()
    half[10:30, 10:30] = 150
    assert edges_left(before, half, mask) == pytest.approx(0.5, abs=0.01)
    assert edges_left(before, np.full_like(before, 100), mask) == 0
    assert np.isnan(edges_left(before, half, np.zeros_like(mask)))


def test_kinds_are_read_from_a_table_beside_the_folder(beside, tmp_path):
    from real import kinds_of

    assert kinds_of(tmp_path / "marked") == {}
    (tmp_path / "real.tsv").write_text("file\tkind\nmarked/a.png\tstock\nunmarked/b.png\tcamera\n")
    assert kinds_of(tmp_path / "marked") == {"a.png": "stock", "b.png": "camera"}


def test_same_mark(photographs):
    arguments = ("--opacities", 0.4, "--qualities", 0, "--pictures", 4, "--blind", 1)
    table = table_of("same_mark", photographs, *arguments)
    columns = ["pictures", "input", "network alone", "this", "correlation", "error of opacity", "limit"]
    assert table["mark"] == columns
    cells = dict(zip(columns, table["words, 0.4, PNG"], strict=True))
    assert cells["this"] == "refused"  # four are too few
    assert float(cells["limit"]) > float(cells["input"]) + 20


@pytest.mark.usefixtures("beside")
def test_how_pictures_have_the_same_mark():
    from same_mark import JITTER, KINDS, SIZE, on_each, true_mark

    grey = [np.full((*SIZE, 3), 128, np.uint8)] * 4
    for kind in KINDS:
        mark = true_mark(None, 0.4, kind)
        assert mark.alpha.max() == pytest.approx(0.4, abs=0.01)
        clean, marks = on_each(grey, mark, kind)
        assert [one.shape[:2] for one in clean] == [one.alpha.shape for one in marks]
        sums = [float(one.alpha.sum()) / one.alpha.size for one in marks]
        assert sums == pytest.approx(sums[:1] * 4, rel=0.02)
        assert (len({one.alpha.tobytes() for one in marks}) > 1) == (kind in ("jittered", "anywhere", "scaled"))
    whole, letters = (true_mark(None, 0.4, kind).alpha > 0.004 for kind in ("halo", "same"))
    assert whole.sum() > 2 * letters.sum()
    assert not letters[:JITTER].any()  # so that no jitter takes it round the edge


def test_forms_of_a_network_are_compared_tile_by_tile(beside):
    from exports import cut_up, measure

    photograph = np.arange(100 * 130 * 3, dtype=np.float64).reshape(100, 130, 3) % 251
    tiles = cut_up(photograph.astype(np.uint8), SimpleNamespace(size=SizeRequirement(8, 8)), 64)
    assert [tile.shape for tile in tiles] == 6 * [(1, 3, 64, 64)]
    corner = photograph[-64:, -64:].transpose(2, 0, 1) / 255
    assert tiles[-1][0] == pytest.approx(corner, abs=1e-6)
    grey = [np.full((1, 3, 8, 8), 0.5, np.float32)]
    zero = np.zeros_like(grey[0])
    found = measure({"one": lambda image: (zero, zero, zero), "other": lambda image: (zero + 0.2, zero, zero)}, grey)
    assert [error for _, error in found.values()] == pytest.approx([0, 0.01])
    assert all(seconds >= 0 for seconds, _ in found.values())


@pytest.mark.slow
def test_exports():
    table = table_of("exports", "--weights", "general_small", "--megapixels", 0.02, "--side", 64, "--pictures", 4)
    (heading,) = (first for first in table if "megapixels" in first)
    assert table.pop(heading) == ["seconds", "ratio", "MiB", "loss"]
    forms = {"PyTorch, float32", "TorchScript", "torch.export"}
    assert forms | {f"ONNX Runtime, {kind}" for kind in ("float32", "float16", "int8")} <= set(table)
    assert table["PyTorch, float32"][3] == "none"
    loss = {name: float(cells[3].removesuffix(" dB")) for name, cells in table.items() if cells[3] != "none"}
    assert loss["ONNX Runtime, float32"] > loss["ONNX Runtime, float16"] > loss["ONNX Runtime, int8"] > 30
