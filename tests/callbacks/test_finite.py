import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from wm_lightning.checkpoints import load_checkpoint
from wm_lightning.data.synthesis import from_json, replay
from wm_lightning.engine import WatermarkRemoval

RUN = "hydra.run.dir=run"


def test_a_loss_that_is_no_number_stops_the_run_before_it_reaches_the_weights(command, tiny, monkeypatch):
    step, seen = WatermarkRemoval.training_step, {}

    def broken(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)
        if self.current_epoch == 2 and batch_idx == 1:
            seen.update(batch=batch, weights={name: value.clone() for name, value in self.net.named_parameters()})
            seen["net"] = self.net
            return loss * float("nan")
        return loss

    monkeypatch.setattr(WatermarkRemoval, "training_step", broken)
    outcome = command("train", *tiny, RUN, "trainer.max_epochs=4", "augment=none", "synthesis.capture=null")
    assert outcome.status == 1
    assert "The loss became nan in epoch 3, step 8" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert all(torch.equal(value, seen["weights"][name]) for name, value in seen["net"].named_parameters())
    assert load_checkpoint("run/checkpoints/last.ckpt")["epoch"] == 1  # the second epoch's

    record = json.loads(Path("run/not_finite.json").read_text())
    assert (record["loss"], record["epoch"], record["step"]) == ("nan", 2, 7)
    assert list(record["batch"]) == list(seen["batch"].name)
    # The specifications make the batch's pictures again, on the clean pictures of the batch.
    for number, views in enumerate(record["batch"].values()):
        clean = (seen["batch"].clean[number].movedim(0, -1).numpy() * 255).round().astype(np.uint8)
        for key, spec in views.items():
            made = replay(clean, from_json(json.dumps(spec))).image
            picture = getattr(seen["batch"], key)[number].movedim(0, -1).numpy() * 255
            np.testing.assert_array_equal(made, picture.round())


def test_an_infinite_loss_stops_the_run_too(command, tiny, monkeypatch):
    step = WatermarkRemoval.training_step
    monkeypatch.setattr(WatermarkRemoval, "training_step", lambda self, *args: step(self, *args) + float("inf"))
    outcome = command("train", *tiny, RUN)
    assert outcome.status == 1
    assert "The loss became inf in epoch 1, step 1" in outcome.err
    assert not Path("run/checkpoints").exists()


def test_of_pairs_of_files_the_names_are_written(command, tiny, monkeypatch, photographs):
    for path in photographs.iterdir():
        for folder, levels in (("clean", 0), ("watermarked", 40)):
            target = Path("pairs", folder, path.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as picture:
                Image.eval(picture, lambda value, levels=levels: min(255, value + levels)).save(target)
    step, seen = WatermarkRemoval.training_step, {}

    def broken(self, batch, batch_idx):
        seen["names"] = batch.name
        return step(self, batch, batch_idx) * float("nan")

    monkeypatch.setattr(WatermarkRemoval, "training_step", broken)
    options = [option for option in tiny if not option.startswith(("data=", "data.root="))]
    outcome = command("train", *options, RUN, "data=paired", "data.root=pairs")
    assert outcome.status == 1
    assert "The loss became nan in epoch 1, step 1" in outcome.err
    record = json.loads(Path("run/not_finite.json").read_text())
    assert len(seen["names"]) == 4
    assert record["batch"] == {name: {} for name in seen["names"]}
