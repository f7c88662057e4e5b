"""One line of figures an epoch, which stays readable in a log file."""

from __future__ import annotations

import logging

import lightning as L

log = logging.getLogger(__name__)


class EpochLine(L.Callback):
    """Logs each epoch's losses, PSNR and SSIM against the clean photograph, and the learning rate."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Runs after the epoch's validation."""
        figures = trainer.callback_metrics
        if "val/loss" not in figures:
            return
        parts = [
            f"{title} Loss={figures[f'{stage}/loss']:.4f}, {title} PSNR={figures[f'{stage}/psnr']:.2f}, "
            f"{title} SSIM={figures[f'{stage}/ssim']:.4f}"
            for stage, title in (("train", "Train"), ("val", "Val"))
        ]
        schedules = trainer.lr_scheduler_configs
        rate = schedules[0].scheduler.get_last_lr()[0] if schedules else trainer.optimizers[0].param_groups[0]["lr"]
        parts.append(f"Input PSNR={figures['val/psnr_input']:.2f}, LR={rate:.6f}")
        log.info("Epoch %d/%s: %s", trainer.current_epoch + 1, trainer.max_epochs, ", ".join(parts))
