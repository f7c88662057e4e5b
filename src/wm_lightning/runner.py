"""Builds everything from a configuration and runs it; the only file below the commands that knows Hydra."""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf

from wm_lightning.callbacks import ConfigInCheckpoint, PerImageTable, RunSummary
from wm_lightning.checkpoints import load_checkpoint, load_weights, newest_checkpoint
from wm_lightning.configuration import check_config, plain, suggestion
from wm_lightning.data import WatermarkDataModule
from wm_lightning.data.pairs import STAGES
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import UserError
from wm_lightning.hardware import check_accelerator, choose_precision
from wm_lightning.metrics import COLUMNS
from wm_lightning.reports.contact_sheet import contact_sheet
from wm_lightning.reports.table import print_result

log = logging.getLogger(__name__)

EXPECTED_WARNINGS = (
    # One loader process is what two cores can feed; Lightning asks for as many as there are cores.
    ".*does not have many workers.*",
    # Small sets have fewer steps an epoch than Lightning's logging interval, which only step/loss follows.
    ".*number of training batches.*is smaller than the logging interval.*",
    # Lightning's own use of PyTorch.
    ".*`broadcast_buffers` is deprecated.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
)

TERMINATED = 128 + signal.SIGTERM  # the shell's exit status for a process that was told to end

# What a checkpoint keeps of a configuration: enough to rebuild data, model and loss.
REBUILT = ("model", "loss", "data", "optim", "seed")
# What TensorBoard's HParams page compares runs by.
HPARAM_GROUPS = ("model", "loss", "optim")
HPARAM_SCORES = ("psnr", "ssim", "psnr_in", "psnr_out")


def train(config: DictConfig, callbacks: Sequence[L.Callback] = ()) -> float:
    """Trains and tests a model.

    Args:
        config: The composed ``conf/train.yaml``.
        callbacks: Others beside the configuration's, which see an epoch after its summary.

    Returns:
        The objective: ``objective.metric`` at the epoch of the best checkpoint.

    Raises:
        UserError: The configuration or what it points to cannot be used.
    """
    if config.ckpt_path is not None:
        _go_on(config)
    _prepare(config)
    _check_length(config)
    check_objective(config)
    datamodule = build_data(config)
    module = build_module(config, datamodule)
    if config.weights is not None:
        load_weights(module.net, config.weights)
    summary = RunSummary(str(Path(config.paths.output_dir) / "summary.json"))
    configured = [instantiate(node) for node in config.callbacks.values() if node is not None]
    resolved = plain(config)
    rebuilt = {**{key: resolved[key] for key in REBUILT}, "trainer": {"precision": config.trainer.precision}}
    callbacks = [*configured, summary, ConfigInCheckpoint(rebuilt), *callbacks]
    loggers = [instantiate(node) for node in config.logger.values() if node is not None]
    trainer: L.Trainer = instantiate(config.trainer, callbacks=callbacks, logger=loggers or False)
    for logger in loggers:
        logger.log_hyperparams({"config": OmegaConf.to_yaml(config, resolve=True), "seed": config.seed})
    try:
        trainer.fit(module, datamodule, ckpt_path=config.ckpt_path, weights_only=True)
    except SystemExit as stop:  # Lightning's answer to Ctrl-C and SIGTERM
        last = Path(config.paths.output_dir) / "checkpoints" / "last.ckpt"
        if last.is_file():
            log.warning("stopped; go on with: ckpt_path=%s", _shown(str(last)))
        raise SystemExit(TERMINATED if isinstance(stop, SIGTERMException) else stop.code) from stop
    if trainer.max_epochs is not None and trainer.current_epoch < trainer.max_epochs:
        log.info("stopped early after %d epochs of %d", trainer.current_epoch, trainer.max_epochs)
    best = float(summary.best()[config.objective.metric])
    checkpoint = _best_checkpoint(trainer)
    summary.update(
        {
            "objective": {**plain(config.objective), "value": best},
            "checkpoint": checkpoint,
            "seed": config.seed,
            "photographs": {stage: len(datamodule.pairs(stage)) for stage in STAGES},
            "photographs_skipped": datamodule.broken,
        }
    )
    if config.test:
        if checkpoint is not None:  # not by trainer.test, which would load the weights that an average was made of
            module.load_state_dict(load_checkpoint(checkpoint)["state_dict"])
        scores = score(trainer, module, datamodule)
        summary.update({"test": scores})
        if trainer.is_global_zero:
            print_result(scores, f"test: {len(datamodule.pairs('test'))} pictures")
    tested = {f"test/{name}": scores[name] for name in HPARAM_SCORES} if config.test else {}
    _log_hyperparameters(loggers, config, {f"best/{config.objective.metric}": best, **tested})
    if datamodule.broken:
        log.warning("%d photographs could not be decoded and were skipped", len(datamodule.broken))
    if checkpoint is not None:
        log.info("score it again: python evaluate.py ckpt=%s", _shown(checkpoint))
    log.info("watch it: tensorboard --logdir %s", _shown(config.paths.output_dir))
    return best


