"""What the project prints to be typed means what it says, through a shell and through Hydra."""

import json
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from wm_lightning.app.command import serve as wm_app
from wm_lightning.commands import command, override, program, shell
from wm_lightning.data.command import main as wm_data
from wm_lightning.inference.export_command import main as wm_export
from wm_lightning.mark.command import main as wm_mark

STRINGS = (
    "plain", "a word", "runs/day/last.ckpt", "/abs/path.ckpt", "../up/one.ckpt", "~/photos", "a=b", "a,b", "a:b", "a#b",
    "it's", '"quoted"', "'", "''", "\\", "a\\", "a\\'b", "a\\\\'", "C:\\new\\'s", "$HOME `date` !x *?",
    "{a: 1}", "[1, 2]", "(1)", "größe/фото/写真", "0", "-3", "+1", "1e-3", "0x10", "1_000", "null", "NULL", "true",
    "False", "nan", "inf", "-inf", ".5", "-", "--help", "", " ", " padded ", "a\tb", "%20", "&", ";", "|", "@",
)  # fmt: skip
OTHERS = (0, -7, 0.1, 1e-5, 1e22, -math.inf, True, False, None, [], [1, 2.5], ["a b", "it's", None, True, "1"], [["x"]])


def read(text):
    """The keys and values that Hydra takes from what a shell would hand it."""
    return {entry.key_or_group: entry.value() for entry in OverridesParser.create().parse_overrides(shlex.split(text))}


@pytest.mark.parametrize("value", [*STRINGS, *OTHERS], ids=repr)
def test_a_value_comes_through_shell_and_hydra(value):
    (found,) = read(shell(override("a.b", value))).values()
    assert found == value
    assert type(found) is type(value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
@example("\\")
@example("\\'\\\\'")
def test_any_text_comes_through(text):
    assert read(shell(override("key", text))) == {"key": text}


@given(st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text("a'\\, ]"))))
def test_any_list_comes_through(values):
    (found,) = read(shell(override("key", values))).values()
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


def test_no_number_is_still_none():
    (found,) = read(override("a", math.nan)).values()
    assert math.isnan(found)


def test_words_that_need_no_quotes_have_none():
    assert override("ckpt", "outputs/train/2025-01-31/run-1/checkpoints/best.ckpt") == (
        "ckpt=outputs/train/2025-01-31/run-1/checkpoints/best.ckpt"
    )
    assert override("loss.alpha", 0.25) == "loss.alpha=0.25"
    assert shell("tensorboard", "--logdir", "runs/day") == "tensorboard --logdir runs/day"


@pytest.mark.parametrize(
    ("started", "words"),
    [
        ("train.py", ["python", "evaluate.py"]),
        ("clone/sweep.py", ["python", "clone/evaluate.py"]),
        ("/usr/local/bin/wm-train", ["wm-evaluate"]),
        ("wm-sweep.exe", ["wm-evaluate"]),
        ("-c", ["python", "evaluate.py"]),
        ("/usr/bin/pytest", ["python", "evaluate.py"]),
    ],
)
def test_a_command_is_started_as_this_one_was(monkeypatch, started, words):
    monkeypatch.setattr(sys, "argv", [started])
    assert program("evaluate") == words
    assert shlex.split(command("evaluate", ckpt="one.ckpt")) == [*words, "ckpt=one.ckpt"]


def test_a_command_is_a_script_and_its_overrides():
    words = shlex.split(command("evaluate", ckpt="my run/it's.ckpt", compare=["a b", "c"], report=False))
    assert words[:2] == ["python", "evaluate.py"]
    assert read(shlex.join(words[2:])) == {"ckpt": "my run/it's.ckpt", "compare": ["a b", "c"], "report": False}


@pytest.mark.skipif(sys.platform == "win32", reason="another shell")
def test_a_shell_hands_every_word_on_as_it_is():
    script = f"{shell(sys.executable, '-c', 'import json, sys; print(json.dumps(sys.argv[1:]))', *STRINGS)}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert tuple(json.loads(done.stdout)) == STRINGS


def test_what_a_run_in_an_awkward_folder_says_can_be_pasted(command, tiny):
    folder = "it's a=run, [größe] ~1"
    arguments = (override("hydra.run.dir", folder), "trainer.limit_train_batches=1", "optim.scheduler=null")
    outcome = command("train", *tiny, "logger=tensorboard", *arguments)
    assert outcome.status == 0, outcome.err
    text = Path(folder, "train.log").read_text(encoding="utf-8")
    (scored,) = re.findall(r"score it again: python evaluate\.py (.*)", text)
    again = command("evaluate", *shlex.split(scored), "report=false", "hydra.run.dir=scored", "trainer.accelerator=cpu")
    assert again.status == 0, again.err
    wanted = json.loads(Path(folder, "summary.json").read_text())["test"]
    assert json.loads(Path("scored/metrics.json").read_text())["test"] == wanted
    (watched,) = re.findall(r"watch it: (.*)", text)
    assert shlex.split(watched) == ["tensorboard", "--logdir", folder]


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (wm_data, ["index", ""]),
        (wm_data, ["optimize", "photos", " "]),
        (wm_mark, ["estimate", "", "-o", "my.mark"]),
        (wm_mark, ["show", ""]),
        (wm_export, ["-o", ""]),
        (wm_export, ["", "-o", "net.onnx"]),
        (wm_app, ["--weights", ""]),
        (wm_app, ["--password-file", ""]),
    ],
)
def test_an_empty_word_is_no_path_and_so_not_the_current_folder(capsys, main, arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert ": is empty; give a name ('.' is this folder)" in capsys.readouterr().err
