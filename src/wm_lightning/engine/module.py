"""Training, validation and test steps of a watermark remover."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypedDict

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MetricCollection

from wm_lightning.errors import UserError
from wm_lightning.losses import ColorAwareLoss, LossTerms
from wm_lightning.metrics import COLUMNS, TRAIN_COLUMNS, measure, metric_collection
from wm_lightning.models import RestorationNet
from wm_lightning.types import Prediction, Sample

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[..., LRScheduler]


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

    Args:
        net: The network.
        loss: The loss.
        optimizer: Takes parameters, returns an optimizer.
        scheduler: Takes the optimizer and ``total_steps``, the number of optimizer steps of the whole run; stepped
            once each optimizer step. None keeps the learning rate.
        target: What the loss compares with: the second watermarked view, or the clean photograph.
        channels_last: Keeps 4-d tensors in the channels-last memory format, which convolutions run faster in.
        test_columns: What a test measures; see :func:`~wm_lightning.metrics.choose_columns`.
        measure_every: Scores the pictures of every so manieth training batch; a small network takes a step faster than
            SSIM is computed. The loss is that of all.

    Raises:
        ValueError: ``measure_every`` is below 1.
    """

    def __init__(
        self,
        net: RestorationNet,
        loss: ColorAwareLoss,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        target: Literal["reference", "clean"] = "reference",
        channels_last: bool = True,
        test_columns: Sequence[str] = COLUMNS,
        measure_every: int = 1,
    ) -> None:
        super().__init__()
        if measure_every < 1:
            raise ValueError(f"measure_every={measure_every} must be at least 1")
        self.measure_every = measure_every
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net, self.loss = net, loss
        nn.ModuleList((net, loss)).to(memory_format=self.memory_format)  # type: ignore[call-overload]  # not in its stubs
        self.optimizer_factory, self.scheduler_factory = optimizer, scheduler
        self.target = target
        self._steps_before: int | None = None
        self.columns = {"train": TRAIN_COLUMNS, "val": COLUMNS, "test": tuple(test_columns)}
        self.metrics = nn.ModuleDict(
            {f"{stage}_metrics": metric_collection(stage, columns) for stage, columns in self.columns.items()}
        )

    def forward(self, image: Tensor) -> Tensor:
        """Removes watermarks from (B, 3, H, W) in 0..1."""
        return self.predict(image).image

    def predict(self, image: Tensor) -> Prediction:
        """Removes watermarks from (B, 3, H, W) in 0..1, and says what else the network knows."""
        return self.net.predict(image.contiguous(memory_format=self.memory_format))

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """Returns the loss to minimise."""
        prediction, losses = self._compare(batch, "train")
        if batch_idx % self.measure_every == 0:
            self._measure(prediction, batch, "train")
        self.log("step/loss", losses.total, on_step=True, on_epoch=False, prog_bar=True)
        return losses.total

    def validation_step(self, batch: Sample, batch_idx: int) -> StepOutput:
        """Returns predictions and scores for callbacks."""
        return self._measure(self._compare(batch, "val")[0], batch, "val")

    def test_step(self, batch: Sample, batch_idx: int) -> StepOutput:
        """Returns predictions and scores for callbacks."""
        return self._measure(self._compare(batch, "test")[0], batch, "test")

    def _compare(self, batch: Sample, stage: str) -> tuple[Prediction, LossTerms]:
        """Predicts, and logs the loss and its terms."""
        prediction = self.predict(batch.watermarked)
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
        scores = measure(image, batch, self.columns[stage], mask)
        collection = self.metrics[f"{stage}_metrics"]
        assert isinstance(collection, MetricCollection)
        for column, metric in collection.items(keep_base=True):
            metric.update(scores[column])
        self.log_dict(collection, on_step=False, on_epoch=True, batch_size=len(batch.mask))
        return StepOutput(prediction=image.float().clamp(0, 1), mask=mask, scores=scores)

    def _target_of(self, batch: Sample) -> Tensor:
        target: Tensor | None = getattr(batch, self.target)
        if target is None:
            raise UserError(f"data.target={self.target}: these pairs have none; set data.target=clean.")
        return target

    def configure_optimizers(self) -> Optimizer | OptimizerLRSchedulerConfig:
        """Builds the optimizer and its schedule over all steps of the run."""
        steps = int(self.trainer.estimated_stepping_batches)
        try:
            optimizer = self.optimizer_factory(self.net.parameters())
            scheduler = self.scheduler_factory(optimizer, total_steps=steps) if self.scheduler_factory else None
        except (TypeError, ValueError) as error:
            raise UserError(f"optim: {error}") from error
        if scheduler is None:
            return optimizer
        if self._steps_before not in (None, steps):
            raise UserError(
                f"ckpt_path: the checkpoint's schedule spans {self._steps_before} steps and this run has {steps}; keep "
                "trainer.max_epochs, photographs and batch size as they were, or begin a new run from its weights "
                "(weights=PATH)."
            )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_validation_start(self) -> None:
        """Gives all processes the mean of their BatchNorm statistics, so that all score the same network."""
        if self.trainer.world_size == 1:
            return
        for buffer in self.net.buffers():
            if buffer.is_floating_point():
                buffer.copy_(self.trainer.strategy.reduce(buffer.clone(), reduce_op="mean"))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Records what the loss was made of, the random state of layers such as dropout, and the length of the run."""
        checkpoint["loss"] = self.loss.describe()
        checkpoint["random_state"] = torch.get_rng_state()
        checkpoint["total_steps"] = int(self.trainer.estimated_stepping_batches)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Goes on from the random state; the steps are compared with those of this run."""
        torch.set_rng_state(checkpoint["random_state"].cpu())
        self._steps_before = checkpoint["total_steps"]
