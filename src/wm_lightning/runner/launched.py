"""Processes that torchrun or SLURM's srun start beside each other, perhaps on several machines.

Each composes the configuration by itself, so what they share must follow from what started them: the run's name, and
with it its folder.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from wm_lightning.errors import UserError

UNNAMED = "none"  # torchrun's --rdzv-id where none was given
_NO_PART_OF_A_PATH = re.compile(r"[^\w.-]")


class Launched(NamedTuple):
    """What started this process and others beside it.

    Attributes:
        by: The program.
        name: Of the run: the same in all processes, and again when they are restarted.
        processes: How many there are.
        machines: On how many machines.
    """

    by: Literal["torchrun", "srun"]
    name: str
    processes: int
    machines: int


def launched() -> Launched | None:
    """Returns what started this process; None where it was started alone, or by Lightning."""
    told = os.environ
    if TorchElasticEnvironment.detect():
        processes = int(told["WORLD_SIZE"])
        machines = processes // int(told["LOCAL_WORLD_SIZE"])
        return Launched("torchrun", told["TORCHELASTIC_RUN_ID"], processes, machines)
    # A batch script, and what is typed in a job's shell, have SLURM's variables too, but no step
    if SLURMEnvironment.detect() and "SLURM_STEP_ID" in told:
        name = f"{told['SLURM_JOB_ID']}.{told['SLURM_STEP_ID']}"
        return Launched("srun", name, int(told["SLURM_NTASKS"]), int(told.get("SLURM_NNODES", 1)))
    return None


def is_first() -> bool:
    """Returns whether this is the process that writes what all have done."""
    return not getattr(rank_zero_only, "rank", 0)


def add_resolvers() -> None:
    """Adds what ``conf/hydra/default.yaml`` asks: ``${run_name:DEFAULT}`` and ``${first_process:VALUE,OTHERWISE}``.

    The name of a run that was launched is ``torchrun/ID`` or ``slurm/JOB.STEP``: with the time of each process, each
    would have a folder of its own.
    """
    OmegaConf.register_new_resolver("run_name", _run_name, replace=True)
    OmegaConf.register_new_resolver("first_process", _first_process, replace=True)


def _run_name(otherwise: str) -> str:
    found = launched()
    if found is None:
        return otherwise
    folder = "slurm" if found.by == "srun" else found.by
    return f"{folder}/{_NO_PART_OF_A_PATH.sub('_', found.name)}"


def _first_process(value: Any, otherwise: Any) -> Any:  # noqa: ANN401 - whatever a configuration holds
    return value if is_first() else otherwise


def let_first_speak() -> None:
    """Lets the first process alone write to the log; from the others come errors, on standard error."""
    if is_first():
        return
    root = logging.getLogger()
    root.setLevel(logging.ERROR)
    for handler in [handler for handler in root.handlers if isinstance(handler, logging.FileHandler)]:
        root.removeHandler(handler)
        handler.close()


def check_launch(config: DictConfig) -> None:
    """Checks how this process was started, before it waits for others that do not come.

    Raises:
        UserError: The others would not come, or would not agree on a folder.
    """
    found, nodes = launched(), config.trainer.get("num_nodes") or 1
    if found is None:
        if nodes > 1:
            raise UserError(
                f"trainer.num_nodes={nodes}: this process was started alone and would wait for the other machines in "
                "vain; start one on each with torchrun, or all with SLURM's srun (docs/cluster.md), or set it to 1."
            )
        return
    if found.processes == 1:
        return
    if found.name == UNNAMED:
        raise UserError(
            "torchrun: the run has no name, which its folder is called by on all machines and after a restart; add the "
            "same --rdzv-id=NAME on each."
        )
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN and "submitit" not in hydra.runtime.choices["hydra/launcher"]:
        raise UserError(
            f"{found.by} started {found.processes} processes, each of which would run all jobs of this multirun; start "
            "it in one process, with hydra/launcher=submitit_slurm for jobs on a cluster."
        )


def check_alone(what: str) -> None:
    """Checks that no others run beside this process.

    Args:
        what: It is about to do, such as ``sweep.py``.

    Raises:
        UserError: They do the same, and would write the same files.
    """
    found = launched()
    if found is not None and found.processes > 1:
        raise UserError(f"{what} works in one process, and {found.by} started {found.processes}; start it alone.")


def last_of_run(config: DictConfig) -> str | None:
    """Returns the last checkpoint in the folder of a run that is started again; None where it is new."""
    last = Path(config.paths.output_dir) / "checkpoints" / "last.ckpt"
    return str(last) if launched() is not None and last.is_file() else None


def build_trainer(node: DictConfig, **options: Any) -> L.Trainer:  # noqa: ANN401 - as they are
    """Builds the trainer, and compares it with the processes that there are.

    Args:
        node: ``trainer`` of the configuration.
        **options: Arguments beside those of the node.

    Raises:
        UserError: It is made for more or fewer, or for other hardware.
    """
    found = launched()
    if found is not None and found.by == "srun":
        # Lightning answers SLURM's signal with a checkpoint within an epoch, from which no run goes on to the same
        # bits, and which it prefers to later ones for ever; here the run goes on from its last.ckpt (docs/cluster.md).
        options["plugins"] = [*(instantiate(node.get("plugins")) or ()), _slurm()]
    trainer: L.Trainer = instantiate(node, **options)
    if found is not None and trainer.num_devices * trainer.num_nodes != found.processes:
        raise UserError(
            f"{found.by} started {found.processes} processes on {found.machines} machines, and "
            f"trainer.num_nodes={trainer.num_nodes} with {trainer.num_devices} devices (trainer.devices) are "
            f"{trainer.num_devices * trainer.num_nodes}; add trainer=ddp trainer.num_nodes={found.machines} "
            f"trainer.devices={found.processes // found.machines}."
        )
    if node.get("sync_batchnorm") and trainer.world_size > 1 and isinstance(trainer.accelerator, CPUAccelerator):
        raise UserError("trainer.sync_batchnorm=true needs GPUs; on the CPU take trainer=ddp_sim, which has it false.")
    return trainer


def _slurm() -> SLURMEnvironment:
    try:
        return SLURMEnvironment(auto_requeue=False)
    except RuntimeError as error:  # whose sentence tells what to put right
        raise UserError(f"SLURM: {error}") from error
