"""A run that was killed goes on as if nothing had happened."""

import json
import shlex
import shutil
import signal
from pathlib import Path

import matplotlib
import pytest
import torch
from PIL import Image

from tests.conftest import TINY
from tests.processes import run_script
from wm_lightning.commands import override
from wm_lightning.data.indexing import index_folder
from wm_lightning.data.sharding import optimize
from wm_lightning.files import SHIPPED

# Kills its own process without a warning in the middle of an epoch.
DRIVER = """
import os, signal, sys
from wm_lightning import cli
from wm_lightning.engine import WatermarkRemoval

step, (epoch, batch) = WatermarkRemoval.training_step, map(int, sys.argv.pop().split(","))

def killed(self, sample, batch_idx):
    if (self.current_epoch, batch_idx) == (epoch, batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, sample, batch_idx)

WatermarkRemoval.training_step = killed
cli.train()
"""
RECIPE = (
    "optim=watermarkcnn", "optim.scheduler.epochs=1", "optim.scheduler.then.after=2", "augment=full",
    "trainer.accumulate_grad_batches=2", "test=false", "trainer.max_epochs=4", "data.num_workers=1",
)  # fmt: skip


def load(path):
    return torch.load(path, weights_only=True)


def run_killed(arguments, at):
    driver = Path("driver.py")
    driver.write_text(DRIVER)
    outcome = run_script(driver.absolute(), *arguments, f"{at[0]},{at[1]}", folder=Path.cwd())
    assert outcome.returncode == -signal.SIGKILL, outcome.stderr


