"""Batches on a Ray cluster: what a worker does is tested in this process; a real cluster is slow."""

import argparse
import csv
import gc
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pytest
import ray
from pyarrow import parquet

from wm_lightning.data.stores import S3Store, open_store
from wm_lightning.errors import UserError
from wm_lightning.inference import cleaner, cluster, cluster_worker
from wm_lightning.inference.cluster import Size
from wm_lightning.inference.cluster_worker import Worker
from wm_lightning.inference.codecs import Codecs
from wm_lightning.mark.known import KnownMark

REPOSITORY = Path(__file__).parents[2]
BROKEN = (
    "error: broken.jpg is a JPEG file, but damaged or of a kind that cannot be read; "
    "save it anew, with 8 or 16 bits a channel.\n"
)
MARK = "WM_TEST_OF_A_CLUSTER"  # in the environment of the processes of a test's cluster


@pytest.fixture
def in_process(monkeypatch):
    """One worker in this process, with one task, in place of a cluster's; returns names of the pictures that it had."""
    seen = []

    def streamed(jobs, mask, options, size):
        own = argparse.Namespace(**{**vars(options), "places": None, "there": None})
        worker = Worker(mask, own, size.threads)
        work = [pickle.dumps((job, options.places[job])) for job in jobs]
        for packed in worker(pa.table({"work": pa.array(work, pa.binary())}))["outcome"].to_pylist():
            outcome = pickle.loads(packed)
            if isinstance(outcome, UserError):
                raise outcome
            seen.append(outcome.job.source.as_posix())
            yield outcome

    monkeypatch.setattr(cluster, "_connected", lambda address, options: nullcontext(Size(1, 1, 0)))
    monkeypatch.setattr(cluster, "_streamed", streamed)
    return seen


def table_of(folder):
    """Rows of the table, by file; Parquet and CSV say the same."""
    rows = parquet.read_table(Path(folder, "results.parquet")).to_pylist()
    with Path(folder, "results.csv").open(encoding="utf-8") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [row["file"] for row in rows]
    assert len({row["file"] for row in rows}) == len(rows)
    return {row["file"]: row for row in rows}