@rank_zero_only
def _log_hyperparameters(loggers: Sequence[Logger], config: DictConfig, metrics: dict[str, float]) -> None:
    """Gives TensorBoard's HParams page what was chosen and what came of it."""
    chosen = {key: value for group in HPARAM_GROUPS for key, value in _leaves(plain(config[group]), group)}
    choices = {group: choice for group, choice in HydraConfig.get().runtime.choices.items() if "/" not in group}
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams({"seed": config.seed, **choices, **chosen}, metrics)
            logger.save()


def _leaves(node: object, path: str) -> Iterator[tuple[str, str | int | float | bool]]:
    """Returns the plain values below a node by their full names."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(node, str | int | float | bool) and not path.rsplit(".", 1)[-1].startswith("_"):
        yield path, node


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
    _prepare(run)
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
    log.info("written: %s and metrics.csv", _shown(str(output / "metrics.json")))


def preview(config: DictConfig) -> None:
    """Draws a contact sheet of training pairs: original, two views, mask, alpha.

    Raises:
        UserError: The configuration or what it points to cannot be used.
    """
    check_config(config)
    out = Path(config.out)
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UserError(f"out={config.out} must be a picture file: .png, .jpg or .webp.")
    if config.count < 1:
        raise UserError(f"count={config.count} must be at least 1.")
    pairs = build_data(config).pairs("train")
    samples = [pairs[0, index % len(pairs)] for index in range(config.count)]
    columns = ("clean", "watermarked", "reference", "mask", "alpha")
    rows = [[getattr(sample, column).numpy().squeeze() for column in columns] for sample in samples]
    out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(columns, rows).save(out)
    log.info("written: %s", out)


def score(trainer: L.Trainer, module: WatermarkRemoval, datamodule: WatermarkDataModule) -> dict[str, float]:
    """Scores the test split; returns loss, its terms and each metric column without the ``test/`` prefix."""
    (figures,) = trainer.test(module, datamodule, verbose=False)
    return {name.removeprefix("test/"): float(value) for name, value in figures.items()}


def build_data(config: DictConfig) -> WatermarkDataModule:
    """Builds the data module and finds its photographs."""
    datamodule: WatermarkDataModule = instantiate(config.data)
    datamodule.setup()
    return datamodule


def build_module(config: DictConfig, datamodule: WatermarkDataModule) -> WatermarkRemoval:
    """Builds network, loss and optimizer and puts them together."""
    net, loss = instantiate(config.model), instantiate(config.loss)
    optim = instantiate(config.optim)
    return WatermarkRemoval(net, loss, optim.optimizer, optim.scheduler, target=datamodule.target)


def _prepare(config: DictConfig) -> None:
    """Checks the configuration, settles the precision, seeds, and makes the run's folder."""
    if config.trainer.precision == "auto":
        config.trainer.precision = choose_precision(config.trainer.accelerator)
        log.info("precision: %s (trainer.precision=auto)", config.trainer.precision)
    check_config(config)
    check_accelerator(config.trainer.accelerator)
    if getattr(rank_zero_only, "rank", 0):  # the first process speaks for all
        logging.getLogger().setLevel(logging.ERROR)
    L.seed_everything(config.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    Path(config.paths.output_dir).mkdir(parents=True, exist_ok=True)
    # Lightning's notes on hardware and on products of its maker; what matters here is logged by this project.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def _go_on(config: DictConfig) -> None:
    """Settles which checkpoint to go on from; a run's last one goes on in the run's own folder."""
    if config.ckpt_path == "last":
        config.ckpt_path = str(newest_checkpoint())
    load_checkpoint(config.ckpt_path)
    path = Path(config.ckpt_path).resolve()
    if path.name == "last.ckpt" and path.parent.name == "checkpoints":
        # Elsewhere, Lightning would forget which checkpoint was the best so far.
        config.paths.output_dir = str(path.parents[1])
    log.info("goes on from %s in %s", _shown(config.ckpt_path), _shown(config.paths.output_dir))


def _check_length(config: DictConfig) -> None:
    """Checks what the number of steps is reckoned from."""
    for key in ("max_epochs", "accumulate_grad_batches"):
        value = config.trainer[key]
        if value is None or value < 1:
            raise UserError(f"trainer.{key}={value} must be at least 1; trainer.max_time limits a run by the clock.")


def check_objective(config: DictConfig, node: str = "objective") -> None:
    """Checks that training measures the metric of a node.

    Raises:
        UserError: It does not.
    """
    metric = OmegaConf.select(config, f"{node}.metric")
    if config.trainer.limit_val_batches == 0:
        raise UserError("trainer.limit_val_batches=0 leaves nothing to choose the best checkpoint by; allow some.")
    known = ["val/loss", *(f"val/{column}" for column in COLUMNS)]
    if metric not in known:
        raise UserError(f"{node}.metric={metric} is not measured.{suggestion(metric, known)}")


def _shown(path: str) -> str:
    """Returns a path as short as it can be typed from here."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _best_checkpoint(trainer: L.Trainer) -> str | None:
    """Returns the path of the best checkpoint, None where the run kept none."""
    callback = trainer.checkpoint_callback
    return callback.best_model_path or None if isinstance(callback, ModelCheckpoint) else None
