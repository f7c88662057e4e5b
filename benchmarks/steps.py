"""Two ways of taking training steps: the plain one of a notebook, and this project's as Lightning runs it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from lightning.pytorch.profilers import Profiler
from omegaconf import DictConfig
from torch import Tensor
from turns import Turns

from wm_lightning.data.datamodule import BaseDataModule
from wm_lightning.data.pairs import EpochSampler
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.losses import CompositeLoss, Perceptual, PerceptualLoss, Term
from wm_lightning.runner.build import build_data, build_module, prepare
from wm_lightning.types import Prediction, Sample, collate

DATA, DEVICE, FORWARD = "waiting for data", "batch to the device, as numbers", "forward"
BACKWARD, CLIPPING, OPTIMIZER = "backward", "clipping the gradient", "optimizer step"
AVERAGE, OTHER = "average of the weights", "other: the loops, logging"
LOSS = "loss: "  # and the term's name
# What Lightning calls the parts of a step, and where their time is counted; the rest counts for what is around it.
ACTIONS = {
    "train_dataloader_next": DATA,
    "batch_to_device": DEVICE,
    "training_step": OTHER,
    "backward": BACKWARD,
    "configure_gradient_clipping": CLIPPING,
    "optimizer_step": OPTIMIZER,
}
LONG = 10**6  # steps: the end of a training that is told when to end
IN_EACH_STEP = ("finite_loss", "freeze_batchnorm")  # the callbacks that are


def plain(config: DictConfig, turns: Turns) -> None:
    """Takes the notebook's steps: float32, contiguous, eager, pairs made in the loop, AdamW, every loss read."""
    L.seed_everything(config.seed, workers=True, verbose=False)
    datamodule = build_data(config)
    net = instantiate(config.model).to(turns.device).train()
    loss = instantiate(config.loss).to(turns.device)
    rates = config.optim.optimizer
    optimizer = torch.optim.AdamW(net.parameters(), lr=rates.get("adamw_lr", rates.lr), weight_decay=1e-5)
    batches = _batches(datamodule, turns.device)
    while turns.go_on():
        began = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - began
        optimizer.zero_grad()
        total = _plain_loss(loss, net.predict(batch.watermarked), batch, getattr(batch, datamodule.target))
        total.backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimizer.step()
        turns.note(total.item(), {DATA: waited})


def _batches(datamodule: BaseDataModule, device: torch.device) -> Iterator[Sample]:
    """Makes the pairs that the loaders make, in their order, one after the other."""
    pairs, size = datamodule.pairs("train"), datamodule.batch_size
    sampler, epoch = EpochSampler(len(pairs), datamodule.seed, shuffle=True, repeats=datamodule.repeats), 0
    while True:
        sampler.set_epoch(epoch)
        keys = list(sampler)
        for start in range(0, max(len(keys) - size, 0) + 1, size):
            drawn = pairs.draw(keys[start : start + size]).samples
            batch = datamodule.on_after_batch_transfer(collate(drawn), 0)
            yield Sample._make(value.contiguous().to(device) if isinstance(value, Tensor) else value for value in batch)
        epoch += 1


def _plain_loss(loss: CompositeLoss, prediction: Prediction, batch: Sample, target: Tensor) -> Tensor:
    total = target.new_zeros(())
    for name, term in loss.terms.items():
        assert isinstance(term, Term)
        if any(term.missing(prediction, batch)):  # the configured step says so where that is an error
            continue
        if isinstance(term, Perceptual) and term.extractor is not None:
            value = _with_both_graphs(term.extractor, prediction.image, target)
        else:
            value = term(prediction, target, batch)
        total = total + loss.weights[name] * value
    return total


def _with_both_graphs(extractor: PerceptualLoss, image: Tensor, target: Tensor) -> Tensor:
    """Compares features, those of the target with their graph too, which nobody asked to leave out."""
    wanted = extractor.features(target.detach().requires_grad_())
    return F.l1_loss(extractor.features(image), wanted)


