"""Shows what a synthesis preset makes."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from wm_lightning.errors import UserError, writable
from wm_lightning.files import replacing
from wm_lightning.reports.contact_sheet import contact_sheet
from wm_lightning.runner.build import build_data
from wm_lightning.runner.configuration import check_config
from wm_lightning.types import collate

log = logging.getLogger(__name__)

COLUMNS = ("clean", "watermarked", "reference", "mask", "alpha")


def preview(config: DictConfig) -> None:
    """Draws a contact sheet of training pairs: original, two views, mask, alpha; of real pairs what they have.

    Raises:
        UserError: The configuration or what it points to cannot be used, or the file cannot be written.
    """
    check_config(config)
    out = Path(config.out)
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UserError(f"out={config.out} must be a picture file: .png, .jpg or .webp.")
    if config.count < 1:
        raise UserError(f"count={config.count} must be at least 1.")
    data = build_data(config)
    pairs = data.pairs("train")
    if not len(pairs):
        raise UserError("data.root holds no pairs for train; add them, or give a folder that has some.")
    samples = pairs.draw([(0, index % len(pairs)) for index in range(config.count)]).samples
    data.teardown()
    batch = data.on_after_batch_transfer(collate(samples), 0)
    pictures = {column: getattr(batch, column) for column in COLUMNS if getattr(batch, column) is not None}
    levels = [(255 * picture).round().byte().movedim(1, -1).squeeze(-1).numpy() for picture in pictures.values()]
    rows = list(zip(*levels, strict=True))
    with writable(out), replacing(out) as draft:
        contact_sheet(list(pictures), rows).save(draft)
    log.info("written: %s", out)
