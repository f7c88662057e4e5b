"""Builds what every command needs from its configuration."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import DictConfig

from wm_lightning.data.datamodule import BaseDataModule, Target
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import UserError
from wm_lightning.hardware import check_accelerator, choose_precision
from wm_lightning.losses.composite import LETTERS
from wm_lightning.metrics import COLUMNS
from wm_lightning.runner.configuration import check_config
from wm_lightning.trained.weights import with_texts

log = logging.getLogger(__name__)

# Keys of data, of its synthesis and of the loss's terms: folders, and what may be a path or a word for something else
FOLDERS = ("root", "logos", "cache_dir", "mark")
PATHS_OR_WORDS = ("fonts", "weights")
WORDS = ("auto", "imagenet", "random", "dejavu")
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
SHORT_PRECISIONS = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}  # as Lightning takes them

EXPECTED_WARNINGS = (
    # One loader process is what two cores can feed; Lightning asks for as many as there are cores.
    ".*does not have many workers.*",
    # Small sets have fewer steps an epoch than Lightning's logging interval, which only step/loss follows.
    ".*number of training batches.*is smaller than the logging interval.*",
    # The sampler passes over what was done of an epoch; Lightning looks for that in the loader.
    ".*your dataloader is not resumable.*",
    # Lightning's own use of PyTorch.
    ".*`broadcast_buffers` is deprecated.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
)


def prepare(config: DictConfig) -> None:
    """Checks the configuration, settles the precision, seeds, and makes the run's folder."""
    if config.trainer.precision == "auto":
        config.trainer.precision = choose_precision(config.trainer.accelerator)
        log.info("precision: %s (trainer.precision=auto)", config.trainer.precision)
    short = str(config.trainer.precision)
    config.trainer.precision = SHORT_PRECISIONS.get(short, short)
    if config.trainer.precision not in PRECISIONS:
        raise UserError(
            f"trainer.precision={config.trainer.precision} is not one of auto, {', '.join(PRECISIONS)}: weights and "
            "pictures stay float32, and mixed precision computes with less where that is safe."
        )
    check_config(config)
    check_accelerator(config.trainer.accelerator)
    L.seed_everything(config.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    Path(config.paths.output_dir).mkdir(parents=True, exist_ok=True)
    # Lightning's notes on hardware and on products of its maker; what matters here is logged by this project.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def ask_for_terms(config: DictConfig, overrides: Iterable[str]) -> None:
    """Makes the terms of the loss that a command line names required: an optional one is left out without a fuss.

    A line of the log says so where what was set of a term changes nothing, since its weight is 0.

    Args:
        config: Changed in place.
        overrides: As typed, for example ``loss.terms.psnr.weight=0.1``.
    """
    terms = config.loss.get("terms", {})
    typed = [entry.key_or_group.split(".") for entry in OverridesParser.create().parse_overrides(list(overrides))]
    named = [path[2:] for path in typed if path[:2] == ["loss", "terms"] and len(path) > 2]
    asked = {name for name, *_ in named} - {name for name, *rest in named if rest == ["optional"]}
    for name in asked:
        if "optional" in (terms.get(name) or {}):
            terms[name].optional = False
    for name in sorted({name for name, *rest in named if rest not in (["weight"], ["optional"])}):
        key, weight = _weight_of(name, config.loss)
        if weight == 0:
            log.warning("loss.terms.%s is set, but its weight is 0, so it changes nothing; give %s too", name, key)


def _weight_of(term: str, loss: DictConfig) -> tuple[str, float | None]:
    """Returns the key that a term's weight has, and the weight; None where the configuration does not tell it."""
    for letter, name in LETTERS.items():
        if name == term and loss.get(letter) is not None:
            return f"loss.{letter}", loss[letter]
    return f"loss.terms.{term}.weight", (loss.terms.get(term) or {}).get("weight")


def absolute_paths(node: Any) -> Any:  # noqa: ANN401 - whatever a configuration holds
    """Returns a configuration's node whose files and folders are absolute, so that they are found from anywhere."""
    return with_texts(node, _absolute, lists=PATHS_OR_WORDS)


def _absolute(key: str, text: str) -> str:
    if not text or key not in (*FOLDERS, *PATHS_OR_WORDS) or "://" in text:  # a store's address is no path
        return text
    path = Path(text).expanduser()
    return str(path.absolute()) if key in FOLDERS or (text not in WORDS and path.exists()) else text


def build_data(config: DictConfig) -> BaseDataModule:
    """Builds the data module and finds its photographs."""
    datamodule: BaseDataModule = instantiate(config.data)
    datamodule.setup()
    return datamodule


def build_module(config: DictConfig, target: Target, test_columns: Sequence[str] = COLUMNS) -> WatermarkRemoval:
    """Builds network, loss and optimizer and puts them together; without ``optim``, one that is not to be trained."""
    optim = instantiate(config.get("optim"))
    # As a partial, since Hydra would turn what it is given into a configuration
    factory = instantiate(config.module, _partial_=True)
    module: WatermarkRemoval = factory(
        instantiate(config.model),
        instantiate(config.loss),
        None if optim is None else optim.optimizer,
        None if optim is None else optim.scheduler,
        target,
        test_columns=test_columns,
        train_metrics_every_n_steps=config.get("train_metrics_every_n_steps", 1),
        average=instantiate(config.get("average")),
        own_metrics=instantiate(config.get("own_metrics")),
    )
    return module


def score(trainer: L.Trainer, module: WatermarkRemoval, datamodule: BaseDataModule) -> dict[str, float]:
    """Scores the test split; returns loss, its terms and each metric column without the ``test/`` prefix."""
    (figures,) = trainer.test(module, datamodule, verbose=False)
    datamodule.gather_broken()
    return {name.removeprefix("test/"): float(value) for name, value in figures.items()}


def say_skipped(count: int) -> None:
    """Says how many photographs were left out; each was named when it was met."""
    if count:
        were = "photograph could not be used and was" if count == 1 else "photographs could not be used and were"
        log.warning("%d %s skipped", count, were)


def shown(path: str) -> str:
    """Returns a path as short as it can be typed from here."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
