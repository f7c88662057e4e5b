"""What Hydra knows of a command's run, and an error alone does not say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf


class Outcome(Callback):
    """Remembers where a command writes, and how its only job failed.

    Hydra would print what was typed before it raised the error. The callbacks of a user still hear that the job failed.
    """

    folder: ClassVar[Path | None] = None
    error: ClassVar[Exception | None] = None

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Takes note of the run's folder."""
        Outcome.folder = _folder(config, "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Takes note of the folder of all jobs."""
        Outcome.folder = _folder(config, "hydra.sweep.dir")

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401 - Hydra's
        """Takes the error out of Hydra's hands; Hydra calls this one last, after those of users."""
        job_return: JobReturn = kwargs["job_return"]
        if job_return.status is JobStatus.FAILED:
            Outcome.error = job_return._return_value  # its public form prints and raises it
            job_return.status, job_return.return_value = JobStatus.COMPLETED, None

    @classmethod
    def take_error(cls) -> Exception | None:
        """Returns the error of the only job, once."""
        error, cls.error = cls.error, None
        return error

    @classmethod
    def is_where_it_writes(cls, name: str | bytes) -> bool:
        """Says whether a path is the command's folder, below it, or one that would have to be made above it."""
        if cls.folder is None:
            return False
        path = Path(os.path.abspath(os.fsdecode(name)))  # noqa: PTH100 - without following links, as the folder
        return path.is_relative_to(cls.folder) or (cls.folder.is_relative_to(path) and not os.path.isdir(path))  # noqa: PTH112 - pathlib's raises where it may not look


def _folder(config: DictConfig, key: str) -> Path:
    """Reads a folder as Hydra is about to: ``${hydra:...}`` in it asks for the configuration that is set."""
    current = HydraConfig.instance()
    before = current.cfg
    current.set_config(config)
    try:
        return Path(OmegaConf.select(config, key)).absolute()
    finally:
        current.cfg = before
