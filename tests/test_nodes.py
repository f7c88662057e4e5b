"""Two "machines" of one process each, which torchrun starts on this one: what they compute, and what a death does."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

# Means over pictures of equal size alone, so that the mean of two halves of a batch is that of the batch; and layers
# that look at one picture at a time, which BatchNorm does not.
EXACT = (
    "model=nafnet", "model.width=8", "model.head=residual", "loss.terms.l1.weight=0", "loss.terms.unmasked.weight=0",
    "loss.delta=0", "optim=adamw_cosine", "trainer.max_epochs=3",
)  # fmt: skip
# 12, 4 and 4 photographs; three steps an epoch
SPLIT = "data.fractions=[0.6,0.2,0.2]"
# Strikes the second process at a step, once: a file says that it has been. Its parent is its machine's torchrun.
DRIVER = """\
import os, signal
import torch
from pathlib import Path
from wm_lightning import cli
from wm_lightning.engine import WatermarkRemoval

step, done, how = WatermarkRemoval.training_step, Path("done"), os.environ.get("STRIKE")

def struck(self, sample, batch_idx):
    if how and os.environ["RANK"] == "1" and (self.current_epoch, batch_idx) == (1, 1) and not done.exists():
        done.touch()
        if how == "machine":
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
    return step(self, sample, batch_idx)

WatermarkRemoval.training_step = struck
cli.train()
# A process that exits within a group now and then aborts
assert not torch.distributed.is_initialized()
"""


@contextmanager
def on_two_machines(folder, arguments, strike="", restarts=0):
    """Starts both; gives them, and what starts another. Ends what is left of them."""
    script = folder / "train.py"
    script.write_text(DRIVER)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    torchrun = (
        sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d",
        f"--rdzv-endpoint=localhost:{port}", "--rdzv-id=both", f"--max-restarts={restarts}",
    )  # fmt: skip
    machines = []

    def start():
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "STRIKE": strike}
        with printed(folder, len(machines)).open("w") as file:  # a pipe that nobody reads would hold them up when full
            machine = subprocess.Popen(
                [*torchrun, f"--rdzv-conf=is_host={int(not machines)}", str(script), *arguments], cwd=folder,
                env=environment, start_new_session=True, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        machines.append(machine)
        return machine

    try:
        start(), start()
        yield machines, start
    finally:
        for machine in machines:
            if machine.poll() is None:
                machine.terminate()  # torchrun then ends its process
                try:
                    machine.wait(60)
                except subprocess.TimeoutExpired:
                    machine.kill()


def printed(folder, number):
    """Where the output of a machine goes, which are counted as they are started."""
    return folder / f"machine{number}.txt"


def printed_by(machines, folder, timeout=300):
    """Waits for machines; returns what all that were started have printed."""
    try:
        for machine in machines:
            machine.wait(timeout)
    except subprocess.TimeoutExpired:
        pytest.fail("\n".join(path.read_text() for path in sorted(folder.glob("machine*.txt"))))
    return [path.read_text() for path in sorted(folder.glob("machine*.txt"))]


@pytest.fixture
def two_machines(tiny):
    options = [option for option in tiny if not option.startswith(("trainer.accelerator", "data.batch_size"))]
    nodes = ("trainer=ddp_sim", "trainer.devices=1", "trainer.num_nodes=2", "data.batch_size=2")
    return (*options, *EXACT, SPLIT, *nodes)


@pytest.fixture
def alone(tiny, command):
    """The same in one process, on batches that are as large as both together."""
    outcome = command("train", *tiny, *EXACT, SPLIT, "logger=tensorboard", "data.batch_size=4", "hydra.run.dir=alone")
    assert outcome.status == 0, outcome.err
    return Path("alone")


def rows_of(path):
    with Path(path).open() as file:
        return list(csv.DictReader(file))


def assert_close(one, other, tolerance=1e-5):
    """Compares figures by name; that of one step is of the first process's pictures alone."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        if name != "step/loss" and value is not None:
            assert other[name] == pytest.approx(value, abs=tolerance, nan_ok=True), name


