"""Batches that are left alone: killed in the middle and gone on, and on a disk that is full."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.inference.awkward import bomb

REPOSITORY = Path(__file__).parents[2]
ODD = {
    "empty.jpg": b"", "text.png": b"no picture", "bomb.png": bomb(), "cut.png": None, "gif.tif": b"GIF89a" + bytes(20),
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("_what_is_seen_is_certain")


def write_batch(folder, count, odd):
    """Writes pictures of noise, 3 KB each, of which so many are odd; returns the names of these."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count - odd):
        pixels = generator.integers(0, 256, (30, 34, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number * count // (count - odd):04}.png")
    whole = next(folder.glob("*.png")).read_bytes()
    kinds = list(ODD.items())
    names = []
    for number in range(odd):
        name, content = kinds[number % len(kinds)]
        names.append(f"{number * count // odd:04}_{name}")
        (folder / names[-1]).write_bytes(whole[: len(whole) // 2] if content is None else content)
    return names


def predict_in_a_process(folder, *more):
    command = [sys.executable, str(REPOSITORY / "predict.py"), "photos", "-o", "out", "--strength", "0"]
    return [*command, "--device", "cpu", "--jobs", "2", *more], {"cwd": folder, "stderr": subprocess.PIPE, "text": True}


def whole_pictures(folder):
    """Returns the results that are there, each read whole, and how many other files lie beside them."""
    names, others = {}, 0
    for path in folder.iterdir():
        if path.name.startswith("."):
            others += 1
            continue
        with Image.open(path) as opened:
            opened.load()
        names[path.name] = path.stat().st_mtime_ns
    return names, others


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
def test_five_hundred_of_which_fifty_are_odd_are_killed_twice_and_gone_on_with(tmp_path):
    odd, out = write_batch(tmp_path / "photos", 500, 50), tmp_path / "out"
    done, killed = {}, []
    for share in (100, 300):
        command, options = predict_in_a_process(tmp_path, "--skip-existing", "-q")
        with subprocess.Popen(command, **options) as process:
            while not out.exists() or len(list(out.glob("[0-9]*"))) < share:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        before, done = done, whole_pictures(out)[0]
        killed.append(len(done))
        assert done.items() >= before.items()  # nothing was done twice
    command, options = predict_in_a_process(tmp_path, "--skip-existing", "--report", "found.json", "-q")
    last = subprocess.run(command, check=False, **options)
    results, drafts = whole_pictures(out)
    assert last.returncode == 1
    assert len(last.stderr.splitlines()) == 50
    assert results.items() >= done.items()
    assert len(results) == 450
    assert drafts <= 2 * 2 * 2  # of the pictures in hand when it was killed
    found = json.loads((tmp_path / "found.json").read_text())
    assert Counter(one["status"] for one in found) == {
        "skipped": killed[1], "written": 450 - killed[1], "failed": 50
    }  # fmt: skip
    assert sorted(Path(one["file"]).name for one in found if one["status"] == "failed") == sorted(odd)
    print(f"killed at {killed}; {drafts} hidden drafts; then {Counter(one['status'] for one in found)}")  # noqa: T201


@pytest.fixture
def small_disk(tmp_path):
    """A disk of so many bytes, where this process may make one."""
    folder = tmp_path / "out"
    folder.mkdir()
    mounted = []

    def make(size):
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
        try:
            if subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("no disk can be mounted here, which takes root")
        except FileNotFoundError:
            pytest.skip("there is no mount here")
        mounted.append(folder)
        return folder

    yield make
    for disk in mounted:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def check_full(status, errors, folder, count, odd):
    """Sees that each picture that is not there has its line, and that what is there is whole."""
    results, drafts = whole_pictures(folder)
    full = [line for line in errors if line.endswith("cannot be written: No space left on device.")]
    assert status == 1
    assert drafts == 0
    assert 0 < len(results) < count - odd
    assert len(full) == count - odd - len(results)
    assert len(errors) == len(full) + odd
    return len(results), len(full)


def test_a_full_disk_is_a_line_for_each_picture_that_did_not_fit(run, tmp_path, small_disk):
    write_batch(tmp_path / "photos", 20, 5)
    folder = small_disk(32768)  # eight pages, of which a picture takes one
    status, _, err = run("photos", "-o", "out", "--strength", "0")
    check_full(status, err.splitlines(), folder, 20, 5)


@pytest.mark.slow
def test_five_hundred_on_a_disk_for_half_of_them_go_on_once_there_is_room(tmp_path, small_disk):
    write_batch(tmp_path / "photos", 500, 50)
    folder = small_disk(4096 * 226)
    command, options = predict_in_a_process(tmp_path, "-q")
    first = subprocess.run(command, check=False, **options)
    fitted, full = check_full(first.returncode, first.stderr.splitlines(), folder, 500, 50)
    assert subprocess.run(["mount", "-o", f"remount,size={4096 * 1000}", str(folder)], check=False).returncode == 0
    again = subprocess.run([*command, "--skip-existing"], check=False, **options)
    assert again.returncode == 1
    assert len(again.stderr.splitlines()) == 50
    assert len(whole_pictures(folder)[0]) == 450
    print(f"{fitted} fitted, {full} lines of a full disk; all 450 after there was room")  # noqa: T201