@pytest.fixture
def photos(run, save):
    """Four pictures, of which one has no mark and one is broken."""
    save("photos/a.png")
    save("photos/deep/b.png", mark=False)
    save("photos/deep/c.bmp")
    Path("photos/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return run


@pytest.mark.usefixtures("_what_is_seen_is_certain")
def test_a_cluster_writes_what_one_machine_does_and_a_table(photos, in_process):
    assert photos("photos", "-o", "alone", "--save-mask")[0] == 1
    status, out, err = photos("photos", "-o", "out", "--save-mask", "--ray")
    assert status == 1
    assert "3 of 4 pictures written; 1 of them as they were; 1 failed" in out
    assert err == BROKEN
    alone = {path.relative_to("alone"): path.read_bytes() for path in Path("alone").rglob("*.*")}
    assert len(alone) == 6
    assert {path: Path("out", path).read_bytes() for path in alone} == alone
    rows = table_of("out")
    assert {file: row["status"] for file, row in rows.items()} == {
        "a.png": "written", "broken.jpg": "failed", "deep/b.png": "written", "deep/c.bmp": "written",
    }  # fmt: skip
    assert rows["broken.jpg"]["error"] in err
    assert rows["broken.jpg"]["width"] is None
    assert (rows["a.png"]["width"], rows["a.png"]["height"], rows["a.png"]["result"]) == (60, 40, "a.png")
    assert json.loads(rows["a.png"]["marks"])[0]["box"] == [20, 10, 50, 30]
    assert json.loads(rows["deep/b.png"]["marks"]) == []


@pytest.mark.usefixtures("_what_is_seen_is_certain")
def test_it_goes_on_with_what_is_missing_and_keeps_earlier_rows(photos, in_process, save):
    photos("photos", "-o", "photos/out", "--ray")  # results below the pictures are no pictures
    before = table_of("photos/out")
    status, _, err = photos("photos", "-o", "photos/out", "--ray")
    assert status == 1
    assert err.startswith("error: a.png and 2 more exist already; --skip-existing leaves what is there")
    in_process.clear()
    Path("photos/out/deep/c.bmp").unlink()
    save("photos/broken.jpg", mark=False)
    status, out, _ = photos("photos", "-o", "photos/out", "--ray", "--skip-existing")
    assert status == 0
    assert in_process == ["broken.jpg", "deep/c.bmp"]
    assert "2 of 4 pictures written; 1 of them as they were; 2 there already" in out
    after = table_of("photos/out")
    assert after["broken.jpg"]["status"] == "written"
    assert {file: after[file] for file in ("a.png", "deep/b.png")} == {
        file: before[file] for file in ("a.png", "deep/b.png")
    }
    assert [path.name for path in sorted(Path("photos/out/results").iterdir())] == ["00001.parquet", "00002.parquet"]


@pytest.mark.usefixtures("server", "_what_is_seen_is_certain")
def test_pictures_of_a_store_go_to_a_store(photos, in_process):
    store = open_store("s3://bucket/photos")
    for path in Path("photos").rglob("*.*"):
        store.put(path, path.relative_to("photos").as_posix())
    Path("local").mkdir()
    status, out, err = photos("s3://bucket/photos", "-o", "s3://bucket/out", "--save-mask", "--ray")
    assert (status, err) == (1, BROKEN)
    assert "3 of 4 pictures written" in out
    photos("photos", "-o", "alone", "--save-mask")
    results = open_store("s3://bucket/out")
    names = [path.relative_to("alone").as_posix() for path in Path("alone").rglob("*.*")]
    assert {name for name, _ in results.names()} == {
        *names, "results.csv", "results.parquet", "results/00001.parquet",
    }  # fmt: skip
    assert all(results.read(name) == Path("alone", name).read_bytes() for name in names)
    boto3.client("s3").delete_object(Bucket="bucket", Key="out/a.png")
    in_process.clear()
    photos("s3://bucket/photos", "-o", "s3://bucket/out", "--save-mask", "--ray", "--skip-existing")
    assert in_process == ["a.png", "broken.jpg"]
    assert results.has("a.png")
    assert not results.has("broken.jpg")


def test_what_a_worker_wrote_before_it_ended_is_not_done_again(photos, in_process, monkeypatch, engine):
    listed = cluster.planned_on_cluster

    def written_since(options):
        jobs = listed(options)
        Path("out").mkdir()
        Path("out/a.png").write_bytes(b"of a worker that ended")
        return jobs

    monkeypatch.setattr("wm_lightning.inference.batch.planned_on_cluster", written_since)
    photos("photos", "-o", "out", "--ray", "--include", "a.png")
    assert table_of("out")["a.png"]["status"] == "skipped"
    assert Path("out/a.png").read_bytes() == b"of a worker that ended"
    assert not engine.seen


def test_pictures_that_end_their_workers_are_told_of_and_the_others_done(photos, in_process, monkeypatch):
    whole = cluster._streamed
    monkeypatch.setattr(cluster, "_streamed", lambda jobs, *more: whole(jobs[1:], *more))
    status, _, err = photos("photos", "-o", "out", "--ray")
    sentence = "a.png: the worker that had it ended, 3 times; --skip-existing tries it again."
    assert status == 1
    assert f"error: {sentence}" in err
    rows = table_of("out")
    assert (rows["a.png"]["status"], rows["a.png"]["error"]) == ("failed", sentence)
    assert rows["deep/b.png"]["status"] == "written"


def test_workers_that_cannot_begin_end_the_command(photos, in_process, monkeypatch):
    def refuse(*arguments):
        raise UserError("There are no weights nowhere; give others.")

    monkeypatch.setattr(cleaner, "open_engine", refuse)
    status, _, err = photos("photos", "-o", "out", "--ray", "--weights", "nowhere")
    assert (status, err) == (1, "error: There are no weights nowhere; give others.\n")
    assert not Path("out").exists()


@pytest.mark.usefixtures("server", "_what_is_seen_is_certain")
def test_a_full_disk_or_a_fault_costs_only_the_pictures_that_meet_it(photos, in_process, monkeypatch):
    store, fetch, put = open_store("s3://bucket/faults"), S3Store.fetch, S3Store.put
    for name in ("a.png", "deep/b.png", "deep/c.bmp"):
        store.put(Path("photos", name), name)

    def fetch_unless_full(self, name, path):
        if name == "a.png":
            raise OSError(28, "No space left on device")
        fetch(self, name, path)

    def put_unless_faulty(self, path, name):
        if name == "deep/c.bmp":
            raise ValueError("a fault")
        put(self, path, name)

    monkeypatch.setattr(S3Store, "fetch", fetch_unless_full)
    monkeypatch.setattr(S3Store, "put", put_unless_faulty)
    status, out, err = photos("s3://bucket/faults", "-o", "s3://bucket/whole", "--ray")
    assert status == 1
    assert err.splitlines() == [
        "error: a.png: the worker cannot keep its files (No space left on device); make room in its TMPDIR.",
        "error: deep/c.bmp failed: ValueError: a fault.",
    ]
    assert "1 of 3 pictures written" in out
    assert open_store("s3://bucket/whole").has("deep/b.png")


@pytest.mark.usefixtures("server", "_what_is_seen_is_certain")
def test_keys_of_a_store_are_no_paths(photos, in_process):
    store = open_store("s3://bucket/keys")
    for name in (
        "a.png",
        "/a.png",
        "deep//a.png",
        "../../a.png",
        ".hidden/a.png",
        "deep/.a.png",
        "folder.png/",
        "a.psd",
    ):
        boto3.client("s3").put_object(Bucket="bucket", Key=f"keys/{name}", Body=Path("photos/a.png").read_bytes())
    status, out, err = photos(store.root, "-o", "s3://bucket/of_keys", "--ray")
    assert status == 1
    warning, *errors = err.splitlines()
    assert warning.startswith("warning: skipped, since they cannot be read: 1 psd;")
    reason = "is no name of a file below a folder, because of its slashes or dots; copy it to another name."
    assert errors == [f"error: {name} {reason}" for name in ("../../a.png", "/a.png", "deep//a.png")]
    assert "1 of 4 pictures written" in out
    assert in_process == ["a.png"]
    rows = parquet.read_table(io.BytesIO(open_store("s3://bucket/of_keys").read("results.parquet"))).to_pylist()
    assert {row["file"]: row["status"] for row in rows} == {
        "../../a.png": "failed", "/a.png": "failed", "deep/a.png": "failed", "a.png": "written",
    }  # fmt: skip


@pytest.mark.usefixtures("_what_is_seen_is_certain")
def test_what_a_task_had_done_before_a_fault_is_told(photos, in_process, monkeypatch):
    whole = cleaner.FileCleaner.outcomes

    def one_and_a_fault(self, jobs, places):
        yield from whole(self, jobs[:1], places)
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(cleaner.FileCleaner, "outcomes", one_and_a_fault)
    photos("photos", "-o", "out", "--ray", "--exclude", "broken.jpg")
    rows = table_of("out")
    assert {file: (row["status"], row["error"]) for file, row in rows.items()} == {
        "a.png": ("written", None),
        "deep/b.png": ("failed", "deep/b.png failed: ZeroDivisionError: a fault."),
        "deep/c.bmp": ("failed", "deep/c.bmp failed: ZeroDivisionError: a fault."),
    }


def test_a_worker_without_a_temporary_folder_says_so(photos, in_process, monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(cluster_worker, "TemporaryDirectory", none)
    _, _, err = photos("photos", "-o", "out", "--ray", "--include", "a.png")
    assert err.startswith("error: a.png: the worker cannot keep its files (No usable temporary directory found)")


def test_a_fault_as_a_worker_begins_is_one_sentence(photos, in_process, monkeypatch):
    monkeypatch.setattr(cluster_worker, "Codecs", lambda *arguments: 1 / 0)
    status, _, err = photos("photos", "-o", "out", "--ray")
    assert (status, err) == (1, "error: A worker cannot begin: ZeroDivisionError: division by zero.\n")


def test_errors_name_results_as_they_are_called_below_an_output_within_the_input(photos, in_process):
    Path("photos/out").mkdir()
    Path("photos/out/deep").write_bytes(b"no folder")
    _, _, err = photos("photos", "-o", "photos/out", "--ray", "--include", "deep/b.png")
    assert err.startswith("error: deep/b.png cannot be written: ")


def test_a_worker_that_is_let_go_of_ends_its_codecs(photos, in_process, monkeypatch):
    ended, end = [], Codecs.__exit__
    monkeypatch.setattr(Codecs, "__exit__", lambda self, *error: (ended.append(len(self._all)), end(self))[1])
    photos("photos", "-o", "out", "--ray", "--include", "a.png")
    gc.collect()
    assert sorted(ended) == [1, 1]  # the command's own, which read masks, and the worker's


def sized(resources, **changed):
    options = {"device": "auto", "jobs": None, "engine": "auto", "weights": "general", "known": None}
    return cluster._size(resources, argparse.Namespace(**options | changed))


def test_workers_share_cores_and_gpus():
    assert sized({"CPU": 6.0}) == Size(6, 1, 0)
    assert sized({"CPU": 64.0, "GPU": 4.0}) == Size(4, 8, 1)
    assert sized({"CPU": 64.0, "GPU": 4.0}, jobs=1) == Size(1, 8, 1)
    assert sized({"CPU": 64.0, "GPU": 4.0}, jobs=9, device="cpu") == Size(9, 1, 0)


def test_gpus_are_for_networks_that_run_on_them():
    of_all = {"CPU": 16.0, "GPU": 1.0}
    black, white = np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)
    clear, opaque = (KnownMark(alpha, np.dstack([white] * 3), black) for alpha in (black, white))
    assert sized(of_all, known=clear) == sized(of_all, engine="onnx") == sized(of_all, weights="a.onnx")
    assert sized(of_all, known=clear) == Size(16, 1, 0)
    assert sized(of_all, known=opaque) == sized(of_all, engine="onnx", device="cuda") == Size(1, 8, 1)


def test_a_cluster_of_this_machine_has_all_cores_whatever_the_thread_and_the_number_of_workers(monkeypatch):
    begun, sizes = [], []
    monkeypatch.setattr(ray, "init", lambda **arguments: begun.append(arguments))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 16.0})
    monkeypatch.setattr(ray, "shutdown", lambda: begun.append("ended"))
    options = argparse.Namespace(device="auto", jobs=3, engine="auto", weights="general", known=None)

    def connect():
        with cluster._connected("local", options) as size:
            sizes.append(size)

    beside = threading.Thread(target=connect)
    beside.start()
    beside.join()
    assert sizes == [Size(3, 1, 0)]
    (arguments, ended) = begun
    assert "num_cpus" not in arguments
    assert ended == "ended"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (
            "local",
            "--ray: no cluster can be started on this machine (No space); leave --ray out, or give one's address.",
        ),
        (
            "auto",
            "--ray auto: no cluster answers there (No space); start one with ray start, and set RAY_AUTH_MODE=token",
        ),
    ],
)
def test_a_cluster_that_cannot_be_had_is_one_sentence(monkeypatch, address, sentence):
    def refuse(**arguments):
        raise RuntimeError("No\n  space.")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(UserError, match=re.escape(sentence)), cluster._connected(address, argparse.Namespace()):
        pass


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--ray", "photos", "-o", "out"), "--ray photos is no address; give HOST:6379 or auto, or write --ray behind"),
        (("photos", "other", "-o", "out", "--ray"), "--ray takes one folder, or s3://BUCKET/PREFIX"),
        (("photos", "-o", "-", "--ray"), "--ray takes one folder, or s3://BUCKET/PREFIX"),
        (("photos", "-o", "out", "--compare", "--ray"), "--compare and --ray contradict each other"),
        (("s3://bucket/photos", "-o", "out"), "s3://bucket/photos is a store, of which pictures are cleaned with"),
    ],
)
def test_what_a_cluster_does_not_take_is_mistyped(run, capsys, arguments, sentence):
    with pytest.raises(SystemExit, match="2"):
        run(*arguments)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("photos/a.png", "-o", "out"), "photos/a.png is no folder; --ray takes one folder"),
        (("photos", "-o", "photos"), "-o photos holds the pictures themselves; give another"),
        (("photos", "-o", "."), "-o . holds the pictures themselves; give another"),
        (("photos", "-o", "out", "--include", "*.webp"), "photos holds no picture that is asked for"),
    ],
)
def test_folders_that_a_cluster_cannot_take_are_one_sentence(photos, arguments, sentence):
    status, _, err = photos(*arguments, "--ray")
    assert status == 1
    assert err.startswith(f"error: {sentence}")
    assert len(err.splitlines()) == 1
    assert not Path("out").exists()


