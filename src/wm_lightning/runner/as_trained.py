"""What a checkpoint is to be scored with: the configuration of its training, with what is to be different."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from omegaconf import DictConfig, ListConfig, OmegaConf

from wm_lightning.errors import UserError
from wm_lightning.runner.build import PRECISIONS, absolute_paths
from wm_lightning.trained import located, read
from wm_lightning.trained.trust import check_trusted

DEMO = "wm_lightning.data.DemoDataModule"
BUILT = ("model", "module", "loss", "data", "seed")  # of what a file was trained with


class Run(NamedTuple):
    """A checkpoint, and what to score it with.

    Attributes:
        path: Of its file.
        checkpoint: Its content.
        config: As of a training, with what the evaluation wants different.
    """

    path: str
    checkpoint: dict[str, Any]
    config: DictConfig


def read_runs(config: DictConfig) -> list[Run]:
    """Reads the checkpoints that are to be scored, and brings all to the same pairs and metrics.

    Args:
        config: The composed ``conf/evaluate.yaml``.

    Raises:
        UserError: One of them cannot be read, or asks for code that is not trusted.
    """
    paths = [located(str(path)) for path in (config.ckpt, *listed(config.compare))]
    checkpoints = [read(path) for path in paths]  # a wrong path is found before anything is scored
    first = checkpoints[0]["config"]["own_metrics"] if config.get("benchmark") is None else {}
    own = _own_metrics(config, first, paths[0])
    runs = [
        Run(path, found, _as_trained(config, path, found, own)) for path, found in zip(paths, checkpoints, strict=True)
    ]
    for run in runs[1:]:
        run.config.data = runs[0].config.data
    return runs


def listed(value: Any) -> list[Any]:  # noqa: ANN401 - whatever the command line gave
    """Returns what was given as a list, also where it is one thing or nothing."""
    if value is None:
        return []
    return list(value) if isinstance(value, ListConfig) else [value]


def _own_metrics(config: DictConfig, trained: dict[str, Any], path: str) -> dict[str, Any]:
    """Returns the metrics of the first file's training, and those that were asked for; null leaves one out."""
    asked = OmegaConf.to_container(config.own_metrics) if config.own_metrics else {}
    assert isinstance(asked, dict)
    kept = {name: node for name, node in trained.items() if name not in asked}
    check_trusted(kept, path, listed(config.trust))
    return {**kept, **{str(name): node for name, node in asked.items() if node is not None}}


def _as_trained(config: DictConfig, path: str, checkpoint: dict[str, Any], own: dict[str, Any]) -> DictConfig:
    """Returns the configuration of a checkpoint's training with what is to be different."""
    trained = OmegaConf.create(_trusted(checkpoint["config"], path, listed(config.trust)))
    data = OmegaConf.to_container(config.data, resolve=False)
    assert isinstance(data, dict)
    if "_target_" in data:
        for key in ("augment", "synthesis"):  # which these data may ask for
            if key in trained.data:
                trained[key] = trained.data[key]
        trained.data = {**data, "split_dir": None}
    else:
        changes = absolute_paths({key: value for key, value in data.items() if value is not None})
        trained.data.split_dir = None  # the training's folder is not this run's to write to
        if "cache" in trained.data:  # a test looks at each photograph once
            trained.data.cache, trained.data.cache_dir = "none", None
        if "device_synthesis" in trained.data:  # which a test never has, and other marks may not go with
            trained.data.device_synthesis = False
        trained.data = OmegaConf.merge(trained.data, changes)
        if "root" in changes and trained.data["_target_"] == DEMO:  # whose pictures come with a library
            trained.data["_target_"] = "wm_lightning.data.FolderDataModule"
    if config.get("synthesis") is not None:  # other marks than those of the training
        if "synthesis" not in trained.data:
            raise UserError("synthesis: real pairs have their marks already; leave it out.")
        trained.data.synthesis = config.synthesis
    trained.own_metrics = own
    precision = config.trainer.precision or trained.trainer.precision
    run = OmegaConf.merge(trained, {"trainer": {**config.trainer, "precision": precision}, "paths": config.paths})
    assert isinstance(run, DictConfig)
    return run


def needed(config: dict[str, Any]) -> dict[str, Any]:
    """Returns what a test needs of the configuration of a training; nothing else of it is ever built."""
    found = {key: config[key] for key in BUILT if key in config}
    if "augment" in found.get("data", {}):  # a test changes no pictures
        found["data"] = {**found["data"], "augment": {"_target_": "wm_lightning.data.Augmentation"}}
    return found


def _trusted(config: dict[str, Any], path: str, trust: Sequence[str]) -> dict[str, Any]:
    """Returns what a test needs of a file's configuration.

    Raises:
        UserError: It asks for code that is not trusted, or is not there.
    """
    if not all(isinstance(config.get(key), dict) for key in ("model", "loss", "data")):
        raise UserError(f"{path} does not say what network, loss and data it is of, so it cannot be scored.")
    found = needed(config)
    check_trusted(found, path, trust)
    trainer = config.get("trainer")
    precision = trainer.get("precision") if isinstance(trainer, dict) else None
    return {**found, "trainer": {"precision": precision if precision in PRECISIONS else None}}
