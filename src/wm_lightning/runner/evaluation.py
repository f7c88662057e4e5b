"""Scores checkpoints on the same pairs and reports on them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch import Tensor

from wm_lightning.callbacks import PerImageTable, PixelCounts, read_history
from wm_lightning.data.datamodule import BaseDataModule, Target
from wm_lightning.data.pairs import StagePairs, WatermarkPairs
from wm_lightning.data.synthesis.traits import Traits, traits_of, traits_of_mask
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.errors import UserError
from wm_lightning.hardware import peak_memory
from wm_lightning.inference.tta_engine import check_tta
from wm_lightning.metrics import COLUMNS, choose_columns, own_columns
from wm_lightning.models.cost import cost_of
from wm_lightning.reports.evaluation import Subject, Tested, build_report
from wm_lightning.reports.extent import extent_table
from wm_lightning.reports.groups import PictureScore, write_groups, write_traits
from wm_lightning.reports.page import write_page
from wm_lightning.reports.published import benchmark_table
from wm_lightning.reports.record import write_record
from wm_lightning.reports.table import print_result
from wm_lightning.runner.as_trained import Run, listed, read_runs
from wm_lightning.runner.benchmark import StampedBenchmark, means_by_opacity, write_rows
from wm_lightning.runner.build import build_data, build_module, prepare, say_skipped, score, shown
from wm_lightning.runner.configuration import check_config
from wm_lightning.runner.examples import restore, write_examples
from wm_lightning.runner.launched import build_trainer, check_alone, check_launch

log = logging.getLogger(__name__)

SPLITS = ("test", "val")


class Scored(NamedTuple):
    """A checkpoint after its test.

    Attributes:
        path: Of its file, as it was given.
        checkpoint: Its content.
        module: The module with its weights.
        trainer: The one that tested it.
        scores: Mean of each column, the loss and its terms.
        table: Each picture's scores.
        counts: Of pixels.
    """

    path: str
    checkpoint: dict[str, Any]
    module: WatermarkRemoval
    trainer: L.Trainer
    scores: dict[str, float]
    table: PerImageTable
    counts: PixelCounts

    def restore(self, picture: Tensor) -> Tensor:
        """Restores (B, 3, H, W) as the test did, in its precision; returns float32 in 0..1 on the CPU."""
        return restore(self.module, self.trainer, picture)


def evaluate(config: DictConfig) -> None:
    """Scores the test or validation split of a checkpoint's data, or of other data; writes tables, figures and a page.

    Raises:
        UserError: A checkpoint, or what the configuration asks for, cannot be used.
    """
    if OmegaConf.is_missing(config, "ckpt"):
        raise UserError("ckpt is not set; give it a value: ckpt=PATH.")
    if config.split not in SPLITS:
        raise UserError(f"split={config.split} must be one of {', '.join(SPLITS)}.")
    check_tta(config.tta)
    columns = choose_columns(config.metrics, listed(config.extra_metrics))
    runs = read_runs(config)
    for run in reversed(runs):  # the first one's seed and precision are those that stay
        prepare(run.config)
    check_launch(config)
    if config.get("benchmark") is not None:
        check_alone("benchmark=...")
        _score_benchmark(config, runs)
    else:
        _score_split(config, runs, columns)


def _score_benchmark(config: DictConfig, runs: Sequence[Run]) -> None:
    """Scores a published benchmark's pairs, which are not those of a data module."""
    check_config(OmegaConf.create({"benchmark": config.benchmark}))
    for number, run in enumerate(runs):
        output = Path(config.paths.output_dir)
        folder = output if not number else output / f"compared_{number}"
        module = _rebuilt(run, config.tta, run.config.data.target, COLUMNS)
        trainer = build_trainer(run.config.trainer, logger=False)
        benchmark: StampedBenchmark = instantiate(config.benchmark)
        rows = benchmark(partial(restore, module, trainer))
        write_rows(rows, folder)
        table = benchmark_table(means_by_opacity(rows), run.path, benchmark.published)
        _console().print(table)
        log.info("written: %s and benchmark.csv", shown(str(folder / "benchmark.json")))


def _console() -> Console:
    """Returns what tables are printed on; a log file has no width of its own."""
    return Console(width=None if sys.stdout.isatty() else 110)


def _score_split(config: DictConfig, runs: Sequence[Run], columns: Sequence[str]) -> None:
    """Scores a split of the runs' data by columns of this project and their own; writes what was asked for."""
    output = Path(config.paths.output_dir)
    datamodule = build_data(runs[0].config)
    datamodule.scored = config.split
    tested = []
    for number, run in enumerate(runs):
        table = PerImageTable(str(output / ("metrics.csv" if not number else f"metrics_{number}.csv")))
        tested.append(_test(run, config.tta, datamodule, columns, table))
    if not tested[0].trainer.is_global_zero:
        return
    pairs = datamodule.pairs(datamodule.scored)
    skipped = sorted(set(pairs.names) & pairs.broken.keys())
    _write_record(output / "metrics.json", tested, config.split, skipped)
    columns = (*columns, *own_columns(tested[0].module.own_metrics))
    for found in tested:
        title = f"{found.path}: {len(found.table.rows)} pictures"
        print_result({column: found.scores[column] for column in columns}, title)
        if found.counts.extent.marked:
            _console().print(extent_table(found.counts.extent))
    say_skipped(len(skipped))
    log.info("written: %s and metrics.csv", shown(str(output / "metrics.json")))
    if not config.report:
        return
    log.info("look at it: %s", shown(str(_report(config, tested, datamodule, columns, output / "report"))))
    if config.examples:
        first = tested[0]
        sheet = write_examples(first.module, first.trainer, pairs, config.examples, output)
        log.info("pictures chosen by the seed: %s", shown(str(sheet)))