def assert_equal(one, other, path=""):
    """Compares everything in two checkpoints but clocks and paths."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            if key not in ("seconds", "dirpath", "split_dir", "best_k_models") and "model_path" not in str(key):
                assert_equal(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{path}[{number}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    elif one == one or other == other:  # NaN equals nothing, itself neither
        assert one == other, path


@pytest.mark.parametrize(
    ("average", "at"), [("average.decay=0.3", (1, 0)), ("average.decay=0.999", (2, 2)), ("average=null", (1, 0))]
)
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(command, tiny, average, at):
    arguments = (*tiny, *RECIPE, average)
    assert command("train", *arguments, "hydra.run.dir=whole").status == 0
    run_killed((*arguments, "hydra.run.dir=outputs/train/day/time"), at)
    killed = Path("outputs/train/day/time")
    assert torch.load(killed / "checkpoints/last.ckpt", weights_only=True)["epoch"] == at[0] - 1

    resumed = command("train", *arguments, "ckpt_path=last", "hydra.run.dir=elsewhere")
    assert resumed.status == 0, resumed.err
    for name in ("last", "best"):
        kinds = (Path("whole"), killed)
        one, other = (torch.load(kind / f"checkpoints/{name}.ckpt", weights_only=True) for kind in kinds)
        assert {"optimizer_states", "lr_schedulers", "weights"} <= one.keys()
        assert ("average" in one) == (average != "average=null")
        assert_equal(one, other)
    histories = [json.loads((kind / "summary.json").read_text())["history"] for kind in kinds]
    assert histories[0] == histories[1]
    assert not Path("elsewhere/checkpoints").exists()  # it went on in its own folder


@pytest.mark.parametrize("kind", ["folder", "streaming", pytest.param("device", marks=pytest.mark.slow)])
def test_a_run_killed_within_an_epoch_goes_on_within_it(command, tiny, photographs, kind, recwarn):
    arguments = (
        *tiny, "test=false", "trainer.max_epochs=2", "data.num_workers=1", "data.repeats=2", "data.batch_size=2",
        "callbacks.last_checkpoint.every_n_train_steps=2",
    )  # fmt: skip
    if kind == "streaming":
        optimize(str(photographs), "shards", shard_bytes=8000)
        arguments = (*arguments, "data=streaming", "data.root=shards", "data.shards_at_once=2")
    if kind == "device":
        arguments = (*arguments, "data.device_synthesis=true")
    assert command("train", *arguments, "hydra.run.dir=whole").status == 0
    steps = load("whole/checkpoints/last.ckpt")["global_step"]
    run_killed((*arguments, "hydra.run.dir=killed"), (1, 5))
    stopped = load("killed/checkpoints/last.ckpt")
    assert stopped["global_step"] % 2 == 0
    assert 0 < stopped["global_step"] - steps // 2 <= 5  # in the second of two epochs
    resumed = command("train", *arguments, "ckpt_path=killed/checkpoints/last.ckpt")
    assert resumed.status == 0, resumed.err
    assert not [entry for entry in recwarn if "resumable" in str(entry.message)]  # Lightning asks the loader alone
    one, other = (load(f"{folder}/checkpoints/last.ckpt") for folder in ("whole", "killed"))
    for part in ("global_step", "epoch", "state_dict", "optimizer_states", "lr_schedulers", "average", "random_state"):
        assert_equal(one[part], other[part], part)


def test_a_run_that_finished_has_nothing_to_go_on_with(command, tiny):
    arguments = (*tiny, "test=false", "hydra.run.dir=outputs/train/day/time")
    assert command("train", *arguments).status == 0
    before = torch.load("outputs/train/day/time/checkpoints/last.ckpt", weights_only=True)
    assert command("train", *arguments, "ckpt_path=last").status == 0
    after = torch.load("outputs/train/day/time/checkpoints/last.ckpt", weights_only=True)
    assert_equal(before["state_dict"], after["state_dict"])
    assert len(json.loads(Path("outputs/train/day/time/summary.json").read_text())["history"]) == 1


def test_last_is_the_newest_run_and_another_checkpoint_begins_a_folder_of_its_own(command, tiny):
    arguments = (*tiny, "test=false", "trainer.limit_train_batches=1", "optim.scheduler=null")
    for name in ("b", "a"):  # the newest is not the last by name
        assert command("train", *arguments, f"hydra.run.dir=outputs/train/{name}/time").status == 0
    go_on = (*arguments, "trainer.max_epochs=2")
    assert command("train", *go_on, "ckpt_path=last", "hydra.run.dir=new").status == 0
    epochs = {name: load(f"outputs/train/{name}/time/checkpoints/last.ckpt")["epoch"] for name in "ab"}
    assert epochs == {"a": 1, "b": 0}
    source = "outputs/train/b/time/checkpoints/best.ckpt"
    assert command("train", *go_on, f"ckpt_path={source}", "hydra.run.dir=branch").status == 0
    assert load("branch/checkpoints/last.ckpt")["epoch"] == 1
    assert load(source)["epoch"] == 0


def test_a_schedule_of_another_length_is_refused(command, tiny):
    arguments = (*tiny, "test=false", "hydra.run.dir=run")
    assert command("train", *arguments).status == 0
    outcome = command("train", *arguments, "trainer.max_epochs=2", "ckpt_path=run/checkpoints/last.ckpt")
    assert outcome.status == 1
    assert "the checkpoint's schedule spans 3 steps and this run has 6; keep trainer.max_epochs" in outcome.err


def test_no_run_and_a_checkpoint_that_was_cut_off_are_one_sentence_each(command, tiny):
    outcome = command("train", *tiny, "ckpt_path=last")
    assert outcome.status == 1
    assert "ckpt_path=last: no run below outputs/train has finished an epoch" in outcome.err
    assert command("train", *tiny, "test=false", "hydra.run.dir=run").status == 0
    whole = Path("run/checkpoints/last.ckpt")
    cut = Path(shutil.copy(whole, "cut.ckpt"))
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    outcome = command("train", *tiny, "ckpt_path=cut.ckpt", "trainer.max_epochs=2")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == (
        "error: cut.ckpt cannot be read as a checkpoint; it is damaged or another kind of file."
    )


# One batch an epoch, whose rate stays.
SHORT = ("test=false", "trainer.limit_train_batches=1", "optim.scheduler=null")
# What makes every later loss higher than those before, or lower.
WORSE, BETTER = "loss.terms.l1.weight=100", "loss.terms.unmasked.weight=0"


def contents(folder):
    """All files below a folder with what is in them."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(photographs, command_in, tmp_path_factory):
    """A run of two epochs: where it was, since its checkpoints say so, and where it is kept."""
    place, kept = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("kept") / "first"
    arguments = (*TINY, f"data.root={photographs}", *SHORT, "trainer.max_epochs=2", "hydra.run.dir=first")
    outcome = command_in(place, "train", *arguments)
    assert outcome.status == 0, outcome.err
    shutil.move(place / "first", kept)
    return place, kept