@pytest.mark.slow  # half a minute of importing; two processes of one machine are in test_distributed
def test_two_machines_compute_what_one_process_does(tmp_path, two_machines, alone):
    with on_two_machines(tmp_path, (*two_machines, "logger=tensorboard")) as (machines, _):
        outputs = printed_by(machines, tmp_path)
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    assert sum(output.count("│ identity") for output in outputs) == 1  # the first process speaks for both

    (run,) = Path("outputs/train").glob("*/*")
    assert run == Path("outputs/train/torchrun/both")
    assert {path.name for path in run.iterdir()} == {path.name for path in alone.iterdir()}
    assert {path.name for path in (run / ".hydra").iterdir()} == {"config.yaml", "hydra.yaml", "overrides.yaml"}
    writers = {path.name.split(".")[-2] for path in run.glob("tensorboard/events.*")}
    assert len(writers) == 1, "the other process wrote too"
    assert (run / "train.log").read_text().count("Epoch 3/3") == 1

    one, both = (json.loads((folder / "summary.json").read_text()) for folder in (alone, run))
    assert [epoch["step"] for epoch in both["history"]] == [3, 6, 9]
    for ours, theirs in zip(one["history"], both["history"], strict=True):
        assert_close(ours, theirs)
    assert_close(one["test"], both["test"])
    tested = [rows_of(folder / "metrics.csv") for folder in (alone, run)]
    assert [row["name"] for row in tested[1]] == (run / "split/test.txt").read_text().split()
    for ours, theirs in zip(*tested, strict=True):
        assert ours["name"] == theirs["name"]
        assert_close(*({name: float(row[name] or "nan") for name in row if name != "name"} for row in (ours, theirs)))


@pytest.mark.slow
def test_a_process_that_dies_ends_the_run_and_the_same_command_goes_on(tmp_path, two_machines, alone):
    arguments = (*two_machines, "test=false")
    with on_two_machines(tmp_path, arguments, "kill") as (machines, _):
        outputs = printed_by(machines, tmp_path)
    assert [machine.returncode for machine in machines] == [1, 1], outputs
    assert sum("error: Another process of this run has ended" in output for output in outputs) == 1
    run = Path("outputs/train/torchrun/both")
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 3

    with on_two_machines(tmp_path, arguments) as (machines, _):
        outputs = printed_by(machines, tmp_path)
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    assert sum(output.count(f"goes on from {run}/checkpoints/last.ckpt") for output in outputs) == 1
    assert_same_history(alone, run)


@pytest.mark.slow
def test_torchrun_restarts_where_the_last_epoch_ended(tmp_path, two_machines, alone):
    with on_two_machines(tmp_path, (*two_machines, "test=false"), "kill", restarts=3) as (machines, _):
        outputs = printed_by(machines, tmp_path)
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    told = "".join(outputs)
    assert told.count("Epoch 1/3") == 1, f"it began anew: {told}"
    assert "goes on from outputs/train/torchrun/both/checkpoints/last.ckpt" in told
    assert_same_history(alone, Path("outputs/train/torchrun/both"))


@pytest.mark.slow
def test_another_machine_takes_the_place_of_one_that_died(tmp_path, two_machines, alone, monkeypatch):
    # Without it a torchrun that comes later is not told by PyTorch's where the others are.
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    with on_two_machines(tmp_path, (*two_machines, "test=false"), "machine", restarts=3) as (machines, start):
        first, second = machines
        assert second.wait(200) == -signal.SIGKILL
        left = (first, start())
        outputs = printed_by(left, tmp_path)
    assert [machine.returncode for machine in left] == [0, 0], outputs
    assert_same_history(alone, Path("outputs/train/torchrun/both"))


def assert_same_history(one, other):
    """Compares all epochs of two runs, of which one was interrupted."""
    histories = [json.loads((folder / "summary.json").read_text())["history"] for folder in (one, other)]
    assert [epoch["step"] for epoch in histories[1]] == [3, 6, 9]
    for ours, theirs in zip(*histories, strict=True):
        assert_close(ours, theirs)


@pytest.mark.slow
def test_a_process_that_no_longer_answers_ends_the_run_in_time(tmp_path, two_machines):
    arguments = (*two_machines, "test=false", "trainer.strategy.timeout_minutes=0.1")
    with on_two_machines(tmp_path, arguments, "stop") as (machines, _):
        ended, deadline = [], time.monotonic() + 150
        while not ended and time.monotonic() < deadline:
            time.sleep(0.2)
            ended = [number for number, machine in enumerate(machines) if machine.poll() is not None]
        (number,) = ended  # the other one has a process that does not answer
        assert machines[number].returncode == 1
    output = printed(tmp_path, number).read_text()
    assert "error: Another process of this run has ended, or did not answer in time (Timed out waiting 6000ms" in output