def _test(run: Run, copies: int, datamodule: BaseDataModule, columns: Sequence[str], table: PerImageTable) -> Scored:
    split = run.checkpoint.get(type(datamodule).__qualname__)
    if split is not None and run.config.data.get("root") == run.checkpoint["config"]["data"].get("root"):
        datamodule.load_state_dict(split)  # says so if the split is another one
    # What the report is made of is measured whatever is shown.
    module = _rebuilt(run, copies, datamodule.target, (*choose_columns("full"), *columns))
    counts = PixelCounts()
    trainer = build_trainer(run.config.trainer, callbacks=[table, counts], logger=False)
    scores = score(trainer, module, datamodule)
    return Scored(run.path, run.checkpoint, module, trainer, scores, table, counts)


def _rebuilt(run: Run, copies: int, target: Target, columns: Sequence[str]) -> WatermarkRemoval:
    """Builds a checkpoint's module."""
    module = build_module(run.config, target, tuple(dict.fromkeys(columns)))
    module.load_state_dict(run.checkpoint["state_dict"])
    module.net.tta = copies
    for term in module.loss.terms.values():
        term.optional = True  # these pairs may know less of their marks than those of the training
    return module


def _write_record(path: Path, tested: Sequence[Scored], split: str, skipped: Sequence[str]) -> None:
    first, *others = tested
    record = {
        "checkpoint": first.path,
        "epoch": first.checkpoint["epoch"],
        "split": split,
        "tta": first.module.net.tta,
        "pictures": len(first.table.rows),
        "pictures_skipped": skipped,
        "test": first.scores,
        "extent": {
            "marked": first.counts.extent.marked,
            "missed": first.counts.extent.missed,
            **first.counts.extent.shares(),
        },
        "defined_on": first.table.defined,
        "compared": {other.path: other.scores for other in others},
    }
    write_record(path, record)


def _report(
    config: DictConfig, tested: Sequence[Scored], datamodule: BaseDataModule, columns: Sequence[str], folder: Path
) -> Path:
    first = tested[0]
    pairs = datamodule.pairs(datamodule.scored)
    places = {name: index for index, name in enumerate(pairs.names)}
    scored = [places[name] for name, _ in first.table.rows]  # broken pictures have no row
    traits = [_traits(pairs, index) for index in scored]
    subject = Subject(
        net=first.module.net.eval(),
        restore=first.restore,
        pair=lambda row: pairs[0, scored[row]].unpack(),
        residuals=first.counts.residuals,
        confusion=first.counts.confusion,
        history=read_history(Path(first.path), first.checkpoint),
        costs=_costs(first),
    )
    facts = {
        "checkpoint": first.path,
        "epoch": str(first.checkpoint["epoch"] + 1),
        f"{config.split} pictures": f"{len(scored)} of {datamodule.size}x{datamodule.size} pixels",
        "data": f"{type(datamodule).__name__} {getattr(datamodule, 'root', '')}".strip(),
        "metrics": ", ".join((config.metrics, *listed(config.extra_metrics))),
        "precision": str(first.trainer.precision),
    }
    tests = [
        Tested(
            test.path if len(tested) > 1 else "model",
            [PictureScore(name, row, found) for (name, row), found in zip(test.table.rows, traits, strict=True)],
        )
        for test in tested
    ]
    report = build_report(tests, subject, columns, "Watermark removal, measured", facts)
    write_groups(report.groups, folder.parent / "groups.csv")
    write_traits(tests[0].pictures, folder.parent / "traits.csv")
    return write_page(report, folder)


def _traits(pairs: StagePairs, index: int) -> Traits:
    if isinstance(pairs, WatermarkPairs):
        return traits_of(pairs.views((0, index))[0])
    return traits_of_mask(pairs[0, index].mask.numpy()[..., 0] > 0)


def _costs(scored: Scored) -> dict[str, str]:
    net, device = scored.module.net, scored.module.device
    cost = cost_of(net, scored.restore)
    held = peak_memory(device)
    return {
        "network": type(net).__name__,
        "parameters": f"{cost.parameters:,}",
        "operations": f"{cost.gflops:,.0f} GFLOP a megapixel",
        "time": f"{cost.seconds:.2f} s a megapixel ({device.type}, {torch.get_num_threads()} threads)",
        **({} if held is None else {"peak memory": f"{held / 2**30:.2f} GiB (whole process)"}),
    }