@pytest.fixture
def source(command, finished, monkeypatch):
    """That run in ./first, beside which there is nothing."""
    place, kept = finished
    shutil.rmtree(place)
    shutil.copytree(kept, place / "first")
    monkeypatch.chdir(place)
    return Path("first")


@pytest.mark.parametrize(
    ("carry", "change", "stays"),
    [(shutil.move, WORSE, True), (shutil.copytree, WORSE, True), (shutil.move, BETTER, False)],
)
def test_a_run_that_was_moved_or_copied_keeps_its_best_checkpoint(command, tiny, source, carry, change, stays):
    carry("first", "elsewhere")
    best = Path("elsewhere/checkpoints/best.ckpt")
    before, left = best.read_bytes(), contents("first")
    go_on = ("ckpt_path=elsewhere/checkpoints/last.ckpt", "trainer.max_epochs=4", "hydra.run.dir=new")
    outcome = command("train", *tiny, *SHORT, *go_on, change, "test=true")
    assert outcome.status == 0, outcome.err
    assert (best.read_bytes() == before) == stays
    assert load("elsewhere/checkpoints/last.ckpt")["epoch"] == 3
    assert contents("first") == left
    assert sorted(path.name for path in best.parent.iterdir()) == ["best.ckpt", "last.ckpt"]
    summary = json.loads(Path("elsewhere/summary.json").read_text())
    assert [epoch["epoch"] for epoch in summary["history"]] == [1, 2, 3, 4]
    assert summary["best_epoch"] == load(best)["epoch"] + 1
    assert Path(summary["checkpoint"]).resolve() == best.resolve()
    options = (f"ckpt={best}", "report=false", "hydra.run.dir=scored", "trainer.accelerator=cpu")
    assert command("evaluate", *options).status == 0
    scores = json.loads(Path("scored/metrics.json").read_text())["test"]
    assert {**scores, "loss": 0} == {**summary["test"], "loss": 0}  # whose weights may be others


def test_a_run_whose_best_checkpoint_is_gone_takes_the_next_one_for_it(command, tiny, source):
    best = Path("first/checkpoints/best.ckpt")
    best.unlink()
    go_on = ("ckpt_path=first/checkpoints/last.ckpt", "trainer.max_epochs=3")
    assert command("train", *tiny, *SHORT, *go_on, WORSE).status == 0
    assert load(best)["epoch"] == 2


@pytest.mark.parametrize(("change", "stays"), [(WORSE, True), (BETTER, False)])
def test_a_run_that_branches_off_takes_the_best_checkpoint_along(command, tiny, source, change, stays):
    left = contents("first")
    go_on = ("ckpt_path=first/checkpoints/best.ckpt", "trainer.max_epochs=4", "hydra.run.dir=branch")
    assert command("train", *tiny, *SHORT, *go_on, change).status == 0
    assert contents("first") == left
    taken = contents("branch/checkpoints")
    assert set(taken) == {"best.ckpt", "last.ckpt"}
    assert (taken["best.ckpt"] == left["checkpoints/best.ckpt"]) == stays
    assert load("branch/checkpoints/last.ckpt")["epoch"] == 3


def test_a_best_checkpoint_that_is_there_already_is_not_replaced(command, tiny, source):
    Path("branch/checkpoints").mkdir(parents=True)
    own = b"own"
    Path("branch/checkpoints/best.ckpt").write_bytes(own)
    go_on = ("ckpt_path=first/checkpoints/best.ckpt", "trainer.max_epochs=3", "hydra.run.dir=branch")
    assert command("train", *tiny, *SHORT, *go_on, WORSE).status == 0
    assert Path("branch/checkpoints/best.ckpt").read_bytes() == own


