"""Training, validation and test steps of a watermark remover."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MetricCollection

from wm_lightning.engine.average import WeightAverage, weights_of
from wm_lightning.errors import ArgumentError, OtherLengthError, UserError, naming
from wm_lightning.losses import CompositeLoss, LossTerms
from wm_lightning.metrics import COLUMNS, TRAIN_COLUMNS, OwnMetric, measure, metric_collection, own_columns
from wm_lightning.models import RestorationNet, SizeRequirement
from wm_lightning.trained import read
from wm_lightning.trained.trust import build, check_trusted
from wm_lightning.types import Prediction, Sample

if TYPE_CHECKING:
    from typing_extensions import Self

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[..., LRScheduler]
Kept = Literal["raw", "average"]

REMEMBERED = (
    "target",
    "channels_last",
    "train_metrics_every_n_steps",
)  # arguments that a checkpoint holds as hyperparameters


class StepOutput(TypedDict):
    """What validation and test steps hand to callbacks.

    Attributes:
        prediction: (B, 3, H, W) float32 in 0..1.
        mask: Where the network saw a mark, (B, 1, H, W) in 0..1; None from one that does not say.
        scores: Each metric column, (B,).
    """

    prediction: Tensor
    mask: Tensor | None
    scores: dict[str, Tensor]


class WatermarkRemoval(L.LightningModule):
    """Trains a network to turn watermarked photographs into clean ones.

    Logs ``STAGE/loss``, each loss term as ``STAGE/loss_TERM`` and each metric column as ``STAGE/COLUMN``; in training
    also ``step/loss`` at every step.

    With an average of the weights, each validation scores the network in training (``val_raw/...``) and its average
    (``val_average/...``); ``val/...`` are the figures of the better one, by what the best checkpoint is chosen by. Its
    weights are the ``net.*`` of a checkpoint's ``state_dict``, whose key ``weights`` says which they are; a resumed run
    finds both.

    Args:
        net: The network.
        loss: The loss.
        optimizer: Takes parameters, returns an optimizer; None where it is not to be trained.
        scheduler: Takes the optimizer and ``total_steps``, the number of optimizer steps of the whole run; stepped
            once each optimizer step. None keeps the learning rate.
        target: What the loss compares with: the second watermarked view, or the clean photograph.
        channels_last: Keeps 4-d tensors in the channels-last memory format, which convolutions run faster in.
        test_columns: What a test measures; see :func:`~wm_lightning.metrics.choose_columns`.
        train_metrics_every_n_steps: Scores the pictures of every n-th training batch; a small network takes
            a step faster than SSIM is computed. The loss is that of all.
        average: Averages the weights; None for no average.
        own_metrics: Metrics of your own by name, which validation and test measure too.

    Attributes:
        kept: Which weights the last validation found better.

    Raises:
        ArgumentError: ``train_metrics_every_n_steps`` is below 1, or the network does not say which sizes it takes.
    """

    def __init__(
        self,
        net: RestorationNet,
        loss: CompositeLoss,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        target: Literal["reference", "clean"] = "reference",
        channels_last: bool = True,
        test_columns: Sequence[str] = COLUMNS,
        train_metrics_every_n_steps: int = 1,
        average: WeightAverage | None = None,
        own_metrics: Mapping[str, OwnMetric] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(*REMEMBERED, logger=False)
        if train_metrics_every_n_steps < 1:
            raise ArgumentError("{train_metrics_every_n_steps}={} must be at least 1.", train_metrics_every_n_steps)
        if not isinstance(getattr(net, "size", None), SizeRequirement):
            raise ArgumentError(
                "{net}: {} must say which sizes it takes: size = SizeRequirement(multiple=2), or 1 for any.",
                type(net).__name__,
            )
        self.train_metrics_every_n_steps = train_metrics_every_n_steps
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net, self.loss = net, loss
        nn.ModuleList((net, loss)).to(memory_format=self.memory_format)  # type: ignore[call-overload]  # not in its stubs
        self.optimizer_factory, self.scheduler_factory = optimizer, scheduler
        self.target = target
        self._steps_before: int | None = None
        self.own_metrics = dict(own_metrics or {})
        self.measured: dict[str, tuple[str, ...]] = {
            "train": TRAIN_COLUMNS,
            "val": COLUMNS,
            "test": tuple(test_columns),
        }
        self.average = average
        self._steps_averaged: int | None = None  # None: all that there were before
        self.kept: Kept = "raw"
        if average is not None:
            self.measured |= {"val_raw": COLUMNS, "val_average": COLUMNS}
        own = own_columns(self.own_metrics)
        self.metrics = nn.ModuleDict(
            {
                f"{stage}_metrics": metric_collection(stage, columns if stage == "train" else (*columns, *own))
                for stage, columns in self.measured.items()
            }
        )

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # whose network and loss a file of this project names
        cls,
        checkpoint_path: str | Path,
        *,
        trust: Sequence[str] = (),
        **options: Any,  # noqa: ANN401
    ) -> Self:
        """Builds the module that a checkpoint or weight file is of, with the weights that were kept.

        It is of the class that this is called on, and has no metrics but this project's, whatever the training had.

        Args:
            checkpoint_path: Of the file, or the name of weights that come with this project.
            trust: Packages beside this one whose classes it may ask for; see :mod:`wm_lightning.trained.trust`.
            options: Arguments of the module in place of what the file says, such as a loss, or an optimizer to train
                on with.

        Raises:
            UserError: The file cannot be read, or asks for code that is not trusted.
        """
        path = str(checkpoint_path)
        content = read(path)
        for name, key in (("net", "model"), ("loss", "loss")):
            if name not in options:
                check_trusted(content["config"][key], path, trust)
                options[name] = build(content["config"][key], path, trust)
        remembered = {key: value for key, value in content["hyper_parameters"].items() if key in REMEMBERED}
        module = cls(**{**remembered, **options})
        module.load_state_dict(content["state_dict"])
        return module

    def forward(self, image: Tensor) -> Tensor:
        """Removes watermarks from (B, 3, H, W) in 0..1."""
        return self.predict(image).image

    def predict(self, image: Tensor) -> Prediction:
        """Removes watermarks from (B, 3, H, W) in 0..1, and says what else the network knows."""
        return self._predict(self.net, image)

    def _predict(self, net: RestorationNet, image: Tensor) -> Prediction:
        return net.predict(image.contiguous(memory_format=self.memory_format))

    @property
    def candidates(self) -> dict[Kept, RestorationNet]:
        """The network, and its average where there is one."""
        if self.average is None or self.average.net is None:
            return {"raw": self.net}
        return {"raw": self.net, "average": self.average.net}

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """Returns the loss to minimise."""
        prediction, losses = self._compare(self.net, batch, "train")
        if batch_idx % self.train_metrics_every_n_steps == 0:
            self._measure(prediction, batch, "train")
        self.log("step/loss", losses.total, on_step=True, on_epoch=False, prog_bar=True)
        return losses.total

    def validation_step(self, batch: Sample, batch_idx: int) -> StepOutput:
        """Returns predictions and scores for callbacks: those of the weights that are kept so far."""
        if self.average is None:
            return self._score(self.net, batch, "val")
        return {name: self._score(net, batch, f"val_{name}") for name, net in self.candidates.items()}[self.kept]

    def test_step(self, batch: Sample, batch_idx: int) -> StepOutput:
        """Returns predictions and scores for callbacks."""
        return self._score(self.net, batch, "test")

    def predict_step(self, batch: Tensor | Sample, batch_idx: int) -> Prediction:
        """Returns what the network says of pictures, (B, 3, H, W) in 0..1, or of the input of pairs.

        It is the network alone: :class:`wm_lightning.Remover` also asks for evidence before it changes a picture.
        """
        return self.predict(batch if isinstance(batch, Tensor) else batch.watermarked)

    def _score(self, net: RestorationNet, batch: Sample, stage: str) -> StepOutput:
        return self._measure(self._compare(net, batch, stage)[0], batch, stage)

    def _compare(self, net: RestorationNet, batch: Sample, stage: str) -> tuple[Prediction, LossTerms]:
        """Predicts, and logs the loss and its terms."""
        prediction = self._predict(net, batch.watermarked)
        losses: LossTerms = self.loss(prediction, self._target_of(batch), batch)
        means = {"loss": losses.total, **{f"loss_{name}": term for name, term in losses.terms.items()}}
        self.log_dict(
            {f"{stage}/{name}": value for name, value in means.items()},
            on_step=False,
            on_epoch=True,
            batch_size=len(batch.mask),
            sync_dist=True,
        )
        return prediction, losses

    @torch.no_grad()
    def _measure(self, prediction: Prediction, batch: Sample, stage: str) -> StepOutput:
        """Scores each picture, and logs the means."""
        image, mask = prediction.image.detach(), None if prediction.mask is None else prediction.mask.detach()
        own = {} if stage == "train" else self.own_metrics
        scores = measure(image, batch, self.measured[stage], mask, own)
        collection = self.metrics[f"{stage}_metrics"]
        assert isinstance(collection, MetricCollection)
        for column, metric in collection.items(keep_base=True):
            metric.update(scores[column])
        self.log_dict(collection, on_step=False, on_epoch=True, batch_size=len(batch.mask))
        return StepOutput(prediction=image.float().clamp(0, 1), mask=mask, scores=scores)

    def _target_of(self, batch: Sample) -> Tensor:
        target: Tensor | None = getattr(batch, self.target)
        if target is None:
            raise ArgumentError("{target}={}: these pairs have none; set {target}=clean.", self.target)
        return target

    def configure_optimizers(self) -> Optimizer | OptimizerLRSchedulerConfig:
        """Builds the optimizer and its schedule over all steps of the run."""
        steps = int(self.trainer.estimated_stepping_batches)
        if self.optimizer_factory is None:
            raise UserError("optimizer: a training needs one; give the module an optimizer factory.")
        with naming("optimizer"):
            optimizer = self.optimizer_factory(self.net.parameters())
        if self.scheduler_factory is None:
            return optimizer
        with naming("scheduler"):
            scheduler = self.scheduler_factory(optimizer, total_steps=steps)
        if self._steps_before not in (None, steps):
            raise OtherLengthError(
                "the checkpoint's schedule spans {} steps and this run has {}; keep {max_epochs}, photographs and "
                "batch size as they were, or begin a new run from its weights",
                self._steps_before,
                steps,
            )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_fit_start(self) -> None:
        """Begins the average, unless a checkpoint has brought one."""
        if self.average is None:
            return
        if self.average.net is None:
            self.average.begin(self.net)
        assert self.average.net is not None
        self.average.net.to(self.device)

    def on_train_start(self) -> None:
        """Takes in the step after which a checkpoint within an epoch was saved: callbacks save before this averages."""
        if self._steps_averaged is None:
            self._steps_averaged = self.trainer.global_step
        self._take_into_average()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ANN401 - Lightning's
        """Takes a step into the average; several batches may make one."""
        self._take_into_average()

    def _take_into_average(self) -> None:
        if self.average is not None and self.trainer.global_step != self._steps_averaged:
            self._steps_averaged = self.trainer.global_step
            self.average.update(self.net)

    def _bring_metrics(self) -> None:
        """Puts metrics where pictures are: they are no part of the module, whose weights a checkpoint would have."""
        for metric in self.own_metrics.values():
            if isinstance(metric, nn.Module):
                metric.to(self.device)

    def on_test_start(self) -> None:
        """Prepares what is measured."""
        self._bring_metrics()

    def on_validation_start(self) -> None:
        """Gives all processes the mean of their BatchNorm statistics, so that all score the same network."""
        self._bring_metrics()
        if self.trainer.world_size == 1:
            return
        for net in self.candidates.values():
            for buffer in net.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.trainer.strategy.reduce(buffer.clone(), reduce_op="mean"))

    def on_validation_epoch_end(self) -> None:
        """Keeps the better of the network and its average; what is logged as ``val/...`` is of that one."""
        if self.average is None:
            return
        figures = self.trainer.callback_metrics
        self.kept = self._better(figures)
        prefix = f"val_{self.kept}/"
        kept = {name.removeprefix(prefix): value for name, value in figures.items() if name.startswith(prefix)}
        self.log_dict({f"val/{name}": value for name, value in kept.items()}, sync_dist=True)  # equal in all processes

    def _better(self, figures: Mapping[str, Tensor]) -> Kept:
        """Compares by what the best checkpoint is chosen by; what is no number loses."""
        callback = self.trainer.checkpoint_callback
        monitor, mode = "val/loss", "min"
        if isinstance(callback, ModelCheckpoint) and (callback.monitor or "").startswith("val/"):
            monitor, mode = str(callback.monitor), callback.mode
        sign = 1 if mode == "max" else -1

        def rank(name: Kept) -> float:
            figure = figures.get(monitor.replace("val/", f"val_{name}/", 1))
            if figure is None:
                raise UserError(f"{monitor}, which the best checkpoint is chosen by, is not measured in this training.")
            value = sign * float(figure)
            return -math.inf if math.isnan(value) else value

        return max(self.candidates, key=rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Records what the loss was made of, the random state of layers such as dropout, and the length of the run."""
        checkpoint["loss"] = self.loss.describe()
        checkpoint["random_state"] = torch.get_rng_state()
        checkpoint["total_steps"] = int(self.trainer.estimated_stepping_batches)
        checkpoint["weights"] = self.kept
        if self.average is None:
            return
        checkpoint["average"] = {**self.average.state_dict(), "steps": self._steps_averaged}
        if self.kept == "average":
            checkpoint["raw"] = weights_of(checkpoint["state_dict"])
            averaged = checkpoint["average"]["net"]
            checkpoint["state_dict"].update({f"net.{name}": value for name, value in averaged.items()})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Goes on from the random state and the weights in training; the steps are compared with those of this run."""
        if self._trainer is None:  # read to be used: the weights that were kept, and nobody's random state
            return
        torch.set_rng_state(checkpoint["random_state"].cpu())
        self._steps_before = checkpoint["total_steps"]
        if self.average is not None and "average" in checkpoint:
            self.kept = checkpoint["weights"]
            self.average.begin(self.net)
            self.average.load_state_dict(checkpoint["average"])
            self._steps_averaged = checkpoint["average"].get("steps")  # not in older ones, which are of whole epochs
        checkpoint["state_dict"].update({f"net.{name}": value for name, value in checkpoint.get("raw", {}).items()})
