"""What started a process, what its run is called by, and what is refused before it waits for others in vain."""

import logging
import re

import hydra
import pytest
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from wm_lightning.files import CONF
from wm_lightning.runner.launched import add_resolvers, build_trainer, launched, let_first_speak

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "mine", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
}  # fmt: skip
ONE_TASK = {
    "SLURM_JOB_ID": "71", "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "wm", "SLURM_NTASKS": "1", "SLURM_NNODES": "1",
    "SLURM_NTASKS_PER_NODE": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0",
    "SLURM_NODELIST": "localhost",
}  # fmt: skip
TWO_TASKS = {**ONE_TASK, "SLURM_NTASKS": "2", "SLURM_NNODES": "2"}


@pytest.fixture
def started(monkeypatch):
    """Says what started this process."""

    def tell(**told):
        for name, value in told.items():
            monkeypatch.setenv(name, value)

    return tell


def test_who_started_it(started):
    assert launched() is None
    started(**TWO_TASKS)
    assert launched() == ("srun", "71.0", 2, 2)
    started(**TORCHRUN)  # within a job of SLURM too, as Lightning has it
    assert launched() == ("torchrun", "mine", 4, 2)


@pytest.mark.parametrize("missing", ["SLURM_STEP_ID", "SLURM_NTASKS"])
def test_what_is_typed_in_a_job_of_slurm_was_started_alone(started, missing):
    started(**{name: value for name, value in ONE_TASK.items() if name != missing})
    assert launched() is None


def folder_of(monkeypatch):
    """Returns the folder that Hydra would make, and that of its records."""
    add_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", return_hydra_config=True)
    return config.hydra.run.dir, config.hydra.output_subdir


def test_a_run_is_called_by_its_name_and_one_that_was_started_alone_by_the_time(started, monkeypatch):
    folder, records = folder_of(monkeypatch)
    assert re.fullmatch(r"outputs/train/\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d-\d{6}", folder)
    assert records == ".hydra"
    started(**ONE_TASK)
    assert folder_of(monkeypatch) == ("outputs/train/slurm/71.0", ".hydra")
    started(**{**TORCHRUN, "TORCHELASTIC_RUN_ID": "../a b"})
    monkeypatch.setattr(rank_zero_only, "rank", 3)
    assert folder_of(monkeypatch) == ("outputs/train/torchrun/.._a_b", None)  # others write no records


def test_others_than_the_first_leave_the_log_alone(monkeypatch, tmp_path):
    root = logging.Logger("root", logging.INFO)
    monkeypatch.setattr(logging, "getLogger", lambda *name: root)
    kept, file = logging.StreamHandler(), logging.FileHandler(tmp_path / "train.log")
    root.handlers[:] = [kept, file]
    let_first_speak()
    assert root.handlers == [kept, file]
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    let_first_speak()
    assert root.handlers == [kept]
    assert root.level == logging.ERROR


def test_slurm_is_noticed_and_its_signal_left_to_the_batch_script(started):
    started(**ONE_TASK)
    trainer = build_trainer(OmegaConf.create({"_target_": "lightning.Trainer", "accelerator": "cpu"}), logger=False)
    environment = trainer._accelerator_connector.cluster_environment
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue


NODES = ("trainer=ddp_sim", "trainer.devices=1", "trainer.num_nodes=2")
REFUSED = [
    ({}, NODES, "trainer.num_nodes=2: this process was started alone and would wait for the other machines in vain"),
    ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "none"}, NODES, "torchrun: the run has no name"),
    (TORCHRUN, ("-m", *NODES), "torchrun started 4 processes, each of which would run all jobs of this multirun"),
    (
        TORCHRUN,
        NODES,
        "torchrun started 4 processes on 2 machines, and trainer.num_nodes=2 with 1 devices (trainer.devices) are 2; "
        "add trainer=ddp trainer.num_nodes=2 trainer.devices=2.",
    ),
    (TWO_TASKS, ("trainer=cpu",), "srun started 2 processes on 2 machines, and trainer.num_nodes=1 with 1 devices"),
    (TWO_TASKS, ("trainer.sync_batchnorm=true", *NODES), "trainer.sync_batchnorm=true needs GPUs; on the CPU take"),
    ({**TWO_TASKS, "SLURM_NTASKS_PER_NODE": None}, NODES, "SLURM: You set `--ntasks=2` in your SLURM bash script"),
]


@pytest.mark.parametrize(("environment", "arguments", "sentence"), REFUSED)
def test_what_would_wait_in_vain_or_write_one_file_twice_is_a_sentence(
    command, tiny, started, environment, arguments, sentence
):
    started(**{name: value for name, value in environment.items() if value is not None})
    words = [word for word in tiny if not word.startswith("trainer.accelerator")]
    outcome = command("train", *[word for word in arguments if word == "-m"], *words, *set(arguments) - {"-m"})
    assert outcome.status == 1
    assert sentence in outcome.err.splitlines()[-1]


def test_a_search_and_a_benchmark_work_alone(command, tiny, started, checkpoint):
    started(**TWO_TASKS)
    searched = command("sweep", *tiny)
    assert (searched.status, searched.err.splitlines()[-1]) == (
        1,
        "error: sweep.py works in one process, and srun started 2; start it alone.",
    )
    scored = command("evaluate", f"ckpt={checkpoint}", "benchmark=swcnn", "benchmark.root=/nowhere")
    assert scored.status == 1
    assert "works in one process, and srun started 2" in scored.err.splitlines()[-1]


def test_a_run_of_slurm_that_is_started_again_goes_on(command, tiny, started):
    started(**ONE_TASK)
    words = (*tiny, "test=false", "optim.scheduler=null")
    assert command("train", *words).status == 0
    again = command("train", *words, "trainer.max_epochs=2")
    assert again.status == 0, again.err
    assert "goes on from outputs/train/slurm/71.0/checkpoints/last.ckpt" in again.out
    assert "Epoch 1/" not in again.out