@pytest.mark.parametrize("path", ["first/checkpoints/last.ckpt", "last"])
def test_each_job_of_a_multirun_goes_on_in_a_folder_of_its_own(command, tiny, path):
    folder = "first" if path != "last" else "outputs/train/day/time"
    assert command("train", *tiny, *SHORT, "trainer.max_epochs=2", f"hydra.run.dir={folder}").status == 0
    left = contents(folder)
    sweep = ("-m", f"ckpt_path={path}", "loss.terms.l1.weight=100,200", "hydra.sweep.dir=sweep")
    outcome = command("train", *sweep, *tiny, *SHORT, "trainer.max_epochs=3")
    assert outcome.status == 0, outcome.err
    assert contents(folder) == left
    weights = []
    for job in "01":
        taken = contents(f"sweep/{job}/checkpoints")
        assert set(taken) == {"best.ckpt", "last.ckpt"}
        assert taken["best.ckpt"] == left["checkpoints/best.ckpt"]
        summary = json.loads(Path("sweep", job, "summary.json").read_text())
        assert [epoch["epoch"] for epoch in summary["history"]] == [1, 2, 3]
        assert summary["best_epoch"] <= 2
        weights.append(load(f"sweep/{job}/checkpoints/last.ckpt")["state_dict"]["net.last.weight"])
    assert not torch.equal(*weights)


def test_a_checkpoint_finds_its_photographs_from_any_folder(command, tiny, own_photographs, monkeypatch):
    folder = own_photographs.relative_to(Path.cwd())
    arguments = (f"data.root={folder}", "data.cache=disk", "data.cache_dir=cached", "hydra.run.dir=run")
    outcome = command("train", *tiny, *arguments)
    assert outcome.status == 0, outcome.err
    data = load("run/checkpoints/best.ckpt")["config"]["data"]
    assert (data["root"], data["cache_dir"]) == (str(own_photographs), str(Path("cached").absolute()))
    tested = json.loads(Path("run/summary.json").read_text())["test"]
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    options = ("ckpt=../run/checkpoints/best.ckpt", "report=false", "trainer.accelerator=cpu")
    for name, more in (("as trained", ()), ("asked for", (f"data.root=../{folder}",))):
        outcome = command("evaluate", *options, f"hydra.run.dir={name}", *more)
        assert outcome.status == 0, outcome.err
        assert json.loads(Path(name, "metrics.json").read_text())["test"] == tested


@pytest.mark.parametrize(
    ("key", "source"), [("logos", "marks"), ("fonts", "own.ttf"), ("fonts", "own")], ids=["logos", "font", "fonts"]
)
def test_a_checkpoint_finds_its_logos_and_fonts_from_any_folder(command, tiny, monkeypatch, key, source):
    font = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    for folder in ("marks", "own"):
        Path(folder).mkdir()
    Image.new("RGBA", (30, 20), (255, 0, 0, 128)).save("marks/one.png")
    for name in ("own.ttf", "own/one.ttf"):
        shutil.copy(font, name)
    value = f"[{source}]" if key == "fonts" else source
    outcome = command("train", *tiny, *SHORT, f"synthesis.{key}={value}", "hydra.run.dir=run", "test=true")
    assert outcome.status == 0, outcome.err
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    options = ("ckpt=../run/checkpoints/best.ckpt", "report=false", "trainer.accelerator=cpu", "hydra.run.dir=scored")
    outcome = command("evaluate", *options)
    assert outcome.status == 0, outcome.err
    scores = json.loads(Path("scored/metrics.json").read_text())["test"]
    assert scores == json.loads(Path("../run/summary.json").read_text())["test"]


def go_on_of(outcome):
    """The one sentence that a refused command says, and the arguments of the command in it."""
    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    last = outcome.err.splitlines()[-1]
    assert last.startswith("error: ckpt_path=")
    told = last.split("go on with: ", 1)[1]
    assert shlex.split(told)[:2] == ["python", "train.py"]
    return last, shlex.split(told)[2:]


