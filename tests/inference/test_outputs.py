"""What a second run does to what is there, and where else results may go."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wm_lightning
from tests.inference.awkward import wait_or_grow
from wm_lightning.inference import cleaner, codecs, known, outcomes, outputs
from wm_lightning.inference.cleaning import clean_pixels
from wm_lightning.inference.command import predict

pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")

REPOSITORY = Path(__file__).parents[2]


def below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def as_photo(path):
    with Image.open(path) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize("there", ["a.png", "a.mask.png", "found.json"])
def test_nothing_that_is_there_is_written_over_unless_that_is_asked_for(run, save, there):
    save("a.png")
    save("b.png")
    Path("out").mkdir()
    Path("out", there).write_bytes(b"mine")
    more = ("--save-mask", "--report", "out/found.json")
    status, out, err = run("a.png", "b.png", "-o", "out", *more)
    assert (status, out) == (1, "")
    assert err == (
        f"error: out/{there} exists already; --skip-existing leaves what is there and does the rest, "
        "--overwrite replaces it.\n"
    )
    assert below("out") == {there: b"mine"}
    assert run("a.png", "b.png", "-o", "out", "--overwrite", *more)[0] == 0
    assert set(below("out")) == {"a.png", "b.png", "a.mask.png", "b.mask.png", "found.json"}
    assert below("out")[there] != b"mine"


def test_a_run_that_goes_on_does_what_is_missing_alone(run, save, monkeypatch):
    for name in "abc":
        save(f"{name}.png")
    assert run("b.png", "-o", "out")[0] == 0
    before, seen = Path("out/b.png").stat().st_mtime_ns, []
    monkeypatch.setattr(known, "clean_pixels", lambda *arguments: seen.append(1) or clean_pixels(*arguments))
    status, out, err = run("a.png", "b.png", "c.png", "-o", "out", "--skip-existing")
    assert (status, err, len(seen)) == (0, "", 2)
    assert "out/b.png: is there already" in out
    assert "2 of 3 pictures written; 1 there already; " in out
    assert Path("out/b.png").stat().st_mtime_ns == before
    # The masks are asked for afterwards: they come, and the results stay.
    results = {name: Path("out", name).stat().st_mtime_ns for name in ("a.png", "b.png", "c.png")}
    assert run("a.png", "b.png", "c.png", "-o", "out", "--skip-existing", "--save-mask")[0] == 0
    assert {name: Path("out", name).stat().st_mtime_ns for name in results} == results
    assert len(below("out")) == 6


def test_a_file_that_comes_into_being_meanwhile_stays(run, save, monkeypatch):
    save("a.png")

    def slow(*arguments):
        Path("out").mkdir()
        Path("out/a.png").write_bytes(b"mine")
        return clean_pixels(*arguments)

    monkeypatch.setattr(known, "clean_pixels", slow)
    status, _, err = run("a.png", "-o", "out")
    assert (status, err) == (
        1,
        "error: out/a.png appeared a moment ago and was not overwritten; --overwrite replaces it.\n",
    )
    assert below("out") == {"a.png": b"mine"}


def test_in_place_keeps_the_picture_that_was_there_and_its_rights(run, save):
    clean, _ = save("photos/a.png")
    save("photos/b.png", mark=False)
    Path("photos/a.png").chmod(0o640)
    before = below("photos")
    assert run("photos", "--in-place")[0] == 0
    after = below("photos")
    assert set(after) == {"a.png", "b.png", "a.png.orig"}
    assert (after["a.png.orig"], after["b.png"]) == (before["a.png"], before["b.png"])
    assert np.abs(as_photo("photos/a.png").astype(int) - clean).max() <= 1
    assert Path("photos/a.png").stat().st_mode & 0o777 == 0o640
    status, _, err = run("photos", "--in-place")
    assert status == 1
    assert err.startswith("error: photos/a.png.orig exists already; --skip-existing leaves")
    assert "1 there already" in run("photos", "--in-place", "--skip-existing")[1]
    Path("photos/a.png").write_bytes(before["a.png"])  # as after a run that was killed once it had kept the picture
    assert "there already" not in run("photos", "--in-place", "--skip-existing")[1]
    assert below("photos") == after
    assert run("photos", "--in-place", "--overwrite")[0] == 0
    assert below("photos")["a.png.orig"] == before["a.png"]


def test_a_copy_that_cannot_be_read_is_one_pictures(run, save):
    for name in "abc":
        save(f"photos/{name}.png")
    Path("photos/b.png.orig").symlink_to("nowhere")
    status, out, err = run("photos", "--in-place", "--skip-existing", "--dry-run")
    sentence = "error: photos/b.png.orig cannot be read: No such file or directory.\n"
    assert (status, err) == (1, sentence)
    assert "2 of 3 pictures would be written; 1 failed" in out
    status, out, err = run("photos", "--in-place", "--skip-existing")
    assert (status, err) == (1, sentence)
    assert "2 of 3 pictures written; 1 failed" in out


def test_results_may_lie_beside_their_pictures_and_are_no_pictures_of_the_next_run(run, save):
    save("photos/a.png")
    save("photos/deep/b.png")
    assert run("photos", "--suffix", "_clean")[0] == 0
    names = {"a.png", "a_clean.png", "deep/b.png", "deep/b_clean.png"}
    assert set(below("photos")) == names
    assert "0 of 2 pictures written; 2 there already" in run("photos", "--suffix", "_clean", "--skip-existing")[1]
    assert run("photos", "--suffix", "_clean")[0] == 1
    assert set(below("photos")) == names
    assert run("photos/a.png", "-o", "out", "--suffix", "_clean")[0] == 0
    assert set(below("out")) == {"a_clean.png"}


def test_detecting_tells_and_writes_nothing(run, save):
    save("photos/a.png")
    save("photos/b.png", mark=False)
    before = below(".")
    status, out, err = run("photos", "--detect")
    assert (status, err, below(".")) == (0, "", before)
    assert out.splitlines()[:2] == [
        "photos/a.png: 1 mark, 25.0% of its pixels are marked: 30x20 at 20,10 (96% sure)",
        "photos/b.png: nothing found that is surely a watermark",
    ]
    assert "1 of 2 pictures carry a mark; " in out


def test_a_dry_run_tells_and_opens_no_network(run, save):
    save("photos/a.png")
    save("photos/b.png")
    save("out/b.png")
    before = below(".")
    status, out, err = run("photos", "-o", "out", "--skip-existing", "--dry-run")
    assert (status, err, below("."), run.opened) == (0, "", before, [])
    assert out.splitlines() == [
        "out/a.png: would be made of photos/a.png",
        "out/b.png: is there already",
        "1 of 2 pictures would be written; 1 there already",
    ]


def test_lines_of_json_are_alone_on_the_standard_output(run, save):
    save("photos/a.png")
    save("photos/b\udce9.png", mark=False)
    Path("photos/c.png").write_bytes(b"")
    status, out, err = run("photos", "-o", "out", "--json")
    marked, plain, broken = map(json.loads, out.splitlines())
    assert status == 1
    assert (marked["file"], marked["status"], marked["result"]) == ("photos/a.png", "written", "out/a.png")
    assert (marked["marks"][0]["box"], marked["warning"]) == ([20, 10, 50, 30], None)
    assert marked["seconds"] > 0
    assert (plain["file"], plain["marks"]) == ("photos/b\udce9.png", [])
    assert (broken["status"], broken["error"]) == ("failed", "photos/c.png is empty; it holds no picture.")
    assert err.splitlines()[0] == f"error: {broken['error']}"
    assert err.splitlines()[1].startswith("2 of 3 pictures written; 1 of them as they were; 1 failed; ")
    _, out, _ = run("photos", "--detect", "--json", "--quiet")
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["marked", "unmarked", "failed"]


class Stream:
    """A standard stream that holds bytes."""

    encoding = "utf-8"

    def __init__(self, data=b""):
        self.buffer = io.BytesIO(data)

    def write(self, text):
        self.buffer.write(text.encode())

    def flush(self):
        pass

    def isatty(self):
        return False


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_picture_goes_from_the_standard_input_to_the_standard_output(run, save, monkeypatch, kind):
    save(f"photo.{kind}", mark=False)
    content = Path(f"photo.{kind}").read_bytes()
    monkeypatch.setattr(sys, "stdin", Stream(content))
    out = Stream()
    monkeypatch.setattr(sys, "stdout", out)
    status, _, err = run("-", "-o", "-")
    assert status == 0
    assert out.buffer.getvalue() == content
    assert err.startswith("-: nothing found")
    monkeypatch.setattr(sys, "stdin", Stream(b"no picture"))
    status, _, err = run("-", "-o", f"out.{kind}")
    assert (status, err.splitlines()[0]) == (
        1,
        "error: - is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP.",
    )


def test_a_standard_input_that_is_a_folder_is_one_sentence(run, monkeypatch):
    class Folder(io.RawIOBase):
        def read(self, size=-1):
            raise IsADirectoryError(21, "Is a directory")

    stream = Stream()
    stream.buffer = Folder()
    monkeypatch.setattr(sys, "stdin", stream)
    assert run("-", "-o", "out.png")[::2] == (1, "error: The standard input cannot be read: Is a directory.\n")


def test_a_suffix_does_not_go_with_the_whole_name_of_a_result(run, save):
    save("a.png")
    status, _, err = run("a.png", "-o", "b.png", "--suffix", "_clean")
    sentence = "error: -o b.png is the result's whole name; leave --suffix out, or give a folder.\n"
    assert (status, err) == (1, sentence)
    assert not Path("b.png").exists()


def test_a_picture_whose_name_begins_with_a_dash_is_no_option(run, save):
    save("-dash.png")
    save("a.png")
    assert run("-dash.png", "a.png", "-o", "out")[0] == 0  # as `*.png` brings it
    assert sorted(below("out")) == ["-dash.png", "a.png"]


def test_several_pictures_are_no_standard_output(run, save):
    save("a.png")
    save("b.png")
    assert run("a.png", "b.png", "-o", "-")[2] == (
        "error: -o - is the standard output, which takes one picture; give a folder.\n"
    )
    assert run("-", "a.png", "-o", "out")[2].startswith("error: - is the standard input, which holds one picture")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.png"], "say where results go: -o FOLDER"),
        (["-o", "out"], "give pictures, or a list of them with --files-from"),
        (["a.png", "-o", "out", "--in-place"], "-o and --in-place contradict each other"),
        (["a.png", "--detect", "--save-mask"], "--save-mask and --detect contradict each other"),
        (["a.png", "-o", "out", "--skip-existing", "--overwrite"], "--overwrite and --skip-existing contradict"),
        (["a.png", "-o", "-", "--json"], "--json and -o - contradict each other"),
        (["-", "--in-place"], "--in-place and - contradict each other"),
        (["a.png", "-o", "out", "--jobs", "0"], "argument --jobs: 0 must be at least 1"),
        (["a.png", "-o", "out", "--max-minutes", "0"], "argument --max-minutes: 0 must be above 0"),
        (["a.png", "-o", "out", "--mark", "m", "--sensitivity", "0"], "--sensitivity and --mark contradict each other"),
        (["a.png", "-o", "out", "--same-mark", "--scales", "1"], "--scales and --same-mark contradict each other"),
        *(
            (["a.png", "-o", "out", option, ""], f"argument {option}: is empty; give a name")
            for option in ("--mask", "--mark", "--weights", "--report", "--files-from", "--device")
        ),
    ],
)
def test_what_is_mistyped_ends_with_status_2(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as end:
        predict(arguments)
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_version_is_told(capsys):
    assert predict(["--version"]) == 0
    assert capsys.readouterr().out == f"wm-predict {wm_lightning.__version__}\n"


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_drops_what_is_in_hand_and_says_what_is_done(run, save, monkeypatch, number, ends):
    for name in range(6):
        save(f"photos/{name}.png")

    def interrupted(*arguments):
        if Path("out/0.png").exists():
            os.kill(os.getpid(), number)
            time.sleep(1)  # until it has come
        return clean_pixels(*arguments)

    monkeypatch.setattr(known, "clean_pixels", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where Ctrl-C is ignored
    try:
        status, out, err = run("photos", "-o", "out", "--jobs", "1", "--report", "found.json")
    finally:
        signal.signal(signal.SIGINT, before)
    done = json.loads(Path("found.json").read_text())
    assert (status, err) == (ends, "")
    assert 1 <= len(done) < 6
    assert f"{len(done)} of 6 pictures written; interrupted, {6 - len(done)} left; " in out
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert all(len(as_photo(path)) == 40 for path in Path("out").iterdir())
    monkeypatch.undo()


@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
def test_an_interrupt_waits_for_no_decoder_that_hangs(run, save, monkeypatch):
    save("hang.png")
    monkeypatch.setattr(codecs, "read_picture", wait_or_grow)
    send = codecs._send

    def interrupted(*arguments):
        send(*arguments)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(codecs, "_send", interrupted)
    before, started = signal.signal(signal.SIGINT, signal.default_int_handler), time.monotonic()
    try:
        status, out, _ = run("hang.png", "-o", "out", "--max-minutes", "1")
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 130
    assert "0 of 1 pictures written; interrupted, 1 left; " in out
    assert time.monotonic() - started < 40
    monkeypatch.undo()


def test_what_was_written_while_a_run_was_ending_is_counted(run, save, monkeypatch):
    for name in range(8):
        save(f"photos/{name}.png")
    (Path("photos") / "0.png").write_bytes(b"")
    read, stop, write = codecs.Codecs.read, codecs.Codecs.stop, outputs.put_result
    writing, ending = threading.Event(), threading.Event()

    def read_late(self, path, data=None):
        assert path.name != "0.png" or writing.wait(30)
        return read(self, path, data)

    def write_late(*arguments):
        writing.set()
        assert ending.wait(30)
        write(*arguments)

    def stopped(self):
        ending.set()
        stop(self)

    monkeypatch.setattr(codecs.Codecs, "read", read_late)
    monkeypatch.setattr(codecs.Codecs, "stop", stopped)
    monkeypatch.setattr(cleaner, "put_result", write_late)
    run("photos", "-o", "out", "--jobs", "3", "--on-error", "stop", "--report", "found.json")
    told = [one["file"] for one in json.loads(Path("found.json").read_text()) if one["status"] == "written"]
    assert told
    assert [Path(name).name for name in told] == sorted(below("out"))
    monkeypatch.undo()


def test_lines_for_scripts_that_could_not_be_written_are_a_failure(run, save, monkeypatch):
    save("a.png")
    monkeypatch.setattr(outcomes.Teller, "lost", lambda self: "No space left on device")
    status, _, err = run("a.png", "--detect", "--json")
    assert status == 1
    assert "error: The standard output cannot be written: No space left on device.\n" in err


def test_what_is_not_kept_is_told_of_quiet_commands_too(run, save):
    save("a.png")
    with Image.open("a.png") as image:
        image.quantize(9).save("a.png")
    assert run("a.png", "-o", "out", "-q", "--sensitivity", "1")[1:] == (
        "",
        "warning: out/a.png: the palette became colours.\n",
    )


def test_a_home_that_no_shell_put_in_is_found(run, save, tmp_path, monkeypatch):
    save("a.png")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run("a.png", "--output=~/out")[0] == 0
    assert (tmp_path / "home/out/a.png").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_batch_that_is_ended_goes_on_and_leaves_nothing_half_written(tmp_path, number):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in range(40):
        Image.new("L", (8, 8), name).save(photos / f"{name:02}.png")
    (photos / "10.png").write_bytes(b"")
    command = [sys.executable, str(REPOSITORY / "predict.py"), "photos", "--strength", "0", "--device", "cpu"]
    command += ["-o", "out", "--jobs", "1"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # Tests may run where Ctrl-C is ignored, which processes inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        while not out.exists() or not any(out.glob("[0-9]*.png")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert b"Traceback" not in err
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("[0-9]*.png")}
    assert len(done) < 39
    again = subprocess.run([*command, "--skip-existing"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert again.stderr == "error: photos/10.png is empty; it holds no picture.\n"
    assert f"{39 - len(done)} of 40 pictures written; " in again.stdout
    assert all((out / name).stat().st_mtime_ns == when for name, when in done.items())
    assert sorted(path.name for path in out.glob("[0-9]*")) == [f"{name:02}.png" for name in range(40) if name != 10]
    assert all(as_photo(path).tolist() == [[int(path.stem)] * 8] * 8 for path in out.glob("[0-9]*"))
