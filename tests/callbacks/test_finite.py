import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wm_lightning.data.synthesis import from_json, replay
from wm_lightning.engine import WatermarkRemoval
from wm_lightning.losses import CompositeLoss
from wm_lightning.trained import read

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
    outcome = command("train", *tiny, RUN, "trainer.max_epochs=4", "augment=none", "synthesis.degradation=null")
    assert outcome.status == 1
    assert "The loss became nan in epoch 3, step 8" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert all(torch.equal(value, seen["weights"][name]) for name, value in seen["net"].named_parameters())
    assert read("run/checkpoints/last.ckpt")["epoch"] == 1  # the second epoch's

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
    how = "Lower optim.optimizer.lr, set trainer.gradient_clip_val=1, or use trainer.precision=32-true, and go on"
    assert f"{how}: the same with ckpt_path=last." in outcome.err
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


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("average", ["average=null", "average.decay=0.9"])
def test_a_validation_loss_that_is_no_number_stops_the_run(command, tiny, monkeypatch, epoch, average):
    forward, epochs = CompositeLoss.forward, []

    def blind(self, *arguments):
        losses = forward(self, *arguments)
        spoilt = not torch.is_grad_enabled() and len(epochs) == epoch + 1
        return losses._replace(total=losses.total * float("nan")) if spoilt else losses

    monkeypatch.setattr(CompositeLoss, "forward", blind)
    monkeypatch.setattr(WatermarkRemoval, "on_train_epoch_start", lambda self: epochs.append(self.current_epoch))
    outcome = command("train", *tiny, RUN, "trainer.max_epochs=3", average)
    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    sentence = f"error: The validation loss became nan in epoch {epoch + 1}, so the network cannot be judged."
    assert outcome.err.splitlines()[-1].startswith(sentence)
    assert epochs == list(range(epoch + 1))
    kept = [read(str(path))["epoch"] for path in Path("run/checkpoints").glob("*.ckpt")]
    assert kept == [0, 0][: 2 * epoch]  # those of the epoch before


def test_weights_in_training_that_give_no_number_are_passed_over_while_their_average_does(command, tiny, monkeypatch):
    compare = WatermarkRemoval._compare

    def blind(self, net, batch, stage):
        if stage == "val_raw":
            batch = batch._replace(clean=batch.clean * float("nan"), reference=batch.reference * float("nan"))
        return compare(self, net, batch, stage)

    monkeypatch.setattr(WatermarkRemoval, "_compare", blind)
    outcome = command("train", *tiny, RUN, "trainer.max_epochs=2", "test=false")
    assert outcome.status == 0, outcome.err
    summary = json.loads(Path("run/summary.json").read_text())
    assert all(epoch["val_raw/loss"] is None for epoch in summary["history"])
    assert all(epoch["val/loss"] == epoch["val_average/loss"] > 0 for epoch in summary["history"])
    assert read("run/checkpoints/best.ckpt")["weights"] == "average"