def ours(config: DictConfig, turns: Turns) -> None:
    """Takes the configured steps: the trainer's own, with the module's optimizer, schedule, average and scores."""
    prepare(config)
    datamodule = build_data(config)
    module = build_module(config, datamodule.target)
    if config.compile is not None:
        module.net.compile(mode=config.compile)
    parts = Parts(turns)
    # Each loader holds two batches ready, made while others had their turn.
    turns.ahead = 2 * datamodule.num_workers + 1
    bare_trainer(config, [_Steps(turns, parts)], LONG, profiler=parts).fit(module, datamodule)


def bare_trainer(config: DictConfig, callbacks: list[L.Callback], steps: int, **options: object) -> L.Trainer:
    """Builds the configured trainer for a number of steps, without validation, checkpoints and loggers."""
    configured = [instantiate(config.callbacks.get(name)) for name in IN_EACH_STEP]
    trainer: L.Trainer = instantiate(
        config.trainer,
        callbacks=[*filter(None, configured), *callbacks],
        logger=False,
        max_epochs=-1,
        max_steps=steps,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        **options,
    )
    return trainer


class Parts(Profiler):
    """Seconds of each part of a step; those of a part within another one count for the inner one alone.

    Args:
        turns: Say when, and how exactly.
    """

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns
        self._open = [OTHER]
        self._seconds: dict[str, float] = {}
        self._since = self._now()

    def start(self, action_name: str) -> None:
        """Lightning's hook."""
        self._enter(ACTIONS.get(action_name.rsplit(".", 1)[-1], self._open[-1]))

    def stop(self, action_name: str) -> None:
        """Lightning's hook."""
        self._leave()

    def around(self, owner: object, method: str, part: str) -> None:
        """Counts the time within an object's method for a part."""
        inner = getattr(owner, method)

        def timed(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - those of the method
            self._enter(part)
            try:
                return inner(*arguments, **options)
            finally:
                self._leave()

        setattr(owner, method, timed)

    def cut(self) -> dict[str, float]:
        """Returns the seconds by part since the last cut."""
        self._count()
        seconds, self._seconds = self._seconds, {}
        return seconds

    def go_on(self) -> None:
        """Leaves out the time since the last cut."""
        self._since = self._now()

    def _enter(self, part: str) -> None:
        if part != self._open[-1]:
            self._count()
        self._open.append(part)

    def _leave(self) -> None:
        if self._open[-1] != self._open[-2]:
            self._count()
        self._open.pop()

    def _count(self) -> None:
        now = self._now()
        part = self._open[-1]
        self._seconds[part] = self._seconds.get(part, 0.0) + now - self._since
        self._since = now

    def _now(self) -> float:
        return self._turns.now() if self._turns.exact else time.perf_counter()


class _Steps(L.Callback):
    """Notes each step and ends the training when no more are wanted."""

    def __init__(self, turns: Turns, parts: Parts) -> None:
        self.turns, self.parts = turns, parts

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Marks the parts that Lightning knows nothing of."""
        assert isinstance(pl_module, WatermarkRemoval)
        count = self.parts.around
        count(pl_module.net, "predict", FORWARD)
        for name, term in pl_module.loss.terms.items():
            count(term, "forward", LOSS + name)
        count(pl_module, "_measure", metrics_part(pl_module.train_metrics_every_n_steps))
        if pl_module.average is not None:
            count(pl_module.average, "update", AVERAGE)
        self._next(trainer)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Notes it, and waits where it was the turn's last."""
        assert isinstance(outputs, dict)
        self.turns.note(outputs["loss"].detach(), self.parts.cut())
        self._next(trainer)

    def _next(self, trainer: L.Trainer) -> None:
        trainer.should_stop = not self.turns.go_on()
        self.parts.go_on()


def metrics_part(every: int) -> str:
    """Names the part of a step that scores pictures."""
    return "metrics" if every == 1 else f"metrics, of one step in {every}"


def in_order(names: Iterable[str], every: int) -> list[str]:
    """Sorts parts as they come in a step."""
    found = list(names)
    losses = [name for name in found if name.startswith(LOSS)]
    known = (DATA, DEVICE, FORWARD, *losses, metrics_part(every), BACKWARD, CLIPPING, OPTIMIZER, AVERAGE, OTHER)
    return sorted(found, key=known.index)
