"""Scores checkpoints and reports on them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import lightning as L
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from wm_lightning.callbacks import PerImageTable
from wm_lightning.checkpoints import load_checkpoint
from wm_lightning.errors import UserError
from wm_lightning.reports.table import print_result
from wm_lightning.runner.build import build_data, build_module, prepare, score, shown

log = logging.getLogger(__name__)


def evaluate(config: DictConfig) -> None:
    """Scores the test split of a checkpoint's data; writes ``metrics.json`` and ``metrics.csv``.

    Raises:
        UserError: The checkpoint cannot be used.
    """
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise UserError(f"{missing[0]} is not set; give it a value: {missing[0]}=PATH.")
    checkpoint = load_checkpoint(config.ckpt)
    trained = OmegaConf.create(checkpoint["config"])
    changes = {key: value for key, value in config.data.items() if value is not None}
    trained.data.split_dir = None  # the training's folder is not this run's to write to
    trained.data.pop("cache", None)  # a test looks at each photograph once
    trained.data = OmegaConf.merge(trained.data, changes)
    if "root" in changes:
        trained.data["_target_"] = "wm_lightning.data.FolderDataModule"
    precision = config.trainer.precision or trained.trainer.precision
    run = OmegaConf.merge(trained, {"trainer": {**config.trainer, "precision": precision}, "paths": config.paths})
    assert isinstance(run, DictConfig)
    prepare(run)
    datamodule = build_data(run)
    if "root" not in changes:
        datamodule.load_state_dict(checkpoint[type(datamodule).__qualname__])
    module = build_module(run, datamodule)
    module.load_state_dict(checkpoint["state_dict"])
    output = Path(config.paths.output_dir)
    callbacks = [PerImageTable(str(output / "metrics.csv"))]
    trainer: L.Trainer = instantiate(run.trainer, callbacks=callbacks, logger=False)
    scores = score(trainer, module, datamodule)
    pictures = len(datamodule.pairs("test"))
    record = {"checkpoint": str(config.ckpt), "epoch": checkpoint["epoch"], "pictures": pictures, "test": scores}
    (output / "metrics.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
    print_result(scores, f"{config.ckpt}: {pictures} pictures")
    log.info("written: %s and metrics.csv", shown(str(output / "metrics.json")))
