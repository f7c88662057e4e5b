"""Shows what a synthesis preset makes."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from wm_lightning.configuration import check_config
from wm_lightning.errors import UserError
from wm_lightning.reports.contact_sheet import contact_sheet
from wm_lightning.runner.build import build_data

log = logging.getLogger(__name__)


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