A_RUN = "outputs/train/a day/time"  # to be quoted
OTHERS = {
    "network": ("model=unet", "its network is another one than this configuration's", "model"),
    "head": ("model.head=decomposition", "its network is another one than this configuration's", "model.head"),
    "seed": ("seed=1", "it was trained on another split of photographs", "seed"),
    "fractions": ("data.fractions=[0.5,0.3,0.2]", "it was trained on another split", "data.fractions"),
    "demo": ("data=demo", "it was trained on another split of photographs", "data"),
    "optimizer": ("optim=adamw_cosine", "its optimizer or schedule is another one", "optim.optimizer"),
    "batches": ("data.batch_size=2", "the checkpoint's schedule spans 3 steps and this run has 7", "data.batch_size"),
}


@pytest.fixture(scope="module")
def begun(photographs, command_in, tmp_path_factory):
    """The folder that a run was begun in, and its arguments."""
    place, arguments = tmp_path_factory.mktemp("begun"), (*TINY, f"data.root={photographs}", "test=false")
    outcome = command_in(place, "train", *arguments, f"hydra.run.dir='{A_RUN}'")
    assert outcome.status == 0, outcome.err
    return place, arguments


@pytest.mark.parametrize(("change", "reason", "keys"), OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_that_does_not_fit_is_refused_and_its_run_left_as_it_was(
    command, begun, monkeypatch, change, reason, keys
):
    place, arguments = begun
    monkeypatch.chdir(place)
    left = contents(A_RUN)
    options = [word for word in arguments if change != "data=demo" or word.split("=")[0] not in ("data", "data.root")]
    outcome = command("train", *options, change, "ckpt_path=last", "hydra.run.dir=refused")
    told, words = go_on_of(outcome)
    assert f"/last.ckpt: {reason}" in told
    assert f"; not as in its run: {keys}" in told
    assert contents(A_RUN) == left
    assert words == [*arguments, override("ckpt_path", f"{A_RUN}/checkpoints/last.ckpt")]


def test_what_a_refused_checkpoint_says_to_go_on_with_goes_on(command, tiny):
    assert command("train", *tiny, "test=false", f"hydra.run.dir='{A_RUN}'").status == 0
    _, words = go_on_of(command("train", *tiny, "test=false", "seed=1", "ckpt_path=last", "hydra.run.dir=refused"))
    assert command("train", *words).status == 0


def test_ckpt_path_alone_says_what_the_run_was_and_leaves_it(command, tiny):
    folder = Path("outputs/train/day/time")
    assert command("train", *tiny, *SHORT, f"hydra.run.dir={folder}").status == 0
    left = contents(folder)
    told, words = go_on_of(command("train", "ckpt_path=last", "trainer.accelerator=cpu"))
    assert "; not as in its run: model, " in told
    assert contents(folder) == left
    outcome = command("train", *words, "trainer.max_epochs=2")
    assert outcome.status == 0, outcome.err
    assert load(folder / "checkpoints/last.ckpt")["epoch"] == 1
    again = [*words[:-1], "trainer.max_epochs=2", words[-1]]  # as the run went on
    assert go_on_of(command("train", *words, "trainer.max_epochs=2", "seed=3"))[1] == again


def without_record(path):
    """Makes a checkpoint one from before it kept what was typed."""
    checkpoint = load(path)
    del checkpoint["typed"]
    torch.save(checkpoint, path)


def test_an_older_checkpoint_has_its_overrides_from_hydras_records_or_none(command, tiny, source):
    path = source / "checkpoints/last.ckpt"
    without_record(path)
    refused = ("seed=1", *tiny, *SHORT, f"ckpt_path={path}")
    assert go_on_of(command("train", *refused))[1] == [*tiny, *SHORT, "trainer.max_epochs=2", f"ckpt_path={path}"]
    shutil.rmtree(source / ".hydra")
    last = command("train", *refused).err.splitlines()[-1]
    assert last.endswith("not as in its run: seed; repeat the overrides of its run.")


def test_a_run_from_another_folder_goes_on_there(command, tiny, own_photographs, monkeypatch):
    photos = f"data.root={own_photographs.name}"
    assert command("train", *tiny, *SHORT, photos, "hydra.run.dir=run").status == 0
    begun = Path.cwd()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    last = command("train", *tiny, *SHORT, "seed=1", "ckpt_path=../run/checkpoints/last.ckpt").err.splitlines()[-1]
    (there, script) = last.split("go on with: ", 1)[1].split(" && ")
    assert shlex.split(there) == ["cd", str(begun)]
    monkeypatch.chdir(begun)
    assert photos in shlex.split(script)
    outcome = command("train", *shlex.split(script)[2:], "trainer.max_epochs=2")
    assert outcome.status == 0, outcome.err
    assert load("run/checkpoints/last.ckpt")["epoch"] == 1


def test_what_was_typed_is_kept_with_ones_own_configuration_folder(command, tiny):
    own = Path("own/model")
    own.mkdir(parents=True)
    own.joinpath("mine.yaml").write_text("defaults: [unet]\n")
    options = (*tiny, *SHORT, "model=mine", "weights=null", "hydra.run.dir=run", "--config-dir", "own")
    assert command("train", *options).status == 0
    typed = load("run/checkpoints/last.ckpt")["typed"]
    lasting = [*tiny, *SHORT, "model=mine"]
    assert typed == {"arguments": ["--config-dir", str(Path("own").absolute()), *lasting], "folder": str(Path.cwd())}


def test_photographs_that_came_to_the_folder_are_told_and_trained_on(command, tiny, own_photographs):
    options = (*tiny, *SHORT, f"data.root={own_photographs}")
    assert command("train", *options, "hydra.run.dir=run").status == 0
    shutil.copy(own_photographs / "photo000.png", own_photographs / "new.png")
    go_on = ("ckpt_path=run/checkpoints/last.ckpt", "trainer.max_epochs=2", "hydra.run.dir=again")
    assert command("train", *options, *go_on).status == 0
    assert "THE SPLIT IS NOT THE ONE" in Path("again/train.log").read_text()
    assert any("new.png" in path.read_text() for path in Path("run/split").iterdir())


def test_a_folder_of_photographs_that_was_moved_fits(command, tiny, own_photographs):
    options = (*tiny, *SHORT, "trainer.max_epochs=2")
    assert command("train", *tiny, *SHORT, f"data.root={own_photographs}", "hydra.run.dir=run").status == 0
    moved = own_photographs.rename(own_photographs.with_name("moved"))
    outcome = command("train", *options, f"data.root={moved}", "ckpt_path=run/checkpoints/last.ckpt")
    assert outcome.status == 0, outcome.err


def test_weights_alone_are_nothing_to_go_on_with(command, tiny):
    path = SHIPPED / "general.safetensors"
    outcome = command("train", *tiny, f"ckpt_path={path}")
    assert outcome.status == 1
    assert f"holds weights alone, so there is no run to go on with; begin a new one from them: weights={path}." in (
        outcome.err
    )


def test_a_killed_run_over_broken_photographs_goes_on_with_the_same_pictures(command, tiny, own_photographs):
    options = (*tiny, f"data.root={own_photographs}", "data.num_workers=1", "test=false", "trainer.max_epochs=3")
    assert command("train", *options, "trainer.fast_dev_run=true", "hydra.run.dir=found").status == 0
    for stage, place in (("train", 2), ("train", 9), ("val", 1)):
        name = Path(f"found/split/{stage}.txt").read_text().split()[place]
        (own_photographs / name).write_bytes(b"no picture")
    assert command("train", *options, "hydra.run.dir=whole").status == 0
    run_killed((*options, "hydra.run.dir=outputs/train/day/time"), (1, 1))
    index_folder(own_photographs)  # what is known of them, and when, changes nothing
    resumed = command("train", *options, "ckpt_path=last")
    assert resumed.status == 0, resumed.err
    one, other = (load(f"{folder}/checkpoints/last.ckpt") for folder in ("whole", "outputs/train/day/time"))
    assert_equal(one, other)
    summaries = [json.loads(Path(folder, "summary.json").read_text()) for folder in ("whole", "outputs/train/day/time")]
    assert summaries[0]["history"] == summaries[1]["history"]
    for summary in summaries:
        assert summary["photographs"] == {"train": 12, "val": 3, "test": 2}
        assert len(summary["photographs_skipped"]) == 3
