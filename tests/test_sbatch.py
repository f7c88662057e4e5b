"""The batch file for SLURM, and jobs of a multirun, with stand-ins for SLURM's programs: no cluster is here."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

LIMIT = 300  # seconds, which a busy machine may need
JOB = str(1000 + os.getpid() % 9000)
# Of a job of two machines; its number is where its processes meet, too
VARIABLES = {"SLURM_JOB_ID": JOB, "SLURM_JOB_NAME": "wm", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "1"}
ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "docs" / "train.sbatch"
# srun starts a task on each machine, all of which are this one, as a step of the job. One that fails ends the others.
SRUN = f"""#!/bin/bash
while [[ "$1" == --* ]]; do
    case $1 in --output | --error) shift 2 ;; *) shift ;; esac
done
echo "$*" > srun.txt
export SLURM_STEP_ID=0 SLURM_NTASKS=$SLURM_NNODES SLURM_LOCALID=0 SLURM_NODELIST=localhost OMP_NUM_THREADS=1
[ "$2" = train.py ] && set -- {sys.executable} {ROOT}/train.py "${{@:3}}"
for ((task = 0; task < SLURM_NNODES; task++)); do
    SLURM_PROCID=$task SLURM_NODEID=$task "$@" &
done
status=0
for ((task = 0; task < SLURM_NNODES; task++)); do
    wait -n || {{ status=$?; kill $(jobs -p); }}
done
exit $status
"""
# What scontrol has done to a running job: it is ended, by force at last, and queued again.
SCONTROL = """#!/bin/bash
echo "$*" > scontrol.txt
trap "" TERM
kill -TERM 0
sleep 5
kill -KILL 0
"""


# sbatch queues a job, which begins once the command that submitted it has put all that it needs in place.
SBATCH = f"""#!/bin/bash
cp "$1" job.sh
export {" ".join(f"{name}={value}" for name, value in VARIABLES.items())}
(sleep 3; bash job.sh) > job.txt 2>&1 &
echo "Submitted batch job $SLURM_JOB_ID"
"""
# sacct tells how jobs are doing; this one never knows.
SACCT = """#!/bin/bash
echo "JobID|State|NodeList"
"""


@pytest.fixture
def cluster(tmp_path):
    """The environment of a machine that has SLURM's programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("sbatch", SBATCH), ("sacct", SACCT)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}


@pytest.fixture
def submit(cluster, tmp_path):
    """Starts the batch file as the cluster does, in a group of processes that a signal can end; ends what is left."""
    jobs = []

    def start(*arguments):
        job = subprocess.Popen(
            ["bash", str(SCRIPT), *arguments], cwd=tmp_path, env={**cluster, **VARIABLES}, text=True,
            start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        jobs.append(job)
        return job

    yield start
    for job in jobs:
        with suppress(ProcessLookupError):  # all of its processes have ended
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()


def test_the_batch_file_says_what_slurm_and_the_command_need_to_agree_on():
    lines = SCRIPT.read_text().splitlines()
    told = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH"))
    assert told["ntasks-per-node"] == told["gpus-per-node"]  # a process for each
    assert "requeue" in told
    assert told["open-mode"] == "append"  # a job that is queued again keeps what it had printed
    assert told["signal"].startswith("B:USR1@")
    assert subprocess.run(["bash", "-n", SCRIPT], check=False).returncode == 0


@pytest.mark.slow
def test_a_job_whose_time_is_up_is_queued_again_and_goes_on(submit, tiny, tmp_path):
    on_the_cpu = ("trainer=ddp_sim", "optim.scheduler=null", "test=false")
    words = [word for word in tiny if not word.startswith("trainer.")]
    words += [*on_the_cpu, "trainer.precision=32-true", "trainer.enable_progress_bar=false", "data.num_workers=0"]
    run = tmp_path / "outputs/train/slurm" / f"{JOB}.0"

    job = submit(*words, "trainer.max_epochs=1000")
    deadline = time.monotonic() + LIMIT
    while not (run / "checkpoints/last.ckpt").is_file():
        assert job.poll() is None, job.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    job.send_signal(signal.SIGUSR1)  # to the script alone, as B: has it
    printed = job.communicate(timeout=LIMIT)[0]
    assert "time is up: queued again" in printed
    assert (tmp_path / "scontrol.txt").read_text() == f"requeue {JOB}\n"
    assert job.returncode != 0
    state = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["callbacks"]["RunSummary"]
    before = state["history"]

    epochs = len(before) + 1
    again = submit(*words, f"trainer.max_epochs={epochs}")
    printed = again.communicate(timeout=LIMIT)[0]
    assert again.returncode == 0, printed
    assert f"goes on from outputs/train/slurm/{JOB}.0/checkpoints/last.ckpt" in printed
    after = json.loads((run / "summary.json").read_text())["history"]
    assert [epoch["epoch"] for epoch in after] == list(range(1, epochs + 1))
    assert [epoch["val/loss"] for epoch in after[:-1]] == [epoch["val/loss"] for epoch in before]
    expected = "python train.py trainer=ddp trainer.num_nodes=2 trainer.devices=1 data.num_workers=6"
    assert (tmp_path / "srun.txt").read_text().startswith(expected)


@pytest.mark.slow
def test_a_multirun_that_submits_jobs_of_two_machines_trains_in_one_folder_each(cluster, tiny, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = [word for word in tiny if not word.startswith(("trainer.accelerator", "data.batch_size"))]
    launcher = ("hydra/launcher=submitit_slurm", "hydra.launcher.nodes=2", "hydra.launcher.tasks_per_node=1")
    trainer = ("trainer=ddp_sim", "trainer.num_nodes=2", "trainer.devices=1", "data.batch_size=2", "test=false")
    outcome = subprocess.run(
        [sys.executable, ROOT / "train.py", "-m", *launcher, *trainer, *words],
        cwd=tmp_path, env=cluster, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    job = tmp_path / "job.txt"
    assert outcome.returncode == 0, outcome.stderr + (job.read_text() if job.is_file() else "")
    asked = (tmp_path / "job.sh").read_text()
    assert "#SBATCH --nodes=2" in asked
    assert "#SBATCH --ntasks-per-node=1" in asked
    (run,) = tmp_path.glob("outputs/multirun/*/*/0")
    history = json.loads((run / "summary.json").read_text())["history"]
    assert [epoch["step"] for epoch in history] == [3]  # seven photographs each, in whole batches of two
    assert (run / "train.log").read_text().count("Epoch 1/1") == 1
    assert not (tmp_path / "outputs/train").exists()
