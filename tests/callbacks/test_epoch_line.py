import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from wm_lightning.callbacks import Progress
from wm_lightning.engine import WatermarkRemoval

RUN = "hydra.run.dir=run"


@pytest.mark.parametrize("kept", ["raw", "average"])
def test_a_line_says_how_each_epoch_went(command, tiny, monkeypatch, kept):
    monkeypatch.setattr(WatermarkRemoval, "_better", lambda self, figures: kept)
    arguments = ("trainer.max_epochs=2", "optim=adamw_cosine", "optim.scheduler=null", "test=false")
    assert command("train", *tiny, RUN, *arguments, "optim.optimizer.lr=0.00025").status == 0
    lines = [line for line in Path("run/train.log").read_text().splitlines() if " Epoch " in line]
    history = json.loads(Path("run/summary.json").read_text())["history"]
    assert len(lines) == len(history) == 2
    for line, figures in zip(lines, history, strict=True):
        stages = ", ".join(
            f"{title} Loss={figures[f'{stage}/loss']:.4f}, {title} PSNR={figures[f'{stage}/psnr']:.2f}, "
            f"{title} SSIM={figures[f'{stage}/ssim']:.4f}"
            for stage, title in (("train", "Train"), ("val", "Val"))
        )
        gains = (
            f"{figures['val/gain']:+.2f} dB over the identity ({figures['val/psnr_input_marked']:.2f}), "
            f"inside the mark {figures['val/gain_in']:+.2f}, outside {figures['val/psnr_out']:.1f} dB"
        )
        averaged = ", weights averaged" if kept == "average" else ""
        assert line.endswith(f" Epoch {figures['epoch']}/2: {stages}, {gains}{averaged}, LR=0.000250")


def test_the_bar_shows_the_steps_loss_and_the_last_validation():
    measured = {"val/loss": 1.23456, "val/gain": 2.5, "val/gain_in": 3.25, "val/psnr": 30.0}
    trainer = SimpleNamespace(
        loggers=[], progress_bar_metrics={"step/loss": 0.5, "v_num": 3},
        callback_metrics={name: torch.tensor(value) for name, value in measured.items()},
    )  # fmt: skip
    shown = Progress().get_metrics(trainer, None)
    assert shown == {"step/loss": 0.5, "val loss": 1.235, "dB over the identity": 2.5, "inside": 3.25}
    trainer.callback_metrics = {}
    assert Progress().get_metrics(trainer, None) == {"step/loss": 0.5}


def test_the_bar_counts_epochs_as_the_log_does_and_parts_its_figures(command, tiny):
    one = [option for option in tiny if not option.startswith("trainer.enable_progress_bar")]
    outcome = command("train", *one, "test=false", "trainer.max_epochs=2", "hydra.run.dir=run")
    assert outcome.status == 0, outcome.err
    assert "Epoch 1/2" in outcome.out
    assert "Epoch 0/" not in outcome.out
    assert re.search(r"val loss: [-.\d]+ \| dB over the identity: [-.\d]+ \| inside: ", " ".join(outcome.out.split()))