def workers_of(mark):
    """Process ids of the workers whose environment has a mark."""
    for folder in Path("/proc").iterdir():
        try:
            own = f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
            if own and (folder / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                yield int(folder.name)
        except (OSError, ValueError):
            continue


@pytest.mark.slow
@pytest.mark.usefixtures("server")
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the workers in /proc")
def test_a_worker_is_killed_and_nothing_is_lost_or_done_twice(tmp_path, save, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(40):
        save(f"photos/{number // 10}/{number}.png", mark=number % 2 == 0)
    Path("photos/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    store, results = open_store("s3://bucket/many"), open_store("s3://bucket/cleaned")
    for path in Path("photos").rglob("*.*"):
        store.put(path, path.relative_to("photos").as_posix())
    command = [sys.executable, str(REPOSITORY / "predict.py"), store.root, "-o", results.root, "--engine", "onnx"]
    command += ["--ray", "--jobs", "2", "--json"]
    environment = {**os.environ, MARK: tmp_path.name}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as going:
        while going.poll() is None and (len(list(results.names())) < 5 or len(list(workers_of(tmp_path.name))) < 2):
            time.sleep(0.05)
        os.kill(next(workers_of(tmp_path.name)), signal.SIGKILL)
        out, err = going.communicate()
    assert going.returncode == 1, err
    told = [json.loads(line) for line in out.splitlines()]
    names = sorted(path.relative_to("photos").as_posix() for path in Path("photos").rglob("*.*"))
    assert sorted(one["file"] for one in told) == names  # each once
    assert [one["file"] for one in told if one["status"] == "failed"] == ["broken.jpg"]
    written = {name: results.read(name) for name, _ in results.names() if name.endswith(".png")}
    assert sorted([*written, "broken.jpg"]) == names
    Path("out").mkdir()
    for name in ("results.parquet", "results.csv"):
        Path("out", name).write_bytes(results.read(name))
    assert sorted(table_of("out")) == names

    Path("again").mkdir()
    done = subprocess.run([*command, "--skip-existing"], capture_output=True, text=True, check=False, env=environment)
    statuses = [json.loads(line)["status"] for line in done.stdout.splitlines()]
    assert sorted(statuses) == ["failed", *["skipped"] * 40]
    assert written == {name: results.read(name) for name in written}
