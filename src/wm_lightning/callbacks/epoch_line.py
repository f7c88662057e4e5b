"""One line of figures an epoch, which stays readable in a log file."""

from __future__ import annotations

import logging

import lightning as L

from wm_lightning.callbacks.validated import Validated
from wm_lightning.engine import WatermarkRemoval

log = logging.getLogger(__name__)


class EpochLine(Validated):
    """Logs each epoch's losses, PSNR and SSIM against the clean photograph, gain over the identity, and rate."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Runs after the epoch's validation; an epoch without one has no figures of it in its line."""
        assert isinstance(pl_module, WatermarkRemoval)
        figures = trainer.callback_metrics
        stages = (("train", "Train"), ("val", "Val")) if self.validated else (("train", "Train"),)
        parts = [
            f"{title} Loss={figures[f'{stage}/loss']:.4f}, {title} PSNR={figures[f'{stage}/psnr']:.2f}, "
            f"{title} SSIM={figures[f'{stage}/ssim']:.4f}"
            for stage, title in stages
        ]
        if self.validated:
            kept = ", weights averaged" if pl_module.kept == "average" else ""
            parts.append(
                f"{figures['val/gain']:+.2f} dB over the identity ({figures['val/psnr_input_marked']:.2f}), "
                f"inside the mark {figures['val/gain_in']:+.2f}, outside {figures['val/psnr_out']:.1f} dB{kept}"
            )
        schedules = trainer.lr_scheduler_configs
        rate = schedules[0].scheduler.get_last_lr()[0] if schedules else trainer.optimizers[0].param_groups[0]["lr"]
        parts.append(f"LR={rate:.6f}")
        log.info("Epoch %d/%s: %s", trainer.current_epoch + 1, trainer.max_epochs, ", ".join(parts))
